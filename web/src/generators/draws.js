/** The draws of section 8.8: MT19937, initialised by init_genrand. */

import { allocate } from "../numbers.js";

const SIZE = 624;
const MIDDLE = 397;

/**
 * x(0) … x(count − 1).
 * @param {number} seed
 * @param {number} count
 * @returns {Uint32Array}
 */
export function draws(seed, count) {
  const state = new Uint32Array(SIZE);
  state[0] = seed;
  for (let i = 1; i < SIZE; i++) {
    const before = state[i - 1];
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  const out = allocate(Uint32Array, count);
  for (let i = 0, at = 0, next = 1, middle = MIDDLE; i < count; i++) {
    const y = (state[at] & 0x80000000) | (state[next] & 0x7fffffff);
    let x = state[middle] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    state[at] = x;
    x ^= x >>> 11;
    x ^= (x << 7) & 0x9d2c5680;
    x ^= (x << 15) & 0xefc60000;
    out[i] = x ^ (x >>> 18);
    at = next;
    if (++next === SIZE) next = 0;
    if (++middle === SIZE) middle = 0;
  }
  return out;
}
