/**
 * Bits of a mask, or none where all are of one value: such a mask may be as long as its users without taking memory.
 * @typedef {{length: number, ones: number, bits: Uint8Array|null}} Mask
 * @typedef {(index: number, length: number) => Mask} BaseMasks a mask of the base of that length; else class `payload`
 */
/**
 * The bits of a mask, made where they are constant.
 * @param {Mask} mask
 * @returns {Uint8Array}
 */
export function bitsOf({ length, ones, bits }: Mask): Uint8Array;
/**
 * Decode a mask.
 * @param {number} coder
 * @param {number} length
 * @param {number} ones
 * @param {Reader} reader of its payload, of the class `payload`
 * @param {BaseMasks} baseMask
 * @returns {Mask}
 */
export function readMask(coder: number, length: number, ones: number, reader: Reader, baseMask: BaseMasks): Mask;
/**
 * Bits of a mask, or none where all are of one value: such a mask may be as long as its users without taking memory.
 */
export type Mask = {
    length: number;
    ones: number;
    bits: Uint8Array | null;
};
/**
 * a mask of the base of that length; else class `payload`
 */
export type BaseMasks = (index: number, length: number) => Mask;
import { Reader } from "../numbers.js";
