/**
 * Values at the one bits of a mask, all-zero bits elsewhere: kept layers, and partial prototypes.
 * @param {Mask} mask
 * @param {Uint8Array} values as many elements as the mask has ones
 * @param {number} size bytes of an element
 * @returns {Uint8Array} of its own memory
 */
export function scatter(mask: Mask, values: Uint8Array, size: number): Uint8Array;
/**
 * The elements at the one bits of a mask.
 * @param {Mask} mask
 * @param {Uint8Array} elements as many as the mask has bits
 * @param {number} size bytes of an element
 * @returns {Uint8Array}
 */
export function gather(mask: Mask, elements: Uint8Array, size: number): Uint8Array;
/** @param {Mask} mask @returns {Uint8Array} a byte of 0 or 1 for each bit */
export function boolsOf(mask: Mask): Uint8Array;
/**
 * A tiled layer.
 * @param {import("../manifest/tables.js").EntryRow} row
 * @param {Mask} mask
 * @param {Uint8Array} prototype
 * @param {Uint8Array} [second]
 * @returns {Uint8Array} of its own memory
 */
export function tile(row: import("../manifest/tables.js").EntryRow, mask: Mask, prototype: Uint8Array, second?: Uint8Array): Uint8Array;
export type Mask = import("./masks.js").Mask;
export type Tiling = import("../manifest/tables.js").Tiling;
/**
 * elements as integers; those of 8 bytes are two
 */
export type Words = Uint8Array | Uint16Array | Uint32Array;
