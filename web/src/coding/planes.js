/** Planes of bytes: block coders 2, 4 and 5 (sections 6 and 6.1). */

import { allocate, Reader } from "../numbers.js";
import { decompress } from "../zstd/frame.js";
import { readRans } from "./rans.js";

/**
 * Rotate all elements right by one bit, in place.
 * @param {Uint8Array} elements
 * @param {number} size bytes of an element
 */
function rotateRight(elements, size) {
  for (let at = 0; at < elements.length; at += size) {
    const lowest = elements[at] & 1;
    for (let j = 0; j < size; j++) {
      const above = j + 1 < size ? elements[at + j + 1] : lowest;
      elements[at + j] = (elements[at + j] >> 1) | ((above & 1) << 7);
    }
  }
}

/**
 * Coders 2 and 4.
 * @param {Reader} reader
 * @param {number} count elements
 * @param {number} size bytes of an element
 * @param {boolean} rotated
 * @returns {Uint8Array}
 */
export function readPlanes(reader, count, size, rotated) {
  const out = allocate(Uint8Array, count * size);
  for (let j = 0; j < size; j++) {
    const method = reader.u8();
    if (method > 2) reader.fail("unknown", "method of a plane");
    if (method === 2) {
      const value = reader.u8();
      for (let i = j; i < out.length; i += size) out[i] = value;
      continue;
    }
    const plane = method === 0 ? reader.take(count) : decompress(reader.take(reader.u()), count);
    for (let i = 0, to = j; i < count; i++, to += size) out[to] = plane[i];
  }
  if (reader.left > 0) reader.fail("block-left");
  if (rotated) rotateRight(out, size);
  return out;
}

/** Frequencies of a table of 6.1. @param {Reader} reader @returns {Uint32Array} */
function readTable(reader) {
  const log = reader.u8();
  const first = reader.u8();
  const bins = reader.u8() + 1;
  if (log > 7 || (first + bins) * 2 ** log > 256) reader.fail("range", "table");
  const weights = [];
  for (let i = 0; i < bins; i++) {
    const weight = reader.u();
    if (weight >= 2 ** 24) reader.fail("range", "weight");
    weights.push(weight);
  }
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum === 0) reader.fail("weights");
  const frequencies = new Uint32Array(256).fill(1);
  weights.forEach((weight, i) => {
    // Exact: the product is below 2^40, and the quotient of integers below 2^53 never rounds up to the next one.
    const share = Math.floor((weight * 65280) / (sum * 2 ** log));
    const start = (first + i) << log;
    for (let v = start; v < start + (1 << log); v++) frequencies[v] += share;
  });
  const greatest = weights.indexOf(weights.reduce((a, b) => Math.max(a, b), 0));
  frequencies[(first + greatest) << log] += 65536 - frequencies.reduce((a, b) => a + b, 0);
  return frequencies;
}

/** A byte string of 6.1. @param {Reader} reader @param {number} count @returns {Uint8Array} */
function readString(reader, count) {
  const method = reader.u8();
  if (method === 0) return reader.take(count);
  if (method === 1) return allocate(Uint8Array, count).fill(reader.u8());
  if (method > 2) reader.fail("unknown", "method of a byte string");
  const frequencies = readTable(reader);
  return readRans(new Reader(reader.take(reader.u()), "payload"), count, frequencies);
}

/**
 * Coder 5.
 * @param {Reader} reader
 * @param {number} count elements
 * @param {number} size bytes of an element
 * @returns {Uint8Array}
 */
export function readGrouped(reader, count, size) {
  if (count < 1) reader.fail("grouped");
  const top = readString(reader, count);
  const out = allocate(Uint8Array, count * size);
  for (let i = 0, to = size - 1; i < count; i++, to += size) out[to] = top[i];
  if (size >= 2) {
    const counts = new Float64Array(256);
    for (let i = 0; i < count; i++) counts[top[i]]++;
    /** @type {(Uint8Array|undefined)[]} */
    const groups = Array.from(counts, (members) => (members ? readString(reader, members) : undefined));
    const next = new Float64Array(256);
    for (let i = 0, to = size - 2; i < count; i++, to += size) {
      const group = /** @type {Uint8Array} */ (groups[top[i]]);
      out[to] = group[next[top[i]]++];
    }
  }
  for (let j = size - 3; j >= 0; j--) {
    const plane = readString(reader, count);
    for (let i = 0, to = j; i < count; i++, to += size) out[to] = plane[i];
  }
  if (reader.left > 0) reader.fail("block-left");
  rotateRight(out, size);
  return out;
}
