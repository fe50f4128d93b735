/**
 * The words x(0) … x(count − 1) of section 8.1.
 * @param {Word64} seed
 * @param {Word64} stream
 * @param {number} count
 * @returns {Uint32Array}
 */
export function philox(seed: Word64, stream: Word64, count: number): Uint32Array;
/**
 * Steps 2 and 3 of section 8.7.
 * @param {Uint32Array} values of one period, patches applied
 * @param {GeneratorRow} row
 * @returns {Uint32Array}
 */
export function arrange(values: Uint32Array, { seed, stream, length, period, zeros }: GeneratorRow): Uint32Array;
/**
 * Elements before patches, `period` of them.
 * @param {GeneratorRow} row
 * @returns {Float32Array}
 */
export function philoxElements({ distribution, seed, stream, scale, period }: GeneratorRow): Float32Array;
/**
 * low and high 32 bits
 */
export type Word64 = [number, number];
export type GeneratorRow = import("../manifest/tables.js").GeneratorRow;
