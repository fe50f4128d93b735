/** A file whose manifest was read: what it holds, and its tensors, one at a time or together. */

import { crc32, sha256 } from "./checksums.js";
import { Decoder } from "./decoder.js";
import { dtypeOf, typed } from "./dtypes.js";
import { PemnError, RequestError, quoted } from "./errors.js";
import { HEADER_SIZE, checkFileSize, readHeader } from "./header.js";
import { MAX_BYTES, checkLimit, checkSize } from "./limits.js";
import { readManifest } from "./manifest/manifest.js";
import { ALIAS, TENSOR } from "./manifest/tables.js";
import { Payload } from "./payload.js";
import { decompress } from "./zstd/frame.js";

/**
 * @typedef {import("./header.js").Header} Header
 * @typedef {import("./manifest/tables.js").Manifest} Manifest
 * @typedef {import("./manifest/tables.js").EntryRow} EntryRow
 * @typedef {{dtype: string, shape: number[], data: import("./dtypes.js").TensorData}} Tensor
 * @typedef {Map<string, Tensor>} Tensors
 * @typedef {{maxBytes?: number, base?: Uint8Array|Uint8Array[], task?: string, names?: Iterable<string>}} Options
 * @typedef {{
 *   name: string, kind: "tensor"|"kept"|"tiled"|"alias"|"bool mask", task: string|null, dtype: string,
 *   shape: number[], elements: number, bits: number, ones: number, maskBytes: number, target: string|null
 * }} Entry
 */

const MAX_BASES = 32;
const KINDS = /** @type {const} */ (["tensor", "kept", "tiled", "alias", "bool mask"]);

/**
 * The manifest and the payload's page table.
 * @param {Header} header
 * @param {Uint8Array} bytes the two, as stored
 * @returns {{manifest: Manifest, payload: Payload}}
 */
export function readTables(header, bytes) {
  if (crc32(bytes) !== header.manifestCrc) throw new PemnError("checksum", "the manifest was damaged");
  const stored = bytes.subarray(0, header.manifestSize);
  const plain = header.manifestSize === header.manifestLength;
  const decoded = plain ? stored : decompress(stored, { exactly: header.manifestLength }, "manifest");
  const manifest = readManifest(decoded, header.minor, header.payloadSize);
  return { manifest, payload: new Payload(header.payloadSize, bytes.subarray(header.manifestSize)) };
}

/**
 * A whole file.
 * @param {Uint8Array} bytes
 * @returns {{header: Header, manifest: Manifest, payload: Payload}}
 */
function readWhole(bytes) {
  const header = readHeader(bytes.subarray(0, HEADER_SIZE));
  checkFileSize(header, bytes.length);
  const { manifest, payload } = readTables(header, bytes.subarray(HEADER_SIZE, header.payloadAt));
  payload.add(0, bytes.subarray(header.payloadAt));
  return { header, manifest, payload };
}

/**
 * The decoder of a base, which has the digest that a delta says.
 * @param {Manifest} delta
 * @param {Uint8Array[]} bases in any order
 * @param {number} maxBytes
 * @param {number} depth bases before this one
 * @returns {() => Decoder}
 */
function baseOf(delta, bases, maxBytes, depth) {
  /** @type {Decoder|undefined} */
  let made;
  return () => {
    if (made) return made;
    if (depth === MAX_BASES) throw new PemnError("limit", `more than ${MAX_BASES} bases, one upon another`);
    const bytes = bases.find((one) => sha256(one) === delta.base);
    if (!bytes) throw new RequestError(`a delta against a file of SHA-256 ${delta.base}; pass it as base`);
    const { manifest, payload } = readWhole(bytes);
    return (made = new Decoder(manifest, payload, maxBytes, baseOf(manifest, bases, maxBytes, depth + 1)));
  };
}

/** A `.pemn` file. */
export class PemnFile {
  /**
   * @param {Header} header
   * @param {Manifest} manifest
   * @param {Payload} payload
   * @param {Options} options
   * @param {(start: number, end: number) => Promise<Uint8Array>} fetchPayload bytes of the payload
   */
  constructor(header, manifest, payload, options, fetchPayload) {
    const bases = options.base === undefined ? [] : Array.isArray(options.base) ? options.base : [options.base];
    this.maxBytes = options.maxBytes ?? MAX_BYTES;
    this.header = header;
    this.manifest = manifest;
    this.payload = payload;
    this.fetchPayload = fetchPayload;
    this.decoder = new Decoder(manifest, payload, this.maxBytes, baseOf(manifest, bases, this.maxBytes, 0));
    /** @type {ReadonlyMap<string, string>} */
    this.metadata = manifest.metadata;
    /** @type {readonly string[]} */
    this.tasks = manifest.tasks;
  }

  /**
   * A file of which all bytes are there.
   * @param {Uint8Array} bytes
   * @param {Options} options
   * @returns {PemnFile}
   */
  static fromBytes(bytes, options) {
    const { header, manifest, payload } = readWhole(bytes);
    const missing = () => Promise.reject(new Error("all bytes are there"));
    return new PemnFile(header, manifest, payload, options, missing);
  }

  /** @returns {Entry[]} what the file holds, of all tasks, in its order */
  get entries() {
    const { entries, masks, tasks } = this.manifest;
    return entries.map((row) => {
      const mask = masks[row.mask];
      return {
        name: row.name,
        kind: KINDS[row.kind],
        task: row.task ? tasks[row.task - 1] : null,
        dtype: dtypeOf(row.dtype).name,
        shape: [...row.shape],
        elements: row.elements,
        bits: mask?.length ?? 0,
        ones: mask?.ones ?? 0,
        maskBytes: mask?.size ?? 0,
        target: row.target < 0 ? null : entries[row.target].name,
      };
    });
  }

  /** @returns {{part: string, bytes: number}[]} where the bytes of the file are */
  get parts() {
    const { header, manifest } = this;
    const sum = (/** @type {{size: number}[]} */ rows) => rows.reduce((total, row) => total + row.size, 0);
    return [
      { part: "header", bytes: HEADER_SIZE },
      { part: "manifest", bytes: header.manifestSize },
      { part: "page table", bytes: 4 * header.pages },
      { part: "masks", bytes: sum(manifest.masks) },
      { part: "values", bytes: sum(manifest.blocks) },
    ];
  }

  /**
   * Indices of the entries that are asked for.
   * @param {Options} options
   * @returns {number[]}
   */
  select({ task, names }) {
    const { tasks, entries } = this.manifest;
    if (task !== undefined && !tasks.includes(task)) throw new RequestError(`no task ${quoted(task)} in the file`);
    if (task === undefined && tasks.length > 1) throw new RequestError("the file has several tasks; choose one");
    const wanted = task === undefined ? tasks.length : tasks.indexOf(task) + 1;
    const indices = entries.flatMap((row, i) => (row.task === 0 || row.task === wanted ? [i] : []));
    if (names === undefined) return indices;
    const byName = new Map(indices.map((i) => [entries[i].name, i]));
    return Array.from(names, (name) => {
      const index = byName.get(name);
      if (index === undefined) throw new RequestError(`no tensor ${quoted(name)} in the file`);
      return index;
    });
  }

  /** @param {number} index @returns {number} the entry itself, or an alias's target */
  owner(index) {
    const row = this.manifest.entries[index];
    return row.kind === ALIAS ? row.target : index;
  }

  /**
   * Decode entries from bytes that are there.
   * @param {number[]} indices
   * @param {boolean} whole check all pages first
   * @returns {Map<number, Tensor>} by index; tied tensors are one
   */
  decodeLoaded(indices, whole) {
    const owners = new Set(indices.map((index) => this.owner(index)));
    checkSize(this.manifest, owners, this.maxBytes);
    if (whole) this.payload.view(0, this.payload.size);
    const users = this.countUsers(owners);
    /** @type {Map<number, Tensor>} */
    const made = new Map();
    for (const index of owners) {
      const row = this.manifest.entries[index];
      made.set(index, {
        dtype: dtypeOf(row.dtype).name,
        shape: [...row.shape],
        data: typed(row.dtype, this.decoder.entry(index)),
      });
      this.release(row, users);
    }
    this.decoder.forget();
    return new Map(indices.map((index) => [index, /** @type {Tensor} */ (made.get(this.owner(index)))]));
  }

  /**
   * @param {number[]} indices
   * @param {Map<number, Tensor>} made
   * @returns {Tensors}
   */
  named(indices, made) {
    const { entries } = this.manifest;
    return new Map(indices.map((index) => [entries[index].name, /** @type {Tensor} */ (made.get(index))]));
  }

  /**
   * Decode the networks of all tasks together; what they have in common once. All bytes must be there.
   * @returns {Map<string, Tensors>} by task; of a file without tasks, its network under the empty name
   */
  decodeTasks() {
    const { entries, tasks } = this.manifest;
    const made = this.decodeLoaded([...entries.keys()], true);
    const wanted = tasks.length ? tasks.map((_, i) => i + 1) : [0];
    return new Map(
      wanted.map((task) => {
        const indices = [...made.keys()].filter((i) => entries[i].task === 0 || entries[i].task === task);
        return [task ? tasks[task - 1] : "", this.named(indices, made)];
      }),
    );
  }

  /** @param {Iterable<number>} indices @returns {Map<string, number>} entries by the mask or block that they use */
  countUsers(indices) {
    const users = new Map();
    for (const index of indices) {
      const row = this.manifest.entries[index];
      for (const key of [`m${row.mask}`, `b${row.block}`]) users.set(key, (users.get(key) ?? 0) + 1);
    }
    return users;
  }

  /** Drop what no further entry needs. @param {EntryRow} row @param {Map<string, number>} users */
  release(row, users) {
    for (const [key, kept, index] of /** @type {[string, Map<number, unknown>, number][]} */ ([
      [`m${row.mask}`, this.decoder.masks, row.mask],
      [`b${row.block}`, this.decoder.blocks, row.block],
    ])) {
      const left = /** @type {number} */ (users.get(key)) - 1;
      users.set(key, left);
      if (left === 0) kept.delete(index);
    }
  }

  /**
   * Load the pages that entries need.
   * @param {number[]} indices
   */
  async fetch(indices) {
    const { entries, masks, blocks, prototypes } = this.manifest;
    /** @type {Set<{at: number, size: number}>} */
    const sections = new Set();
    for (const index of indices) {
      const row = entries[this.owner(index)];
      if (row.mask >= 0) sections.add(masks[row.mask]);
      const used = [row.prototype, row.second].filter((i) => i >= 0).map((i) => prototypes[i]);
      const blocksOf = [row.block];
      for (const prototype of used) {
        if (prototype.kind !== "values") continue;
        blocksOf.push(prototype.block);
        if (prototype.presence >= 0) sections.add(masks[prototype.presence]);
      }
      for (const block of blocksOf) if (block >= 0) sections.add(blocks[block]);
    }
    const ranges = [...sections].filter(({ size }) => size > 0).map(({ at, size }) => this.payload.pagesOf(at, size));
    for (const [start, end] of joined(ranges)) {
      if (!this.payload.has(start, end)) this.payload.add(start, await this.fetchPayload(start, end));
    }
  }

  /**
   * Decode a task, or some of its tensors, and fetch what they need first.
   * @param {{task?: string, names?: Iterable<string>}} [options]
   * @returns {Promise<Tensors>}
   */
  async tensors(options = {}) {
    const indices = this.select(options);
    checkSize(this.manifest, new Set(indices.map((index) => this.owner(index))), this.maxBytes);
    await this.fetch(indices);
    return this.named(indices, this.decodeLoaded(indices, false));
  }

  /**
   * Decode one tensor, and fetch what it needs first.
   * @param {string} name
   * @param {string} [task]
   * @returns {Promise<Tensor>}
   */
  async tensor(name, task) {
    return /** @type {Tensor} */ ((await this.tensors({ task, names: [name] })).get(name));
  }

  /**
   * The mask of an entry, with a bit for each position that is not idle (section 7).
   * @param {number} index of `entries`
   * @returns {Promise<{length: number, ones: number, bits: Uint8Array|null}|null>} none of an entry without a mask;
   *   no bits where all are the same
   */
  async mask(index) {
    const row = this.manifest.entries[this.owner(index)];
    if (row.kind === TENSOR) return null;
    checkLimit(this.manifest.masks[row.mask].length / 8, this.maxBytes, "a mask");
    await this.fetch([index]);
    const mask = this.decoder.mask(row.mask);
    this.decoder.forget();
    return mask;
  }
}


/**
 * Ranges that touch as one.
 * @param {[number, number][]} ranges
 * @returns {[number, number][]}
 */
function joined(ranges) {
  ranges.sort((a, b) => a[0] - b[0]);
  /** @type {[number, number][]} */
  const out = [];
  for (const [start, end] of ranges) {
    const last = out[out.length - 1];
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else out.push([start, end]);
  }
  return out;
}
