/** @param {Uint8Array} bits @returns {number} one bits */
export function countOnes(bits: Uint8Array): number;
/**
 * @param {Uint8Array} bits
 * @param {number} length bits that are used
 * @returns {boolean} the unused bits of the last byte are 0
 */
export function endsClean(bits: Uint8Array, length: number): boolean;
export const ONES: Uint8Array<ArrayBufferLike>;
/** Numbers of `width` bits each, 0 to 31, least significant bit first, one after the other. */
export class BitNumbers {
    /** @param {Uint8Array} bytes @param {number} width */
    constructor(bytes: Uint8Array, width: number);
    bytes: Uint8Array<ArrayBufferLike>;
    width: number;
    at: number;
    held: number;
    buffer: number;
    /** @returns {number} the next number */
    next(): number;
}
