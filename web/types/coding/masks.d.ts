/**
 * Bits of a mask, or none where all are of one value: such a mask may be as long as its users without taking memory.
 * @typedef {{length: number, ones: number, bits: Uint8Array|null}} Mask
 */
/**
 * The bits of a mask, made where they are constant.
 * @param {Mask} mask
 * @returns {Uint8Array}
 */
export function bitsOf({ length, ones, bits }: Mask): Uint8Array;
/**
 * A mask of these bits, which must be as the manifest says.
 * @param {Uint8Array} bits
 * @param {number} length
 * @param {number} ones
 * @param {Reader} reader for errors
 * @returns {Mask}
 */
export function checkedMask(bits: Uint8Array, length: number, ones: number, reader: Reader): Mask;
/**
 * Decode a mask of any coder but flips.
 * @param {number} coder
 * @param {number} length
 * @param {number} ones
 * @param {Reader} reader of its payload, of the class `payload`
 * @returns {Mask}
 */
export function readMask(coder: number, length: number, ones: number, reader: Reader): Mask;
/**
 * Bits of a mask, or none where all are of one value: such a mask may be as long as its users without taking memory.
 */
export type Mask = {
    length: number;
    ones: number;
    bits: Uint8Array | null;
};
import { Reader } from "../numbers.js";
