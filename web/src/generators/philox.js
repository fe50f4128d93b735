/** Philox4x32-10 and the distributions of generator 1 (sections 8.1 to 8.3), and arranged values (8.7). */

import { PemnError } from "../errors.js";
import { allocate } from "../numbers.js";
import { normalTable } from "./normal.js";

/** @typedef {[number, number]} Word64 low and high 32 bits */
/** @typedef {import("../manifest/tables.js").GeneratorRow} GeneratorRow */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high 32 bits of a product. @param {number} a @param {number} b @returns {number} */
function high(a, b) {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  // Each sum is below 2^33, so doubles hold it exactly.
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle % 65536);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(other / 65536)) >>> 0;
}

/**
 * The words x(0) … x(count − 1) of section 8.1.
 * @param {Word64} seed
 * @param {Word64} stream
 * @param {number} count
 * @returns {Uint32Array}
 */
export function philox(seed, stream, count) {
  const out = allocate(Uint32Array, count);
  for (let i = 0; i < count; i += 4) {
    const block = i / 4;
    let c0 = block >>> 0;
    let c1 = Math.floor(block / 2 ** 32);
    let c2 = stream[0];
    let c3 = stream[1];
    let k0 = seed[0];
    let k1 = seed[1];
    for (let round = 0; round < 10; round++) {
      const h0 = high(M0, c0);
      const h1 = high(M1, c2);
      const l0 = Math.imul(M0, c0) >>> 0;
      const l1 = Math.imul(M1, c2) >>> 0;
      c0 = (h1 ^ c1 ^ k0) >>> 0;
      c1 = l1;
      c2 = (h0 ^ c3 ^ k1) >>> 0;
      c3 = l0;
      k0 = (k0 + W0) >>> 0;
      k1 = (k1 + W1) >>> 0;
    }
    out[i] = c0;
    // What is past the end of a typed array is not stored.
    out[i + 1] = c1;
    out[i + 2] = c2;
    out[i + 3] = c3;
  }
  return out;
}

/**
 * The numbers 0 … n − 1 sorted by their words, equal words by number (8.7): a radix sort, which is stable.
 * @param {Uint32Array} words
 * @returns {Uint32Array}
 */
function order(words) {
  let from = allocate(Uint32Array, words.length);
  let to = allocate(Uint32Array, words.length);
  for (let i = 0; i < from.length; i++) from[i] = i;
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(65537);
    for (let i = 0; i < words.length; i++) starts[((words[i] >>> shift) & 0xffff) + 1]++;
    for (let i = 0; i < 65536; i++) starts[i + 1] += starts[i];
    for (let i = 0; i < from.length; i++) to[starts[(words[from[i]] >>> shift) & 0xffff]++] = from[i];
    [from, to] = [to, from];
  }
  return from;
}

/** @param {Word64} stream @param {number} bits of the high word @returns {Word64} */
const other = (stream, bits) => [stream[0], (stream[1] ^ bits) >>> 0];

/**
 * Steps 2 and 3 of section 8.7.
 * @param {Uint32Array} values of one period, patches applied
 * @param {GeneratorRow} row
 * @returns {Uint32Array}
 */
export function arrange(values, { seed, stream, length, period, zeros }) {
  if (zeros > 0) {
    const first = order(philox(seed, other(stream, 0x80000000), period));
    for (let i = 0; i < zeros; i++) values[first[i]] = 0;
  }
  if (length === period) return values;
  const places = order(philox(seed, other(stream, 0x40000000), length));
  const out = allocate(Uint32Array, length);
  for (let i = 0; i < length; i++) out[i] = values[places[i] % period];
  return out;
}

/**
 * Elements before patches, `period` of them.
 * @param {GeneratorRow} row
 * @returns {Float32Array}
 */
export function philoxElements({ distribution, seed, stream, scale, period }) {
  const words = philox(seed, stream, period);
  const out = allocate(Float32Array, period);
  if (distribution === 1) {
    for (let i = 0; i < period; i++) out[i] = words[i] >>> 31 ? -scale : scale;
    return out;
  }
  if (distribution === 2) {
    // A product of two binary32 numbers is exact in binary64; storing it rounds once.
    for (let i = 0; i < period; i++) out[i] = (2 * (words[i] >>> 8) + 1 - 2 ** 24) * 2 ** -24 * scale;
  } else {
    const table = normalTable();
    for (let i = 0; i < period; i++) {
      const t = (2 * (words[i] & 0x7fffffff) + 1) >>> 0;
      const e = Math.clz32(t);
      const y = (t << e) >>> 0;
      const j = 32 * (31 - e) + ((y >>> 26) & 31);
      // Exact: neighbours in the table differ by less than 2^23, and f is below 2^26.
      const z = table[j] - Math.floor(((table[j] - table[j + 1]) * (y & 0x3ffffff)) / 2 ** 26);
      const element = Math.fround(z) * 2 ** -28 * scale;
      out[i] = words[i] >>> 31 ? -element : element;
    }
  }
  if (out.some((value) => !Number.isFinite(value))) throw new PemnError("payload", "infinite");
  return out;
}
