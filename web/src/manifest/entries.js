/** The table of entries (4.6). */

import { BOOL, FLOAT32, dtypeOf } from "../dtypes.js";
import { quoted } from "../errors.js";
import { decodeText } from "../numbers.js";
import { readFinite } from "./prototypes.js";
import { ALIAS, BOOL_MASK, KEPT, MAX_ELEMENTS, MAX_ROWS, TENSOR, TILED } from "./tables.js";

/**
 * @typedef {import("../numbers.js").Reader} Reader
 * @typedef {import("./tables.js").EntryRow} EntryRow
 * @typedef {import("./tables.js").MaskRow} MaskRow
 * @typedef {import("./tables.js").BlockRow} BlockRow
 * @typedef {import("./tables.js").PrototypeRow} PrototypeRow
 * @typedef {{tasks: number, masks: MaskRow[], blocks: BlockRow[], prototypes: PrototypeRow[]}} Tables
 */

const MAX_NAME = 1024;
const MAX_NAMES = 2 ** 25;
const MAX_NDIM = 32;
/** One for all scalars, of which there may be many. @type {readonly number[]} */
const NO_DIMS = Object.freeze([]);

/** @returns {EntryRow} */
function emptyRow() {
  return {
    name: "",
    kind: 0,
    task: 0,
    shape: NO_DIMS,
    elements: 0,
    dtype: 0,
    block: -1,
    user: -1,
    mask: -1,
    tiling: null,
    target: -1,
  };
}

/** @param {Reader} reader @param {EntryRow[]} rows */
function readNames(reader, rows) {
  const shared = rows.map(() => reader.u());
  const suffixes = rows.map(() => reader.u());
  let total = 0;
  let size = 0;
  const name = new Uint8Array(MAX_NAME);
  rows.forEach((row, i) => {
    if (shared[i] > size) reader.fail("name-shared");
    size = shared[i] + suffixes[i];
    total += size;
    if (size < 1 || size > MAX_NAME || total > MAX_NAMES) reader.fail("name-size");
    name.set(reader.take(suffixes[i]), shared[i]);
    const own = name.subarray(0, size);
    if (own.includes(0)) reader.fail("name-zero");
    row.name = decodeText(own, reader.kind);
  });
}

/** @param {Reader} reader @param {EntryRow[]} rows */
function checkUnique(reader, rows) {
  /** @type {Map<string, number|Set<number>>} one task, or several */
  const seen = new Map();
  for (const { name, task } of rows) {
    const before = seen.get(name);
    if (before === undefined) {
      seen.set(name, task);
      continue;
    }
    const tasks = typeof before === "number" ? new Set([before]) : before;
    if (task === 0 || tasks.has(0) || tasks.has(task)) reader.fail("name-twice", quoted(name));
    seen.set(name, tasks.add(task));
  }
}

/** @param {Reader} reader @param {EntryRow} row @param {number} ndim */
function readDims(reader, row, ndim) {
  let product = 1;
  const shape = [];
  while (shape.length < ndim) {
    const dim = reader.u();
    shape.push(dim);
    product *= dim || 1;
    if (product > MAX_ELEMENTS) reader.fail("many", "elements of an entry");
  }
  if (ndim > 0) row.shape = shape;
  row.elements = shape.includes(0) ? 0 : product;
}

/**
 * @param {Reader} reader
 * @param {number} count what is indexed
 * @param {string} what
 * @returns {number}
 */
function readIndex(reader, count, what) {
  const index = reader.u();
  if (index >= count) reader.fail("range", what);
  return index;
}

/** @param {Reader} reader @param {EntryRow[]} rows tiled layers @param {Tables} tables */
function readTiled(reader, rows, { prototypes }) {
  const tiled = rows.map((row) => {
    /** @type {import("./tables.js").Tiling} */
    const tiling = { prototype: 0, phase: 0, zero: 0, scaled: false, scale: 1, second: -1, secondPhase: 0 };
    return (row.tiling = tiling);
  });
  for (const row of tiled) row.prototype = readIndex(reader, prototypes.length, "prototype");
  for (const row of tiled) row.phase = readIndex(reader, prototypes[row.prototype].length, "phase");
  for (const row of tiled) row.zero = readIndex(reader, 3, "meaning of zero");
  for (const row of tiled) row.scaled = readIndex(reader, 2, "scaled") === 1;
  for (const row of tiled) if (row.scaled) row.scale = readFinite(reader, true);
  const twofold = tiled.filter((row) => row.zero === 2);
  for (const row of twofold) row.second = readIndex(reader, prototypes.length, "second prototype");
  for (const row of twofold) row.secondPhase = readIndex(reader, prototypes[row.second].length, "second phase");
}

/** Checks that need several columns. @param {Reader} reader @param {EntryRow} row @param {Tables} tables */
function finishRow(reader, row, { masks, blocks, prototypes }) {
  const mask = masks[row.mask];
  if (row.kind === TENSOR) row.dtype = blocks[row.block].dtype;
  if (row.kind === KEPT) {
    row.dtype = blocks[row.block].dtype;
    if (!dtypeOf(row.dtype).maskable) reader.fail("unmaskable");
    if (mask.length !== row.elements) reader.fail("mask-fit");
  }
  if (row.kind === BOOL_MASK) {
    row.dtype = BOOL;
    if (mask.length !== row.elements) reader.fail("mask-fit");
  }
  const { tiling } = row;
  if (tiling) {
    row.dtype = prototypes[tiling.prototype].dtype;
    if (tiling.zero === 2 && prototypes[tiling.second].dtype !== row.dtype) reader.fail("dtypes");
    if (tiling.zero === 1 && !dtypeOf(row.dtype).floating) reader.fail("negated");
    if (tiling.scaled && row.dtype !== FLOAT32) reader.fail("scaled");
    if (mask.length > row.elements) reader.fail("mask-fit");
  }
}

/**
 * @param {Reader} reader
 * @param {number} minor
 * @param {import("./references.js").References} references
 * @param {Tables} tables
 * @returns {EntryRow[]} without their `user`
 */
export function readEntries(reader, minor, references, tables) {
  const count = reader.u();
  if (count > MAX_ROWS || count > reader.left) reader.fail("many", "entries");
  const rows = Array.from({ length: count }, emptyRow);
  readNames(reader, rows);
  const lastKind = minor >= 6 ? BOOL_MASK : ALIAS;
  for (const row of rows) {
    row.kind = reader.u8();
    if (row.kind > lastKind) reader.fail("unknown", "kind of entry");
  }
  if (tables.tasks > 0) for (const row of rows) row.task = readIndex(reader, tables.tasks + 1, "task");
  checkUnique(reader, rows);

  const shaped = rows.filter((row) => row.kind !== ALIAS);
  const ndims = reader.take(shaped.length);
  if (ndims.some((ndim) => ndim > MAX_NDIM)) reader.fail("many", "dimensions");
  shaped.forEach((row, i) => readDims(reader, row, ndims[i]));
  /** @param {number} kind */
  const of = (kind) => rows.filter((row) => row.kind === kind);
  const blocks = tables.blocks.length;
  for (const row of of(TENSOR)) row.block = readIndex(reader, blocks, "block");
  for (const row of of(KEPT)) row.mask = references.read();
  for (const row of of(KEPT)) row.block = readIndex(reader, blocks, "block");
  const tiled = of(TILED);
  for (const row of tiled) row.mask = references.read();
  readTiled(reader, tiled, tables);
  for (const row of of(BOOL_MASK)) row.mask = references.read();
  rows.forEach((row, i) => {
    if (row.kind === ALIAS) row.target = readIndex(reader, i, "target");
  });
  for (const row of rows) {
    finishRow(reader, row, tables);
    if (row.kind !== ALIAS) continue;
    const target = rows[row.target];
    if (target.kind === ALIAS) reader.fail("alias");
    if (target.task !== 0 && target.task !== row.task) reader.fail("alias-task");
    row.shape = target.shape;
    row.elements = target.elements;
    row.dtype = target.dtype;
  }
  return rows;
}
