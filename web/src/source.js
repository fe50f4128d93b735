/** Bytes from memory, from a Blob, or from a server that answers requests of ranges. */

import { RequestError } from "./errors.js";

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
 * @param {string|URL} address
 * @param {RequestInit} [request]
 * @returns {Source}
 */
function fromServer(address, request) {
  /** @type {Uint8Array|undefined} what a server sent that does not know ranges */
  let whole;
  /** @type {string|null} */
  let version = null;
  /** @type {Source} */
  const source = {
    size: -1,
    read: async (start, end) => {
      if (whole || end <= start) return (whole ?? new Uint8Array(0)).subarray(start, end);
      const headers = new Headers(request?.headers);
      headers.set("Range", `bytes=${start}-${end - 1}`);
      const response = await fetch(address, { ...request, headers });
      // 416: the file ends before the range begins.
      if (response.status === 416) return new Uint8Array(0);
      if (!response.ok) throw new RequestError(`the server answered with ${response.status}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      const tag = response.headers.get("ETag");
      if (version !== null && tag !== version) throw new RequestError("the file was changed on the server");
      version = tag;
      if (response.status === 200) {
        whole = bytes;
        source.size = bytes.length;
        return bytes.subarray(start, end);
      }
      const total = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
      if (total) source.size = Number(total[1]);
      return bytes.subarray(0, end - start);
    },
  };
  return source;
}

/**
 * @param {Input} input
 * @param {RequestInit} [request] for an address: headers, credentials, a signal
 * @returns {Source}
 */
export function sourceOf(input, request) {
  const bytes = inMemory(input);
  if (bytes) return fromMemory(bytes);
  return input instanceof Blob ? fromBlob(input) : fromServer(/** @type {string|URL} */ (input), request);
}
