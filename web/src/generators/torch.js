/** Distributions of PyTorch's CPU generator (sections 8.8 and 8.9) upon the draws of a seed. */

import { PemnError } from "../errors.js";
import { allocate } from "../numbers.js";
import { fma, fromPattern, toPattern, unfused } from "./binary32.js";
import { draws } from "./draws.js";
import { cosine, ln, sine, turn } from "./library.js";

const { fround, sqrt, trunc } = Math;

export { draws };

/** @typedef {(a: number, b: number, c: number) => number} MultiplyAdd */
/** Two numbers of a pair of V. @typedef {(v: number, w: number, out: Float64Array, j: number) => void} Pair */

const P = [
  0x3d9021bb, 0xbdebd1b8, 0x3def251a, 0xbdfe5d4f, 0x3e11e9bf, 0xbe2aae50, 0x3e4cceac, 0xbe7ffffc, 0x3eaaaaaa,
].map(fromPattern);
const SQRT_HALF = fromPattern(0x3f3504f3);
const LN2_LOW = fromPattern(0xb95e8083);
const LN2_HIGH = fromPattern(0x3f318000);
const TWO_PI = fromPattern(0x40c90fdb);
const FOUR_OVER_PI = fromPattern(0x3fa2f983);
const [A1, A2, A3] = [0xbf490000, 0xb97da000, 0xb3222169].map(fromPattern);
const [C1, C2, C3] = [0x37ccf5ce, 0xbab6061a, 0x3d2aaaa5].map(fromPattern);
const [S1, S2, S3] = [0xb94ca1f9, 0x3c08839e, 0xbe2aaaa3].map(fromPattern);

/** @param {number} x 2^−24 … 1 @param {MultiplyAdd} add @returns {number} */
function log(x, add) {
  const pattern = toPattern(x);
  let e = (pattern >>> 23) - 126;
  const m = fromPattern((pattern & 0x7fffff) | 0x3f000000);
  let f = m - 1;
  if (m < SQRT_HALF) {
    e -= 1;
    f = fround(f + m);
  }
  const z = fround(f * f);
  let p = P[0];
  for (let i = 1; i < 9; i++) p = add(p, f, P[i]);
  p = fround(p * f);
  p = add(p, z, fround(e * LN2_LOW));
  p = fround(p - fround(z * 0.5));
  return add(e, LN2_HIGH, fround(f + p));
}

/** @param {MultiplyAdd} add @returns {Pair} of 8.8, or of distribution 5 of 8.9 */
function vectorPair(add) {
  return (v, w, out, j) => {
    const r = fround(sqrt(fround(-2 * log(1 - v, add))));
    const t = fround(TWO_PI * w);
    const q = trunc(fround(t * FOUR_OVER_PI));
    const n = q + (q & 1);
    let a = add(n, A1, t);
    a = add(n, A2, a);
    a = add(n, A3, a);
    const z = fround(a * a);
    let c = fround(add(add(C1, z, C2), z, C3) * z);
    c = fround(add(c, z, -fround(z * 0.5)) + 1);
    let s = fround(add(add(S1, z, S2), z, S3) * z);
    s = add(s, a, a);
    const [sin, cos] = n & 2 ? [c, s] : [s, c];
    const octant = n & 7;
    out[j] = fround(r * (octant === 2 || octant === 4 ? -cos : cos));
    out[j + 8] = fround(r * (octant === 4 || octant === 6 ? -sin : sin));
  };
}

/** Distribution 4 of 8.9. @type {Pair} */
function libraryPair(v, w, out, j) {
  const r = fround(sqrt(fround(-2 * ln(1 - v))));
  const t = turn(w);
  out[j] = fround(r * cosine(t));
  out[j + 8] = fround(r * sine(t));
}

/**
 * The normal of 8.8: all sixteens, and the last one made again.
 * @param {Uint32Array} x draws of the seed
 * @param {number} offset
 * @param {number} length at least 16
 * @param {Pair} pair
 * @param {(number: number) => number} finish
 * @returns {Float32Array}
 */
function sixteens(x, offset, length, pair, finish) {
  const out = allocate(Float32Array, length);
  const numbers = new Float64Array(16);
  /** @param {number} from first draw @param {number} to first element */
  const make = (from, to) => {
    for (let j = 0; j < 8; j++) {
      pair((x[from + j] & 0xffffff) * 2 ** -24, (x[from + j + 8] & 0xffffff) * 2 ** -24, numbers, j);
    }
    for (let j = 0; j < 16; j++) out[to + j] = finish(numbers[j]);
  };
  const whole = length - (length % 16);
  for (let i = 0; i < whole; i += 16) make(offset + i, i);
  if (whole < length) make(offset + length, length - 16);
  return out;
}

/** @param {number} value @param {number} scale */
const signed = (value, scale) => (value > 0 ? scale : value < 0 ? -scale : 0);

/**
 * Elements before patches.
 * @param {import("../manifest/tables.js").GeneratorRow} row of generator 3 or 4
 * @param {Uint32Array} x draws of its seed, at least offset + length + 16
 * @returns {Float32Array}
 */
export function torchElements({ generator, distribution, offset, length, scale, low }, x) {
  /** @param {(u: number) => number} element @returns {Float32Array} */
  const each = (element) => {
    const out = allocate(Float32Array, length);
    for (let i = 0; i < length; i++) out[i] = element(x[offset + i] & 0xffffff);
    return out;
  };
  /** @param {number} number */
  const times = (number) => fma(number, scale, 0);
  /** @returns {Float32Array} */
  const make = () => {
    if (distribution === 1) return each((k) => fma(k * 2 ** -24, scale, low));
    if (generator === 3) {
      if (distribution === 2) return sixteens(x, offset, length, vectorPair(fma), times);
      if (distribution === 3) return each((k) => signed(k - 2 ** 23, scale));
      return sixteens(x, offset, length, vectorPair(fma), (number) => signed(number, scale));
    }
    // A sum of 0 is +0.0: the product, too, where both are −0.0.
    if (distribution === 2) return each((k) => unfused(k * 2 ** -24, scale, low) || 0);
    if (distribution === 3) return sixteens(x, offset, length, vectorPair(fma), times);
    return sixteens(x, offset, length, distribution === 4 ? libraryPair : vectorPair(unfused), times);
  };
  const out = make();
  if (out.some((value) => !Number.isFinite(value))) throw new PemnError("payload", "infinite");
  return out;
}
