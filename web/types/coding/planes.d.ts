/**
 * Coders 2 and 4.
 * @param {Reader} reader
 * @param {number} count elements
 * @param {number} size bytes of an element
 * @param {boolean} rotated
 * @returns {Uint8Array}
 */
export function readPlanes(reader: Reader, count: number, size: number, rotated: boolean): Uint8Array;
/**
 * Coder 5.
 * @param {Reader} reader
 * @param {number} count elements
 * @param {number} size bytes of an element
 * @returns {Uint8Array}
 */
export function readGrouped(reader: Reader, count: number, size: number): Uint8Array;
import { Reader } from "../numbers.js";
