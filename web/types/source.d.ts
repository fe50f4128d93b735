/** @typedef {Uint8Array|ArrayBuffer|Blob|URL|string} Input a string is the address of a file */
/**
 * Reads ranges of a file. `size` is known after the first read; unknown (−1) if a server does not say it.
 * @typedef {{size: number, read: (start: number, end: number) => Promise<Uint8Array>}} Source
 */
/** @param {unknown} input @returns {Uint8Array|null} the bytes, if they are in memory */
export function inMemory(input: unknown): Uint8Array | null;
/**
 * All bytes of an input.
 * @param {Input} input
 * @param {RequestInit} [request]
 * @returns {Promise<Uint8Array>}
 */
export function readAll(input: Input, request?: RequestInit): Promise<Uint8Array>;
/**
 * @param {Input} input
 * @param {RequestInit} [request] for an address: headers, credentials, a signal
 * @returns {Source}
 */
export function sourceOf(input: Input, request?: RequestInit): Source;
/**
 * a string is the address of a file
 */
export type Input = Uint8Array | ArrayBuffer | Blob | URL | string;
/**
 * Reads ranges of a file. `size` is known after the first read; unknown (−1) if a server does not say it.
 */
export type Source = {
    size: number;
    read: (start: number, end: number) => Promise<Uint8Array>;
};
