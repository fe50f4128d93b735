/**
 * A mask of coder 9.
 * @param {import("../manifest/tables.js").MaskRow} row
 * @param {Reader} reader of its payload
 * @returns {import("./masks.js").Mask}
 */
export function readMaskChunks({ length, ones }: import("../manifest/tables.js").MaskRow, reader: Reader): import("./masks.js").Mask;
/**
 * A block of coder 7.
 * @param {number} count elements
 * @param {number} size bytes of one
 * @param {Reader} reader of its payload
 * @returns {Uint8Array}
 */
export function readBlockChunks(count: number, size: number, reader: Reader): Uint8Array;
/**
 * `start`: of its first bit or
 *   element, `reader`: of its payload
 */
export type Chunk = {
    coder: number;
    length: number;
    ones: number;
    start: number;
    reader: Reader;
};
import { Reader } from "../numbers.js";
