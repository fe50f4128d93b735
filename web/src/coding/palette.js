/** Palettes: block coder 3 (section 6). */

import { allocate } from "../numbers.js";
import { decompress } from "../zstd/frame.js";
import { BitNumbers, endsClean } from "./bits.js";

/**
 * @param {Uint8Array} values
 * @param {number} at of an element
 * @param {number} size
 * @returns {boolean} the element is above the one before
 */
function aboveBefore(values, at, size) {
  for (let j = size - 1; j >= 0; j--) {
    if (values[at + j] !== values[at - size + j]) return values[at + j] > values[at - size + j];
  }
  return false;
}

/**
 * @param {import("../numbers.js").Reader} reader
 * @param {number} count elements
 * @param {number} size bytes of an element
 * @returns {Uint8Array}
 */
export function readPalette(reader, count, size) {
  const colours = reader.u16() + 1;
  const values = reader.take(colours * size);
  for (let at = size; at < values.length; at += size) {
    if (!aboveBefore(values, at, size)) reader.fail("palette");
  }
  const out = allocate(Uint8Array, count * size);
  /** @type {(i: number) => number} */
  let indexOf = () => 0;
  if (colours > 1) {
    const method = reader.u8();
    const width = 32 - Math.clz32(colours - 1);
    const packed = Math.ceil((count * width) / 8);
    if (method > 2) reader.fail("unknown", "method of a palette");
    if (method < 2) {
      const bytes = method ? decompress(reader.rest(), packed) : reader.exactly(packed);
      indexOf = packedIndices(bytes, count * width, width, reader);
    } else {
      const wide = colours > 256;
      const bytes = decompress(reader.rest(), count * (wide ? 2 : 1));
      indexOf = wide ? (i) => bytes[2 * i] | (bytes[2 * i + 1] << 8) : (i) => bytes[i];
    }
  }
  if (reader.left > 0) reader.fail("block-left");
  for (let i = 0, to = 0; i < count; i++) {
    const index = indexOf(i);
    if (index >= colours) reader.fail("range", "index of a palette");
    for (let from = index * size, end = from + size; from < end; ) out[to++] = values[from++];
  }
  return out;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} bits that are used
 * @param {number} width
 * @param {import("../numbers.js").Reader} reader for errors
 * @returns {() => number}
 */
function packedIndices(bytes, bits, width, reader) {
  if (!endsClean(bytes, bits)) reader.fail("unused-bits");
  const numbers = new BitNumbers(bytes, width);
  return () => numbers.next();
}
