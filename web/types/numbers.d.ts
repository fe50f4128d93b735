/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} count at most 8
 * @returns {number} rounded above 2^53; NaN if the bytes end before
 */
export function littleEndian(bytes: Uint8Array, at: number, count: number): number;
/**
 * @param {Uint8Array} bytes UTF-8
 * @param {ErrorKind} kind class of the error for other bytes
 * @returns {string}
 */
export function decodeText(bytes: Uint8Array, kind: ErrorKind): string;
/**
 * Memory for results. The engine's refusal of a length is the class `limit`.
 * @template T
 * @param {new (length: number) => T} type
 * @param {number} length
 * @returns {T}
 */
export function allocate<T>(type: new (length: number) => T, length: number): T;
/** A cursor over bytes. A read that runs past their end is an error of the class that the reader was made with. */
export class Reader {
    /**
     * @param {Uint8Array} bytes
     * @param {ErrorKind} kind class of all errors
     */
    constructor(bytes: Uint8Array, kind: ErrorKind);
    bytes: Uint8Array<ArrayBufferLike>;
    kind: import("./errors.js").ErrorKind;
    position: number;
    /** @returns {number} bytes that are not read yet */
    get left(): number;
    /**
     * @param {string} code
     * @param {import("./errors.js").Value[]} values
     * @returns {never}
     */
    fail(code: string, ...values: import("./errors.js").Value[]): never;
    /**
     * A view of the next bytes.
     * @param {number} count
     * @returns {Uint8Array}
     */
    take(count: number): Uint8Array;
    /** @returns {Uint8Array} a view of all that is left */
    rest(): Uint8Array;
    /** @param {number} size @returns {Uint8Array} a view of all that is left, which must be so many bytes */
    exactly(size: number): Uint8Array;
    /** @returns {number} */
    u8(): number;
    /** @returns {number} */
    u16(): number;
    /** @returns {number} */
    u32(): number;
    /**
     * A LEB128 number. It is exact below 2^53. Above that it may be rounded, which decides nothing: no legal value of the
     * format is above 2^48, and rounding keeps such a number above it.
     * @returns {number}
     */
    u(): number;
    /**
     * @param {number} size bytes of UTF-8
     * @returns {string}
     */
    text(size: number): string;
}
export type ErrorKind = import("./errors.js").ErrorKind;
