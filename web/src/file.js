/** A file whose manifest was read: what it holds, and its tensors, one at a time or together. */

import { crc32 } from "./crc32.js";
import { Decoder } from "./decoder.js";
import { dtypeOf, typed } from "./dtypes.js";
import { PemnError, RequestError, quoted } from "./errors.js";
import { HEADER_SIZE, checkFileSize, readHeader } from "./header.js";
import { MAX_BYTES, checkLimit, checkSize } from "./limits.js";
import { readManifest } from "./manifest/manifest.js";
import { ALIAS, TENSOR, prototypesOf } from "./manifest/tables.js";
import { withParts } from "./parts.js";
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

const KINDS = /** @type {const} */ (["tensor", "kept", "tiled", "alias", "bool mask"]);

/**
 * The manifest and the payload's page table.
 * @param {Header} header
 * @param {Uint8Array} bytes the two, as stored
 * @returns {{manifest: Manifest, payload: Payload}}
 */
export function readTables(header, bytes) {
  if (crc32(bytes) !== header.manifestCrc) throw new PemnError("checksum", "damaged", "manifest");
  const stored = bytes.subarray(0, header.manifestSize);
  const plain = header.manifestSize === header.manifestLength;
  const decoded = plain ? stored : decompress(stored, header.manifestLength, { kind: "manifest" });
  const manifest = readManifest(decoded, header.minor, header.payloadSize);
  return { manifest, payload: new Payload(header.payloadSize, bytes.subarray(header.manifestSize)) };
}

/**
 * A whole file.
 * @param {Uint8Array} bytes
 * @returns {{header: Header, manifest: Manifest, payload: Payload}}
 */
export function readWhole(bytes) {
  const header = readHeader(bytes.subarray(0, HEADER_SIZE));
  checkFileSize(header, bytes.length);
  const { manifest, payload } = readTables(header, bytes.subarray(HEADER_SIZE, header.payloadAt));
  payload.add(0, bytes.subarray(header.payloadAt));
  return { header, manifest, payload };
}

/**
 * A `.pemn` file.
 *
 * `tensors`, `tensor` and `mask` import the parts that they need. What is not asynchronous needs them there (sync.js).
 */
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
    this.decoder = new Decoder(manifest, payload, this.maxBytes, bases);
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
    const indices = this.ofTask(wanted);
    if (names === undefined) return indices;
    const byName = new Map(indices.map((i) => [entries[i].name, i]));
    return Array.from(names, (name) => {
      const index = byName.get(name);
      if (index === undefined) throw new RequestError(`no tensor ${quoted(name)} in the file`);
      return index;
    });
  }

  /** @param {number} task 0: none @returns {number[]} indices of the entries of a task, those of all tasks included */
  ofTask(task) {
    const { entries } = this.manifest;
    return [...entries.keys()].filter((i) => entries[i].task === 0 || entries[i].task === task);
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
   * @returns {Map<number, Tensor>} by the index of the owner
   */
  decodeLoaded(indices, whole) {
    const owners = new Set(indices.map((index) => this.owner(index)));
    checkSize(this.manifest, owners, this.maxBytes);
    this.decoder.needParts(owners);
    if (whole) this.payload.view(0, this.payload.size);
    const { entries, masks, blocks } = this.manifest;
    const release = [
      releaser(this.decoder.masks, masks.length, owners, (index) => entries[index].mask),
      releaser(this.decoder.blocks, blocks.length, owners, (index) => entries[index].block),
    ];
    /** @type {Map<number, Tensor>} */
    const made = new Map();
    for (const index of owners) {
      const { dtype, shape } = entries[index];
      const data = typed(dtype, this.decoder.entry(index));
      made.set(index, { dtype: dtypeOf(dtype).name, shape: [...shape], data });
      for (const one of release) one(index);
    }
    this.decoder.forget();
    return made;
  }

  /**
   * @param {number[]} indices
   * @param {Map<number, Tensor>} made
   * @returns {Tensors}
   */
  named(indices, made) {
    const { entries } = this.manifest;
    return new Map(indices.map((i) => [entries[i].name, /** @type {Tensor} */ (made.get(this.owner(i)))]));
  }

  /**
   * Decode a task, or some of its tensors. All bytes must be there.
   * @param {Options} options
   * @returns {Tensors}
   */
  decodeTask(options) {
    const indices = this.select(options);
    return this.named(indices, this.decodeLoaded(indices, options.names === undefined));
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
        return [task ? tasks[task - 1] : "", this.named(this.ofTask(task), made)];
      }),
    );
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
      const blocksOf = [row.block];
      for (const index of prototypesOf(row)) {
        const prototype = prototypes[index];
        if (prototype.kind !== "values") continue;
        blocksOf.push(prototype.block);
        if (prototype.presence >= 0) sections.add(masks[prototype.presence]);
      }
      for (const block of blocksOf) if (block >= 0) sections.add(blocks[block]);
    }
    const ranges = [...sections].filter(({ size }) => size > 0).map(({ at, size }) => this.payload.pagesOf(at, size));
    for (const [start, end] of joined(ranges)) {
      if (!this.payload.find(start, end)) this.payload.add(start, await this.fetchPayload(start, end));
    }
  }

  /**
   * Decode a task, or some of its tensors, and fetch what they need first.
   * @param {{task?: string, names?: Iterable<string>}} [options]
   * @returns {Promise<Tensors>}
   */
  tensors(options = {}) {
    return withParts(async () => {
      const indices = this.select(options);
      checkSize(this.manifest, new Set(indices.map((index) => this.owner(index))), this.maxBytes);
      await this.fetch(indices);
      return this.named(indices, this.decodeLoaded(indices, false));
    });
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
  mask(index) {
    return withParts(async () => {
      const row = this.manifest.entries[this.owner(index)];
      if (row.kind === TENSOR) return null;
      checkLimit(Math.ceil(this.manifest.masks[row.mask].length / 8), this.maxBytes, "a mask");
      await this.fetch([index]);
      const mask = this.decoder.mask(row.mask);
      this.decoder.forget();
      return mask;
    });
  }
}
/**
 * Drops what no further entry needs.
 * @param {Map<number, unknown>} kept by index of a mask or block
 * @param {number} count of masks or blocks
 * @param {Iterable<number>} entries
 * @param {(entry: number) => number} of the mask or block of an entry, or −1
 * @returns {(entry: number) => void} to be called after each entry
 */
function releaser(kept, count, entries, of) {
  // An entry without any counts at −1, where there is nothing.
  const left = new Uint32Array(count);
  for (const entry of entries) left[of(entry)]++;
  return (entry) => {
    if (--left[of(entry)] === 0) kept.delete(of(entry));
  };
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
