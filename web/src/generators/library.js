/** The functions of the C library of section 8.9, in binary64, each operation by itself. */

import { fromDigits, fromPattern, toPattern } from "./binary32.js";

const { floor, fround } = Math;

/** a and b of every row. */
const ROWS = [
  ["3FF661EC79F8F3BE", "BFD57BF7808CAADE"],
  ["3FF571ED4AAF883D", "BFD2BEF0A7C06DDB"],
  ["3FF49539F0F010B0", "BFD01EAE7F513A67"],
  ["3FF3C995B0B80385", "BFCB31D8A68224E9"],
  ["3FF30D190C8864A5", "BFC6574F0AC07758"],
  ["3FF25E227B0B8EA0", "BFC1AA2BC79C8100"],
  ["3FF1BB4A4A1A343F", "BFBA4E76CE8C0E5E"],
  ["3FF12358F08AE5BA", "BFB1973C5A611CCC"],
  ["3FF0953F419900A7", "BFA252F438E10C1E"],
  ["3FF0000000000000", "0000000000000000"],
  ["3FEE608CFD9A47AC", "3FAAA5AA5DF25984"],
  ["3FECA4B31F026AA0", "3FBC5E53AA362EB4"],
  ["3FEB2036576AFCE6", "3FC526E57720DB08"],
  ["3FE9C2D163A1AA2D", "3FCBC2860D224770"],
  ["3FE886E6037841ED", "3FD1058BC8A07EE1"],
  ["3FE767DCF5534862", "3FD4043057B6EE09"],
].map((row) => row.map(fromDigits));

const LN2 = fromDigits("3FE62E42FEFA39EF");
const Q1 = fromDigits("3FD5575B0BE00B6A");
const Q2 = fromDigits("BFDFFFFEF20A4123");
const Q3 = fromDigits("BFD00EA348B88334");
const TWO_PI = fromDigits("401921FB54442D18");
const SCALED = fromDigits("41645F306DC9C883");
const HALF_PI = fromDigits("3FF921FB54442D18");
const [S1, S2, S3] = ["BFC555545995A603", "3F81107605230BC4", "BF2994EB3774CF24"].map(fromDigits);
const [C1, C2, C3, C4] = ["BFDFFFFFFD0C621C", "3FA55553E1068F19", "BF56C087E89A359D", "3EF99343027BF8C3"].map(fromDigits);

/** @param {number} x 2^−24 … 1 @returns {number} binary32 */
export function ln(x) {
  const w = toPattern(x);
  const h = w - 0x3f330000;
  const k = h >> 23;
  const [a, b] = ROWS[(h >> 19) & 15];
  const q = fromPattern(w - k * 2 ** 23) * a - 1;
  let y = Q1 * q + Q2;
  y = Q3 * (q * q) + y;
  y = y * (q * q) + (b + k * LN2 + q);
  return fround(y);
}

/** @param {number} v @returns {number} t of the normal of the C library, binary32 */
export function turn(v) {
  return fround(TWO_PI * v);
}

/**
 * S and C of a quarter turn, as binary32, and which of them is meant.
 * @param {number} t
 * @returns {{n: number, s: number, c: number}}
 */
function quarter(t) {
  const n = floor((floor(t * SCALED) + 2 ** 23) / 2 ** 24);
  const x = t - n * HALF_PI;
  const z = x * x;
  const s = x + x * z * S1 + x * z * z * (S2 + z * S3);
  const c = 1 + z * C1 + z * z * C2 + z * z * z * (C3 + z * C4);
  return { n: n % 4, s: fround(s), c: fround(c) };
}

/** @param {number} t 0 … 2π @returns {number} binary32 */
export function sine(t) {
  const { n, s, c } = quarter(t);
  return [s, c, -s, -c][n];
}

/** @param {number} t 0 … 2π @returns {number} binary32 */
export function cosine(t) {
  const { n, s, c } = quarter(t);
  return [c, -s, -c, s][n];
}
