/** Layers of section 7: masks and values to the bytes of a tensor. */

import { dtypeOf } from "../dtypes.js";
import { PemnError } from "../errors.js";
import { allocate } from "../numbers.js";
import { bitsOf } from "./masks.js";

/**
 * @typedef {import("./masks.js").Mask} Mask
 * @typedef {import("../manifest/tables.js").Tiling} Tiling
 * @typedef {Uint8Array|Uint16Array|Uint32Array} Words elements as integers; those of 8 bytes are two
 */

/**
 * Bytes as words. A copy is made where they are not aligned.
 * @param {Uint8Array} bytes
 * @param {number} size bytes of an element
 * @returns {Words}
 */
function wordsOf(bytes, size) {
  if (size === 1) return bytes;
  const type = size === 2 ? Uint16Array : Uint32Array;
  const whole = bytes.byteOffset % type.BYTES_PER_ELEMENT ? bytes.slice() : bytes;
  return new type(/** @type {ArrayBuffer} */ (whole.buffer), whole.byteOffset, whole.length / type.BYTES_PER_ELEMENT);
}

/** @param {Words} words @returns {Uint8Array} */
const bytesOf = (words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** @param {number} size @param {number} elements @returns {Words} zeros */
function makeWords(size, elements) {
  if (size === 1) return allocate(Uint8Array, elements);
  if (size === 2) return allocate(Uint16Array, elements);
  return allocate(Uint32Array, elements * (size / 4));
}

/**
 * Values at the one bits of a mask, all-zero bits elsewhere: kept layers, and partial prototypes.
 * @param {Mask} mask
 * @param {Uint8Array} values as many elements as the mask has ones
 * @param {number} size bytes of an element
 * @returns {Uint8Array} of its own memory
 */
export function scatter(mask, values, size) {
  if (!mask.bits && mask.ones > 0) return values.slice();
  const out = makeWords(size, mask.length);
  if (!mask.bits) return bytesOf(out);
  const from = wordsOf(values, size);
  const { bits } = mask;
  const per = size === 8 ? 2 : 1;
  let next = 0;
  for (let i = 0, to = 0; i < bits.length; i++, to += 8 * per) {
    for (let byte = bits[i]; byte; byte &= byte - 1) {
      const at = to + (31 - Math.clz32(byte & -byte)) * per;
      out[at] = from[next++];
      if (per === 2) out[at + 1] = from[next++];
    }
  }
  return bytesOf(out);
}

/**
 * The elements at the one bits of a mask.
 * @param {Mask} mask
 * @param {Uint8Array} elements as many as the mask has bits
 * @param {number} size bytes of an element
 * @returns {Uint8Array}
 */
export function gather(mask, elements, size) {
  if (!mask.bits) return mask.ones > 0 ? elements : elements.subarray(0, 0);
  const out = allocate(Uint8Array, mask.ones * size);
  let to = 0;
  for (let i = 0; i < mask.length; i++) {
    if (!((mask.bits[Math.floor(i / 8)] >> i % 8) & 1)) continue;
    for (let j = i * size; j < (i + 1) * size; j++) out[to++] = elements[j];
  }
  return out;
}

/** @param {Mask} mask @returns {Uint8Array} a byte of 0 or 1 for each bit */
export function boolsOf(mask) {
  const out = allocate(Uint8Array, mask.length);
  if (!mask.bits) return mask.ones > 0 ? out.fill(1) : out;
  for (let i = 0, to = 0; to < out.length; i++) {
    for (let byte = mask.bits[i], k = 0; k < 8 && to < out.length; k++, byte >>= 1) out[to++] = byte & 1;
  }
  return out;
}

/**
 * A prototype times a scale (section 7).
 * @param {Uint8Array} prototype float32
 * @param {number} scale
 * @returns {Uint8Array}
 */
function scaled(prototype, scale) {
  const words = wordsOf(prototype, 4);
  const values = new Float32Array(words.buffer, words.byteOffset, words.length);
  const out = allocate(Float32Array, values.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = values[i] * scale;
    // An infinite or NaN value has no finite product with a scale above 0.
    if (!Number.isFinite(out[i])) throw new PemnError("payload", "scaled-infinite");
  }
  return new Uint8Array(out.buffer);
}

/** @param {Words} words @param {number} per @param {number} element @returns {boolean} all-zero bits */
const isZero = (words, per, element) => words[element * per] === 0 && (per === 1 || words[element * per + 1] === 0);

/**
 * The values of a prototype for zero bits that stand for negated (or, without a sign, for zero).
 * @param {Words} words
 * @param {number} size
 * @param {boolean} negated
 * @returns {Words}
 */
function zeroValues(words, size, negated) {
  const per = size === 8 ? 2 : 1;
  const out = makeWords(size, words.length / per);
  if (!negated) return out;
  const sign = size === 1 ? 0x80 : size === 2 ? 0x8000 : 0x80000000;
  out.set(words);
  for (let i = per - 1; i < words.length; i += per) if (!isZero(words, per, (i - per + 1) / per)) out[i] ^= sign;
  return out;
}

/**
 * A tiled layer without idle positions: a bit for every element, eight at a time.
 * @param {Words} out
 * @param {Uint8Array} bits
 * @param {Words} a values of one bits, one word each
 * @param {Words|null} b values of zero bits; none: all-zero bits
 * @param {number} phase
 */
function fillWhole(out, bits, a, b, phase) {
  const length = a.length;
  // The prototype goes on for eight words past a length of at least 64, so no index wraps among the eight of a byte.
  const period = length * Math.ceil(64 / length);
  const type = /** @type {new (length: number) => Words} */ (a.constructor);
  /** @param {Words} words */
  const extend = (words) => {
    const long = allocate(type, period + 8);
    for (let to = 0; to < period; to += length) long.set(words, to);
    for (let i = 0; i < 8; i++) long[period + i] = long[i];
    return long;
  };
  const ones = extend(a);
  // What a zero bit takes away: where b differs, or all of the value. Past the end of `out` nothing is stored.
  const flips = b ? extend(b).map((value, i) => value ^ ones[i]) : ones;
  for (let i = 0, at = phase, to = 0; to < out.length; i++) {
    const byte = ~bits[i];
    out[to] = ones[at] ^ (flips[at] & -(byte & 1));
    out[to + 1] = ones[at + 1] ^ (flips[at + 1] & -((byte >> 1) & 1));
    out[to + 2] = ones[at + 2] ^ (flips[at + 2] & -((byte >> 2) & 1));
    out[to + 3] = ones[at + 3] ^ (flips[at + 3] & -((byte >> 3) & 1));
    out[to + 4] = ones[at + 4] ^ (flips[at + 4] & -((byte >> 4) & 1));
    out[to + 5] = ones[at + 5] ^ (flips[at + 5] & -((byte >> 5) & 1));
    out[to + 6] = ones[at + 6] ^ (flips[at + 6] & -((byte >> 6) & 1));
    out[to + 7] = ones[at + 7] ^ (flips[at + 7] & -((byte >> 7) & 1));
    to += 8;
    at += 8;
    if (at >= period) at -= period;
  }
}

/**
 * Any tiled layer, element by element.
 * @param {Words} out
 * @param {Mask} mask
 * @param {{words: Words, phase: number}} one
 * @param {{words: Words, phase: number}} zero
 * @param {number} per words of an element
 */
function fillSlowly(out, mask, one, zero, per) {
  const elements = out.length / per;
  const [a, b] = [one.words, zero.words];
  const bits = bitsOf(mask);
  let i = one.phase * per;
  let j = zero.phase * per;
  let next = 0;
  for (let to = 0; to < elements * per; to += per) {
    const idle = a[i] === b[j] && (per === 1 || a[i + 1] === b[j + 1]);
    let useA = idle;
    if (!idle) {
      if (next === mask.length) throw new PemnError("payload", "bits-few");
      useA = ((bits[Math.floor(next / 8)] >> next % 8) & 1) === 1;
      next++;
    }
    out[to] = useA ? a[i] : b[j];
    if (per === 2) out[to + 1] = useA ? a[i + 1] : b[j + 1];
    if ((i += per) === a.length) i = 0;
    if ((j += per) === b.length) j = 0;
  }
  if (next !== mask.length) throw new PemnError("payload", "bits-many");
}

/**
 * A tiled layer.
 * @param {import("../manifest/tables.js").EntryRow} row
 * @param {Mask} mask
 * @param {Uint8Array} prototype
 * @param {Uint8Array} [second]
 * @returns {Uint8Array} of its own memory
 */
export function tile(row, mask, prototype, second) {
  const { size } = dtypeOf(row.dtype);
  const per = size === 8 ? 2 : 1;
  const { phase, secondPhase, zero, scale, scaled: isScaled } = /** @type {Tiling} */ (row.tiling);
  const a = wordsOf(isScaled ? scaled(prototype, scale) : prototype, size);
  const out = makeWords(size, row.elements);
  if (second) {
    const b = wordsOf(isScaled ? scaled(second, scale) : second, size);
    fillSlowly(out, mask, { words: a, phase }, { words: b, phase: secondPhase }, per);
    return bytesOf(out);
  }
  const plain = per === 1 && mask.length === row.elements && !a.includes(0);
  if (plain) {
    fillWhole(out, bitsOf(mask), a, zero === 1 ? zeroValues(a, size, true) : null, phase);
  } else {
    const b = zeroValues(a, size, zero === 1);
    fillSlowly(out, mask, { words: a, phase }, { words: b, phase }, per);
  }
  return bytesOf(out);
}
