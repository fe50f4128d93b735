/** The manifest of section 4, table after table, and the rules that join them. */

import { DTYPES } from "../dtypes.js";
import { Reader } from "../numbers.js";
import { readEntries } from "./entries.js";
import { readPrototypes } from "./prototypes.js";
import { References } from "./references.js";
import { FLIPS, KEPT, MAX_ELEMENTS, MAX_ROWS, XOR, prototypesOf } from "./tables.js";

/**
 * @typedef {import("./tables.js").Manifest} Manifest
 * @typedef {import("./tables.js").MaskRow} MaskRow
 * @typedef {import("./tables.js").BlockRow} BlockRow
 */

/** Minor version that the id of a coder came with. */
const MASK_CODERS = [0, 0, 0, 0, 0, 1, 1, 1, 3, 6];
const BLOCK_CODERS = [0, 0, 0, 0, 1, 2, 3, 6];
const MAX_TASKS = 65535;
const MAX_NAME = 1024;

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 * @returns {boolean} a stands before b, byte by byte
 */
function ascending(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] < b[i];
  return a.length < b.length;
}

/** @param {Reader} reader @returns {Map<string, string>} */
function readMetadata(reader) {
  const metadata = new Map();
  /** @type {Uint8Array} */
  let before = new Uint8Array(0);
  for (let left = reader.u(); left > 0; left--) {
    const keySize = reader.u();
    const at = reader.position;
    const key = reader.text(keySize);
    const bytes = reader.bytes.subarray(at, reader.position);
    // The empty key is not above the beginning either.
    if (!ascending(before, bytes)) reader.fail("keys");
    before = bytes;
    metadata.set(key, reader.text(reader.u()));
  }
  return metadata;
}

/** @param {Reader} reader @returns {string[]} */
function readTasks(reader) {
  const count = reader.u();
  if (count > MAX_TASKS) reader.fail("many", "tasks");
  const names = new Set();
  for (let i = 0; i < count; i++) {
    const size = reader.u();
    if (size < 1 || size > MAX_NAME) reader.fail("task-name");
    names.add(reader.text(size));
  }
  if (names.size !== count) reader.fail("task-twice");
  return [...names];
}

/**
 * @param {Reader} reader
 * @param {string} what
 * @returns {number} rows of a table, each of which takes bytes
 */
function readCount(reader, what) {
  const count = reader.u();
  if (count > MAX_ROWS || count > reader.left) reader.fail("many", what);
  return count;
}

/** @param {Reader} reader @param {number[]} since @param {number} minor @param {string} what */
function readCoder(reader, since, minor, what) {
  const coder = reader.u8();
  if (!(since[coder] <= minor)) reader.fail("unknown", `coder of a ${what}`);
  return coder;
}

/** @param {Reader} reader @param {number} minor @returns {MaskRow[]} */
function readMasks(reader, minor) {
  const rows = Array.from({ length: readCount(reader, "masks") }, () => ({ coder: 0, length: 0, ones: 0, size: 0, at: 0 }));
  for (const row of rows) row.coder = readCoder(reader, MASK_CODERS, minor, "mask");
  for (const row of rows) {
    row.length = reader.u();
    if (row.length > MAX_ELEMENTS) reader.fail("mask-length");
  }
  for (const row of rows) {
    row.ones = reader.u();
    if (row.ones > row.length) reader.fail("mask-ones");
  }
  for (const row of rows) row.size = reader.u();
  return rows;
}

/** @param {Reader} reader @param {number} minor @returns {BlockRow[]} */
function readBlocks(reader, minor) {
  const rows = Array.from({ length: readCount(reader, "blocks") }, () => {
    return /** @type {BlockRow} */ ({ dtype: 0, coder: 0, size: 0, at: 0, users: [], starts: [0] });
  });
  for (const row of rows) {
    row.dtype = reader.u8();
    if (!DTYPES[row.dtype]) reader.fail("unknown", "dtype");
  }
  for (const row of rows) row.coder = readCoder(reader, BLOCK_CODERS, minor, "block");
  for (const row of rows) row.size = reader.u();
  return rows;
}

/** Where the elements of each user are (4.4). @param {Reader} reader @param {Manifest} manifest */
function layOut(reader, { masks, blocks, prototypes, entries }) {
  /** @param {number} user @param {number} block @param {number} count */
  const take = (user, block, count) => {
    const { users, starts } = blocks[block];
    const end = starts[users.length] + count;
    if (end > MAX_ELEMENTS) reader.fail("many", "elements of a block");
    starts.push(end);
    return users.push(user) - 1;
  };
  prototypes.forEach((row, i) => {
    if (row.kind !== "values") return;
    row.user = take(i, row.block, row.presence < 0 ? row.length : masks[row.presence].ones);
  });
  entries.forEach((row, i) => {
    if (row.block < 0) return;
    row.user = take(prototypes.length + i, row.block, row.kind === KEPT ? masks[row.mask].ones : row.elements);
  });
  if (blocks.some((row) => row.users.length === 0)) reader.fail("unused", "block");
  const used = new Set();
  for (const row of entries) for (const index of prototypesOf(row)) used.add(index);
  if (used.size < prototypes.length) reader.fail("unused", "prototype");
}

/**
 * @param {Uint8Array} bytes the manifest, decoded
 * @param {number} minor of the header
 * @param {number} payloadSize of the header
 * @returns {Manifest}
 */
export function readManifest(bytes, minor, payloadSize) {
  const reader = new Reader(bytes, "manifest");
  const metadata = readMetadata(reader);
  const tasks = readTasks(reader);
  const masks = readMasks(reader, minor);
  const blocks = readBlocks(reader, minor);
  let at = 0;
  for (const row of [...masks, ...blocks]) {
    row.at = at;
    at += row.size;
  }
  if (at !== payloadSize) reader.fail("sizes");
  const references = new References(reader, masks.length);
  const prototypes = readPrototypes(reader, minor, references, masks, blocks);
  const entries = readEntries(reader, minor, references, { tasks: tasks.length, masks, blocks, prototypes });
  if (reader.left > 0) reader.fail("left");
  references.finish();
  const delta = masks.some((row) => row.coder === FLIPS) || blocks.some((row) => row.coder === XOR);
  const base = delta ? (metadata.get("pemn.base") ?? "") : "";
  if (delta && !/^[0-9a-f]{64}$/.test(base)) reader.fail("base-digest");
  const manifest = { metadata, tasks, masks, blocks, prototypes, entries, delta, base };
  layOut(reader, manifest);
  return manifest;
}
