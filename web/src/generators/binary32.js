/** Arithmetic on binary32 as section 8.8 says it; numbers are doubles that binary32 holds. */

const DOUBLE = new Float64Array(1);
const WORDS = new Uint32Array(DOUBLE.buffer);
const SINGLE = new Float32Array(1);
const PATTERN = new Uint32Array(SINGLE.buffer);

/** @param {number} pattern @returns {number} the binary32 number of a pattern */
export function fromPattern(pattern) {
  PATTERN[0] = pattern;
  return SINGLE[0];
}

/** @param {number} value @returns {number} the pattern of a binary32 number */
export function toPattern(value) {
  SINGLE[0] = value;
  return PATTERN[0];
}

/**
 * The binary64 number of a pattern.
 * @param {string} digits 16 hexadecimal digits
 * @returns {number}
 */
export function fromDigits(digits) {
  WORDS[1] = parseInt(digits.slice(0, 8), 16);
  WORDS[0] = parseInt(digits.slice(8), 16);
  return DOUBLE[0];
}

/**
 * a × b + c, rounded once. The product is exact in binary64. The sum is rounded there to odd, of which the rounding to
 * binary32 is the same as of the exact sum (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
 * @param {number} a
 * @param {number} b
 * @param {number} c
 * @returns {number}
 */
export function fma(a, b, c) {
  const product = a * b;
  const sum = product + c;
  if (sum === 0) return 0;
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  if (error === 0) return Math.fround(sum);
  DOUBLE[0] = sum;
  if ((WORDS[0] & 1) === 0) {
    // Towards the error: one step up if it has the sum's sign, else one down. The last bit becomes 1 either way.
    if (error > 0 === sum > 0) WORDS[0] |= 1;
    else {
      if (WORDS[0] === 0) WORDS[1] -= 1;
      WORDS[0] -= 1;
    }
  }
  return Math.fround(DOUBLE[0]);
}

/** @param {number} a @param {number} b @param {number} c @returns {number} (a × b) + c, two operations */
export function unfused(a, b, c) {
  return Math.fround(Math.fround(a * b) + c);
}
