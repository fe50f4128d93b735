/** Masks and blocks in chunks (5.5 and 6.3), each of which is coded by itself. */

import { FLIPS, XOR } from "../manifest/tables.js";
import { allocate, Reader } from "../numbers.js";
import { readElements } from "./blocks.js";
import { bitsOf, checkedMask, readMask } from "./masks.js";

/**
 * @typedef {{coder: number, length: number, ones: number, start: number, reader: Reader}} Chunk `start`: of its first bit or
 *   element, `reader`: of its payload
 */

/**
 * The chunks, once their table has been checked.
 * @param {Reader} reader of the payload
 * @param {number} length bits or elements of all
 * @param {number} coders the coder of a chunk is below
 * @param {number|null} ones of a mask
 * @returns {Chunk[]}
 */
function readChunks(reader, length, coders, ones) {
  const k = reader.u8();
  const unit = 2 ** k;
  const count = Math.ceil(length / unit);
  // Every chunk takes a byte of each column: nothing is made for those that cannot be there.
  if (k < 3 || k > 40 || count < 2 || count > 65536 || count > reader.left) reader.fail("range", "number of chunks");
  const chunks = Array.from({ length: count }, (_, i) => {
    const coder = reader.u8();
    if (coder >= coders) reader.fail("unknown", "coder of a chunk");
    return { coder, length: Math.min(unit, length - i * unit), ones: 0, start: i * unit };
  });
  if (ones !== null) {
    let left = ones;
    for (const chunk of chunks) {
      chunk.ones = reader.u();
      if (chunk.ones > chunk.length) reader.fail("mask-ones");
      left -= chunk.ones;
    }
    if (left !== 0) reader.fail("ones");
  }
  const sizes = chunks.map(() => reader.u());
  if (sizes.reduce((sum, size) => sum + size, 0) !== reader.left) reader.fail("chunk-sizes");
  return chunks.map((chunk, i) => ({ ...chunk, reader: new Reader(reader.take(sizes[i]), reader.kind) }));
}

/**
 * A mask of coder 9.
 * @param {import("../manifest/tables.js").MaskRow} row
 * @param {Reader} reader of its payload
 * @returns {import("./masks.js").Mask}
 */
export function readMaskChunks({ length, ones }, reader) {
  const chunks = readChunks(reader, length, FLIPS, ones);
  const bits = allocate(Uint8Array, Math.ceil(length / 8));
  for (const chunk of chunks) {
    bits.set(bitsOf(readMask(chunk.coder, chunk.length, chunk.ones, chunk.reader)), chunk.start / 8);
  }
  return checkedMask(bits, length, ones, reader);
}

/**
 * A block of coder 7.
 * @param {number} count elements
 * @param {number} size bytes of one
 * @param {Reader} reader of its payload
 * @returns {Uint8Array}
 */
export function readBlockChunks(count, size, reader) {
  const chunks = readChunks(reader, count, XOR, null);
  const elements = allocate(Uint8Array, count * size);
  for (const chunk of chunks) {
    elements.set(readElements(chunk.coder, chunk.length, size, chunk.reader), chunk.start * size);
  }
  return elements;
}
