/** @param {number} pattern @returns {number} the binary32 number of a pattern */
export function fromPattern(pattern: number): number;
/** @param {number} value @returns {number} the pattern of a binary32 number */
export function toPattern(value: number): number;
/**
 * The binary64 number of a pattern.
 * @param {string} digits 16 hexadecimal digits
 * @returns {number}
 */
export function fromDigits(digits: string): number;
/**
 * a × b + c, rounded once. The product is exact in binary64. The sum is rounded there to odd, of which the rounding to
 * binary32 is the same as of the exact sum (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
 * @param {number} a
 * @param {number} b
 * @param {number} c
 * @returns {number}
 */
export function fma(a: number, b: number, c: number): number;
/** @param {number} a @param {number} b @param {number} c @returns {number} (a × b) + c, two operations */
export function unfused(a: number, b: number, c: number): number;
