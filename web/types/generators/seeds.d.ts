/**
 * @param {import("../manifest/tables.js").GeneratorRow} row
 * @param {(seed: number) => Uint32Array} drawsOf the draws of a seed of generators 3 and 4, enough for the row
 * @returns {Uint8Array} float32
 */
export function generate(row: import("../manifest/tables.js").GeneratorRow, drawsOf: (seed: number) => Uint32Array): Uint8Array;
