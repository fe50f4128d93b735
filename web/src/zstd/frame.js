/**
 * `zstd(x)` of section 1: one Zstandard frame (RFC 8878) that declares its content size, has no dictionary, and ends
 * where its bytes end. Stricter than decoders usually are, which is why there is one here.
 */

import { xxh64Low } from "../checksums.js";
import { PemnError } from "../errors.js";
import { allocate } from "../numbers.js";
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
  if (bytes.length < 6) corrupt("a frame ends too early");
  if (bytes[0] !== 0x28 || bytes[1] !== 0xb5 || bytes[2] !== 0x2f || bytes[3] !== 0xfd) corrupt("not a Zstandard frame");
  const descriptor = bytes[4];
  if (descriptor & 8) corrupt("a reserved bit is set");
  const single = (descriptor & 32) !== 0;
  const idSize = [0, 1, 2, 4][descriptor & 3];
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6];
  if (sizeBytes === 0) corrupt("a frame does not declare its content size");
  let at = 5;
  let windowSize = 0;
  if (!single) {
    const unit = 2 ** (10 + (bytes[at] >> 3));
    windowSize = unit + (unit / 8) * (bytes[at++] & 7);
  }
  if (at + idSize + sizeBytes > bytes.length) corrupt("a frame ends too early");
  for (const end = at + idSize; at < end; at++) if (bytes[at] !== 0) corrupt("a frame needs a dictionary");
  let contentSize = sizeBytes === 2 ? 256 : 0;
  for (let i = 0; i < sizeBytes; i++) contentSize += bytes[at++] * 2 ** (8 * i);
  if (single) windowSize = contentSize;
  if (windowSize > Math.max(2 ** 27, contentSize)) corrupt("the window of a frame is too large");
  if (contentSize > bytes.length * 32768) corrupt("a frame declares more than it can hold");
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
    regenerated = (block[0] | (block[1] << 8) | (block[2] << 16)) & (2 ** (8 * at) - 1);
    regenerated >>= at === 1 ? 3 : 4;
  } else {
    at = [3, 3, 4, 5][format];
    const width = [10, 10, 14, 18][format];
    let head = 0;
    for (let i = 0; i < at; i++) head += block[i] * 2 ** (8 * i);
    regenerated = Math.floor(head / 16) % 2 ** width;
    compressed = Math.floor(head / 2 ** (4 + width));
  }
  if (block.length < at) corrupt("a block ends too early");
  if (regenerated > blockMax) corrupt("a block has too many literals");
  const size = at + (type === 0 ? regenerated : type === 1 ? 1 : compressed);
  if (size > block.length) corrupt("a block ends too early");
  if (type === 0) return { literals: block.subarray(at, size), size };
  const literals = new Uint8Array(regenerated);
  if (type === 1) return { literals: literals.fill(block[at]), size };

  if (type === 2) {
    if (compressed === 0) corrupt("a block has no tree");
    const tree = readTree(block.subarray(at, size));
    state.tree = tree.table;
    at += tree.size;
  }
  const table = state.tree ?? corrupt("the tree of before is missing");
  const streams = block.subarray(at, size);
  if (format === 0) {
    readLiterals(table, streams, literals);
    return { literals, size };
  }
  if (streams.length < 6) corrupt("a block ends too early");
  const part = (regenerated + 3) >> 2;
  if (3 * part > regenerated) corrupt("four streams have too few literals");
  let from = 6;
  for (let i = 0; i < 4; i++) {
    const end = i < 3 ? from + (streams[2 * i] | (streams[2 * i + 1] << 8)) : streams.length;
    if (end > streams.length) corrupt("a block ends too early");
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
    if (at + 3 > bytes.length) corrupt("a frame ends too early");
    const head = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    at += 3;
    last = (head & 1) === 1;
    const type = (head >> 1) & 3;
    const size = head >> 3;
    if (type === 3) corrupt("a block has a reserved type");
    if (size > header.blockMax) corrupt("a block is too long");
    const end = at + (type === 1 ? 1 : size);
    if (end > bytes.length) corrupt("a frame ends too early");
    const limit = Math.min(to + header.blockMax, out.length);
    if (type !== 2) {
      if (to + size > limit) corrupt("a frame holds more than it declares");
      if (type === 0) out.set(bytes.subarray(at, end), to);
      else out.fill(bytes[at], to, to + size);
      to += size;
    } else {
      if (size === 0) corrupt("a block is empty");
      const block = bytes.subarray(at, end);
      const { literals, size: used } = readLiteralsSection(block, state, header.blockMax);
      to = runSequences(block.subarray(used), literals, out, to, limit, tables, recent);
    }
    at = end;
  }
  if (to !== out.length) corrupt("a frame holds less than it declares");
  if (header.checksum) {
    if (at + 4 > bytes.length) corrupt("a frame ends too early");
    const stored = (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
    if (stored !== xxh64Low(out)) corrupt("the checksum of a frame does not agree");
    at += 4;
  }
  if (at !== bytes.length) corrupt("a frame is followed by other bytes");
  return out;
}

/**
 * The content of a frame.
 * @param {Uint8Array} bytes the frame, and nothing else
 * @param {{exactly?: number, atMost?: number}} expected content size; compared before anything is decompressed
 * @param {import("../errors.js").ErrorKind} kind class of all errors
 * @returns {Uint8Array}
 */
export function decompress(bytes, expected, kind) {
  try {
    const header = readHeader(bytes);
    const { exactly, atMost } = expected;
    if (exactly !== undefined && header.contentSize !== exactly) corrupt("a frame declares another size");
    if (atMost !== undefined && header.contentSize > atMost) corrupt("a frame declares too much");
    return readContent(bytes, header);
  } catch (error) {
    if (error instanceof ZstdError) throw new PemnError(kind, error.message);
    throw error;
  }
}
