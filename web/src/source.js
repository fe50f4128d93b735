/** Bytes from memory, from a Blob, or from a server. */

import { RequestError } from "./errors.js";
import { need } from "./parts.js";

/** @typedef {Uint8Array|ArrayBuffer|Blob|URL|string} Input a string is the address of a file */

/**
 * Reads ranges of a file. `size` is known after the first read; unknown (−1) if a server does not say it.
 * @typedef {{size: number, read: (start: number, end: number) => Promise<Uint8Array>}} Source
 */

/** @param {unknown} input @returns {Uint8Array|null} the bytes, if they are in memory */
export function inMemory(input) {
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  return null;
}

/**
 * All bytes of an input.
 * @param {Input} input
 * @param {RequestInit} [request]
 * @returns {Promise<Uint8Array>}
 */
export async function readAll(input, request) {
  const bytes = inMemory(input);
  if (bytes) return bytes;
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer());
  const response = await fetch(/** @type {string|URL} */ (input), request);
  if (!response.ok) throw new RequestError(`the server answered with ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @param {Uint8Array} bytes @returns {Source} */
function fromMemory(bytes) {
  return { size: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}

/** @param {Blob} blob @returns {Source} */
function fromBlob(blob) {
  return {
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/**
 * @param {Input} input
 * @param {RequestInit} [request] for an address: headers, credentials, a signal
 * @returns {Source}
 */
export function sourceOf(input, request) {
  const bytes = inMemory(input);
  if (bytes) return fromMemory(bytes);
  return input instanceof Blob ? fromBlob(input) : need("ranges").fromServer(/** @type {string|URL} */ (input), request);
}
