/**
 * Decode a block.
 * @param {import("../manifest/tables.js").BlockRow} row
 * @param {import("../numbers.js").Reader} reader of its payload, of the class `payload`
 * @param {BaseElements} base
 * @returns {Uint8Array} the bytes of its elements; perhaps a view of the file
 */
export function readBlock(row: import("../manifest/tables.js").BlockRow, reader: import("../numbers.js").Reader, base: BaseElements): Uint8Array;
/**
 * `references` checks all of them, `xorInto` adds what they say
 */
export type BaseElements = {
    references: (references: number[]) => void;
    xorInto: (elements: Uint8Array, references: number[]) => void;
};
