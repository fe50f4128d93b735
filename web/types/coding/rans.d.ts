/**
 * Decode all bytes of a string; the rANS must end with the reader.
 * @param {import("../numbers.js").Reader} reader at the number of lanes
 * @param {number} count bytes of the string
 * @param {Uint32Array} frequencies of the 256 byte values, each at least 1, with the sum 2^16
 * @returns {Uint8Array}
 */
export function readRans(reader: import("../numbers.js").Reader, count: number, frequencies: Uint32Array): Uint8Array;
