/**
 * Carry out the sequences of one block.
 * @param {Uint8Array} bytes the section of the sequences
 * @param {Uint8Array} literals
 * @param {Uint8Array} out the content of the whole frame
 * @param {number} start where the block begins in it
 * @param {number} limit where it must have ended
 * @param {SequenceTables} tables those of the blocks before; replaced
 * @param {number[]} recent the three offsets; replaced
 * @returns {number} where the block ends
 */
export function runSequences(bytes: Uint8Array, literals: Uint8Array, out: Uint8Array, start: number, limit: number, tables: SequenceTables, recent: number[]): number;
export type FseTable = import("./fse.js").FseTable;
export type SequenceTables = {
    literals: FseTable | null;
    offsets: FseTable | null;
    matches: FseTable | null;
};
