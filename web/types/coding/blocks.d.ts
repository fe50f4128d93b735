/**
 * The elements of a block of any coder but xor.
 * @param {number} coder
 * @param {number} count
 * @param {number} size
 * @param {import("../numbers.js").Reader} reader of its payload, of the class `payload`
 * @returns {Uint8Array} perhaps a view of the file
 */
export function readElements(coder: number, count: number, size: number, reader: import("../numbers.js").Reader): Uint8Array;
/**
 * Check the elements of a dtype (4.8).
 * @param {number} dtype
 * @param {Uint8Array} elements
 * @param {import("../numbers.js").Reader} reader for errors
 */
export function checkElements(dtype: number, elements: Uint8Array, reader: import("../numbers.js").Reader): void;
