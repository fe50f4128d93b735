/**
 * @param {string|URL} address
 * @param {RequestInit} [request]
 * @returns {import("./source.js").Source}
 */
export function fromServer(address: string | URL, request?: RequestInit): import("./source.js").Source;
