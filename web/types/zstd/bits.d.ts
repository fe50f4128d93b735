/**
 * @param {string} code without the `zstd-` before it
 * @returns {never}
 */
export function corrupt(code: string): never;
/**
 * Bits from `at` on, least significant first; what is outside of `bytes` reads as 0.
 * @param {Uint8Array} bytes
 * @param {number} at not negative
 * @param {number} count at most 25
 * @returns {number}
 */
export function peek(bytes: Uint8Array, at: number, count: number): number;
/** Bit streams of Zstandard (RFC 8878): forwards for table descriptions, backwards for everything else. */
/** Thrown inside the folder; the caller gives it the class of the place. */
export class ZstdError {
    /** @param {string} code without the `zstd-` before it */
    constructor(code: string);
    code: string;
}
/** A stream that is read from its last bit to its first (section 4.1 of RFC 8878). */
export class Backwards {
    /** @param {Uint8Array} bytes with the final bit that marks the end */
    constructor(bytes: Uint8Array);
    bytes: Uint8Array<ArrayBufferLike>;
    /** Bits that are left; below 0 after reading more than there were. */
    left: number;
    /**
     * The next bits, the first of them the most significant. Bits past the end read as 0.
     * @param {number} count at most 25
     * @returns {number}
     */
    read(count: number): number;
}
