/**
 * `zstd(x)` of section 1: one Zstandard frame (RFC 8878) that declares its content size, has no dictionary, and ends
 * where its bytes end. Stricter than decoders usually are, which is why there is one here.
 */

import { PemnError } from "../errors.js";
import { allocate, littleEndian } from "../numbers.js";
import { need, needAll } from "../parts.js";
import { ZstdError, corrupt } from "./bits.js";
import { readLiterals, readTree } from "./huffman.js";
import { runSequences } from "./sequences.js";

const MAX_BLOCK = 1 << 17;

/**
 * @typedef {{contentSize: number, size: number, blockMax: number, checksum: boolean}} FrameHeader
 */

/**
 * @param {Uint8Array} bytes
 * @returns {FrameHeader}
 */
function readHeader(bytes) {
  if (bytes.length < 6) corrupt("end");
  if (littleEndian(bytes, 0, 4) !== 0xfd2fb528) corrupt("magic");
  const descriptor = bytes[4];
  if (descriptor & 8) corrupt("reserved");
  const single = (descriptor & 32) !== 0;
  const idSize = [0, 1, 2, 4][descriptor & 3];
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6];
  if (sizeBytes === 0) corrupt("unsized");
  let at = 5;
  let windowSize = 0;
  if (!single) {
    const unit = 2 ** (10 + (bytes[at] >> 3));
    windowSize = unit + (unit / 8) * (bytes[at++] & 7);
  }
  if (at + idSize + sizeBytes > bytes.length) corrupt("end");
  if (littleEndian(bytes, at, idSize) !== 0) corrupt("dictionary");
  at += idSize;
  const contentSize = littleEndian(bytes, at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  at += sizeBytes;
  if (single) windowSize = contentSize;
  if (windowSize > Math.max(2 ** 27, contentSize)) corrupt("window");
  if (contentSize > bytes.length * 32768) corrupt("size");
  // Before anything is decompressed, so that no work is done twice.
  if (descriptor & 4) needAll(["xxh64"]);
  return { contentSize, size: at, blockMax: Math.min(windowSize, MAX_BLOCK), checksum: (descriptor & 4) !== 0 };
}

/**
 * The literals of a compressed block.
 * @param {Uint8Array} block
 * @param {{tree: import("./huffman.js").HuffmanTable|null}} state
 * @param {number} blockMax
 * @returns {{literals: Uint8Array, size: number}} them, and the bytes that their section took
 */
function readLiteralsSection(block, state, blockMax) {
  const type = block[0] & 3;
  const format = (block[0] >> 2) & 3;
  let regenerated;
  let at;
  let compressed = 0;
  if (type < 2) {
    at = [1, 2, 1, 3][format];
    regenerated = littleEndian(block, 0, at) >> (at === 1 ? 3 : 4);
  } else {
    at = [3, 3, 4, 5][format];
    const width = [10, 10, 14, 18][format];
    const head = littleEndian(block, 0, at);
    regenerated = Math.floor(head / 16) % 2 ** width;
    compressed = Math.floor(head / 2 ** (4 + width));
  }
  if (block.length < at) corrupt("end");
  if (regenerated > blockMax) corrupt("block");
  const size = at + (type === 0 ? regenerated : type === 1 ? 1 : compressed);
  if (size > block.length) corrupt("end");
  if (type === 0) return { literals: block.subarray(at, size), size };
  const literals = new Uint8Array(regenerated);
  if (type === 1) return { literals: literals.fill(block[at]), size };

  if (type === 2) {
    if (compressed === 0) corrupt("tree");
    const tree = readTree(block.subarray(at, size));
    state.tree = tree.table;
    at += tree.size;
  }
  const table = state.tree ?? corrupt("repeat");
  const streams = block.subarray(at, size);
  if (format === 0) {
    readLiterals(table, streams, literals);
    return { literals, size };
  }
  if (streams.length < 6) corrupt("end");
  const part = (regenerated + 3) >> 2;
  if (3 * part > regenerated) corrupt("literals");
  let from = 6;
  for (let i = 0; i < 4; i++) {
    const end = i < 3 ? from + littleEndian(streams, 2 * i, 2) : streams.length;
    if (end > streams.length) corrupt("end");
    readLiterals(table, streams.subarray(from, end), literals.subarray(i * part, i < 3 ? (i + 1) * part : regenerated));
    from = end;
  }
  return { literals, size };
}

/**
 * @param {Uint8Array} bytes
 * @param {FrameHeader} header
 * @returns {Uint8Array}
 */
function readContent(bytes, header) {
  const out = allocate(Uint8Array, header.contentSize);
  const state = { tree: null };
  const tables = { literals: null, offsets: null, matches: null };
  const recent = [1, 4, 8];
  let at = header.size;
  let to = 0;
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) corrupt("end");
    const head = littleEndian(bytes, at, 3);
    at += 3;
    last = (head & 1) === 1;
    const type = (head >> 1) & 3;
    const size = head >> 3;
    if (type === 3) corrupt("reserved");
    if (size > header.blockMax) corrupt("block");
    const end = at + (type === 1 ? 1 : size);
    if (end > bytes.length) corrupt("end");
    const limit = Math.min(to + header.blockMax, out.length);
    if (type !== 2) {
      if (to + size > limit) corrupt("content");
      if (type === 0) out.set(bytes.subarray(at, end), to);
      else out.fill(bytes[at], to, to + size);
      to += size;
    } else {
      if (size === 0) corrupt("block");
      const block = bytes.subarray(at, end);
      const { literals, size: used } = readLiteralsSection(block, state, header.blockMax);
      to = runSequences(block.subarray(used), literals, out, to, limit, tables, recent);
    }
    at = end;
  }
  if (to !== out.length) corrupt("content");
  if (header.checksum) {
    if (at + 4 > bytes.length) corrupt("end");
    if (littleEndian(bytes, at, 4) !== need("xxh64").xxh64Low(out)) corrupt("checksum");
    at += 4;
  }
  if (at !== bytes.length) corrupt("after");
  return out;
}

/**
 * The content of a frame.
 * @param {Uint8Array} bytes the frame, and nothing else
 * @param {number} size that it must declare; compared before anything is decompressed
 * @param {{orLess?: boolean, kind?: import("../errors.js").ErrorKind}} [options] `kind`: class of all errors
 * @returns {Uint8Array}
 */
export function decompress(bytes, size, { orLess = false, kind = "payload" } = {}) {
  try {
    const header = readHeader(bytes);
    if (header.contentSize > size || (!orLess && header.contentSize < size)) corrupt("size");
    return readContent(bytes, header);
  } catch (error) {
    if (error instanceof ZstdError) throw new PemnError(kind, `zstd-${error.code}`);
    throw error;
  }
}
