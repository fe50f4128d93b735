/**
 * Read a tree description.
 * @param {Uint8Array} bytes from the description on
 * @returns {{table: HuffmanTable, size: number}} the table, and the bytes that the description took
 */
export function readTree(bytes: Uint8Array): {
    table: HuffmanTable;
    size: number;
};
/**
 * Decode one stream of literals, which must end with the last of them.
 * @param {HuffmanTable} table
 * @param {Uint8Array} bytes
 * @param {Uint8Array} out all of it is filled
 */
export function readLiterals(table: HuffmanTable, bytes: Uint8Array, out: Uint8Array): void;
/**
 * A decoding table: `symbols` and `bits` by the next `log` bits.
 */
export type HuffmanTable = {
    log: number;
    symbols: Uint8Array;
    bits: Uint8Array;
};
