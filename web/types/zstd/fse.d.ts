/**
 * A decoding table: of each state its symbol, the number of bits to read, and what is added to them.
 * @typedef {{log: number, symbols: Uint8Array, bits: Uint8Array, bases: Uint16Array}} FseTable
 */
/**
 * The table of a distribution.
 * @param {number[]} counts by symbol; −1 is a probability below 1
 * @param {number} log the counts' sum is 2^log
 * @returns {FseTable}
 */
export function buildTable(counts: number[], log: number): FseTable;
/**
 * The table of one symbol, which takes no bits.
 * @param {number} symbol
 * @returns {FseTable}
 */
export function constantTable(symbol: number): FseTable;
/**
 * Read a table description.
 * @param {Uint8Array} bytes from the description on
 * @param {number} maxLog
 * @param {number} maxSymbol
 * @returns {{table: FseTable, size: number}} the table, and the bytes that the description took
 */
export function readTable(bytes: Uint8Array, maxLog: number, maxSymbol: number): {
    table: FseTable;
    size: number;
};
/**
 * A decoding table: of each state its symbol, the number of bits to read, and what is added to them.
 */
export type FseTable = {
    log: number;
    symbols: Uint8Array;
    bits: Uint8Array;
    bases: Uint16Array;
};
