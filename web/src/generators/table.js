/**
 * The table of section 8.3 as its fifth differences, each a number of base 64: five bits a digit, least significant
 * first, 32 added to all digits but the last; 2 d for d, 2 |d| - 1 for a negative one. normal-table.py
 * writes them.
 */

import { crc32 } from "../checksums.js";
import { DIFFERENCES, DIGITS, ORDER } from "./differences.js";

/** @type {Float64Array|undefined} */
let table;

/** @returns {Float64Array} T[0 … 1024] of section 8.3 */
export function normalTable() {
  if (table) return table;
  const values = new Float64Array(1025);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    let number = 0;
    for (let unit = 1, digit = 32; digit & 32; unit *= 32) {
      digit = DIGITS.indexOf(DIFFERENCES[at++]);
      number += (digit & 31) * unit;
    }
    values[i] = number % 2 ? -(number + 1) / 2 : number / 2;
  }
  for (let order = 0; order < ORDER; order++) for (let i = 1; i < values.length; i++) values[i] += values[i - 1];
  // The number that the specification gives for the table: a mistake here would make wrong weights.
  if (crc32(new Uint8Array(Uint32Array.from(values).buffer)) !== 0xafa18d14) throw new Error("the table is damaged");
  return (table = values);
}
