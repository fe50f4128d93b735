/**
 * x(0) … x(count − 1).
 * @param {number} seed
 * @param {number} count
 * @returns {Uint32Array}
 */
export function draws(seed: number, count: number): Uint32Array;
