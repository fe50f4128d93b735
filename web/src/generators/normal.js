/**
 * The table of section 8.3: T[j] is z × 2^28 rounded, where a standard normal variable exceeds z with the probability q.
 * It is computed here, by Newton's method. No z × 2^28 is nearer than 2^-11 to the middle of two integers, a thousand
 * times the error of doubles, and the CRC-32 that the specification gives for the table is compared.
 */

import { crc32 } from "../crc32.js";

const { exp, sqrt, PI, round } = Math;

/** @param {number} z @returns {number} density of the distribution */
const density = (z) => exp((-z * z) / 2) / sqrt(2 * PI);

/** @param {number} z not negative @returns {number} probability to exceed it */
function tail(z) {
  let sum = 0;
  if (z > 1.5) {
    // Laplace's continued fraction, from its end.
    for (let k = 120; k > 0; k--) sum = k / (z + sum);
    return density(z) / (z + sum);
  }
  for (let k = 1, term = z; term > 1e-17; term *= (z * z) / (k += 2)) sum += term;
  return 0.5 - density(z) * sum;
}

/** @type {Float64Array|undefined} */
let table;

/** @returns {Float64Array} T[0 … 1024] of section 8.3 */
export function normalTable() {
  if (table) return table;
  const values = new Float64Array(1025);
  for (let j = 1023, z = 0; j >= 0; j--) {
    const q = (32 + (j % 32)) * 2 ** ((j >> 5) - 38);
    for (let i = 0; i < 6; i++) z += (tail(z) - q) / density(z);
    values[j] = round(z * 2 ** 28);
  }
  // A mistake here would make wrong weights.
  if (crc32(new Uint8Array(Uint32Array.from(values).buffer)) !== 0xafa18d14) throw new Error("the table is damaged");
  return (table = values);
}
