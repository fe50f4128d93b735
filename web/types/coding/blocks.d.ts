/**
 * Check the elements of a dtype (4.8).
 * @param {number} dtype
 * @param {Uint8Array} elements
 * @param {import("../numbers.js").Reader} reader for errors
 */
export function checkElements(dtype: number, elements: Uint8Array, reader: import("../numbers.js").Reader): void;
/**
 * Decode a block.
 * @param {import("../manifest/tables.js").BlockRow} row
 * @param {import("../numbers.js").Reader} reader of its payload, of the class `payload`
 * @returns {Block} its elements are perhaps a view of the file
 */
export function readBlock(row: import("../manifest/tables.js").BlockRow, reader: import("../numbers.js").Reader): Block;
/**
 * A block, decoded. `references`: of its users into the base, if its elements are differences (6.2), else none.
 */
export type Block = {
    elements: Uint8Array;
    references: number[] | null;
};
