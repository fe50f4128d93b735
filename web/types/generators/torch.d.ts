/**
 * Elements before patches.
 * @param {import("../manifest/tables.js").GeneratorRow} row of generator 3 or 4
 * @param {Uint32Array} x draws of its seed, at least offset + length + 16
 * @returns {Float32Array}
 */
export function torchElements({ generator, distribution, offset, length, scale, low }: import("../manifest/tables.js").GeneratorRow, x: Uint32Array): Float32Array;
export { draws };
export type MultiplyAdd = (a: number, b: number, c: number) => number;
/**
 * Two numbers of a pair of V.
 */
export type Pair = (v: number, w: number, out: Float64Array, j: number) => void;
import { draws } from "./draws.js";
