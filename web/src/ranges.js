/** Ranges of a file on a server. */

import { RequestError } from "./errors.js";

/**
 * @param {string|URL} address
 * @param {RequestInit} [request]
 * @returns {import("./source.js").Source}
 */
export function fromServer(address, request) {
  /** @type {Uint8Array|undefined} what a server sent that does not know ranges */
  let whole;
  /** @type {string|null} */
  let version = null;
  /** @type {import("./source.js").Source} */
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
