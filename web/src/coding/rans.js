/** rANS of section 5.1, under frequencies that the caller knows. */

import { allocate } from "../numbers.js";

const SUM = 65536;
/** The byte of every r, made anew for each string: memory that small strings would take again and again. */
const SYMBOLS = new Uint8Array(SUM);

/**
 * Decode all bytes of a string; the rANS must end with the reader.
 * @param {import("../numbers.js").Reader} reader at the number of lanes
 * @param {number} count bytes of the string
 * @param {Uint32Array} frequencies of the 256 byte values, each at least 1, with the sum 2^16
 * @returns {Uint8Array}
 */
export function readRans(reader, count, frequencies) {
  const lanes = reader.u();
  if (lanes < 1 || lanes > Math.max(1, count) || count > 8192 * lanes) reader.fail("range", "number of lanes");
  if (4 * lanes > reader.left) reader.fail("end");
  const states = new Uint32Array(lanes);
  for (let i = 0; i < lanes; i++) {
    states[i] = reader.u32();
    if (states[i] < SUM) reader.fail("range", "state");
  }
  const words = reader.rest();
  if (words.length % 2) reader.fail("rans-words");

  const starts = new Uint32Array(256);
  for (let v = 0, start = 0; v < 256; v++) {
    starts[v] = start;
    SYMBOLS.fill(v, start, (start += frequencies[v]));
  }
  const out = allocate(Uint8Array, count);
  let at = 0;
  for (let i = 0, lane = 0; i < count; i++) {
    let x = states[lane];
    const r = x & 0xffff;
    const v = SYMBOLS[r];
    out[i] = v;
    // Below 2^32 (section 5.1), so the product's low 32 bits are all of it.
    x = (Math.imul(frequencies[v], x >>> 16) + r - starts[v]) >>> 0;
    if (x < SUM) {
      if (at === words.length) reader.fail("rans-words");
      x = ((x << 16) | words[at] | (words[at + 1] << 8)) >>> 0;
      at += 2;
    }
    states[lane] = x;
    if (++lane === lanes) lane = 0;
  }
  if (at !== words.length) reader.fail("rans-words");
  if (states.some((x) => x !== SUM)) reader.fail("rans-state");
  return out;
}
