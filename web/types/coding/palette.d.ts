/**
 * @param {import("../numbers.js").Reader} reader
 * @param {number} count elements
 * @param {number} size bytes of an element
 * @returns {Uint8Array}
 */
export function readPalette(reader: import("../numbers.js").Reader, count: number, size: number): Uint8Array;
