/**
 * The decoder of the base, which has the digest that the delta says.
 * @param {Decoder} delta
 * @returns {Decoder}
 */
export function openBase({ manifest, bases, depth, maxBytes }: Decoder): Decoder;
/**
 * A mask of coder 8 (5.4).
 * @param {Decoder} delta
 * @param {import("../manifest/tables.js").MaskRow} row
 * @param {import("../numbers.js").Reader} reader
 * @returns {import("../coding/masks.js").Mask}
 */
export function readFlips(delta: Decoder, { length, ones }: import("../manifest/tables.js").MaskRow, reader: import("../numbers.js").Reader): import("../coding/masks.js").Mask;
/**
 * A block of coder 6. The references of all its users are checked, also of those that are not decoded.
 * @param {Decoder} delta
 * @param {import("../manifest/tables.js").BlockRow} row
 * @param {import("../numbers.js").Reader} reader
 * @returns {import("../decoder.js").Block}
 */
export function readDifferences(delta: Decoder, row: import("../manifest/tables.js").BlockRow, reader: import("../numbers.js").Reader): import("../decoder.js").Block;
/**
 * @param {Decoder} delta
 * @param {Uint8Array} out differences of a user; replaced by its elements
 * @param {number} user
 * @param {number} reference at least 1
 */
export function xorInto(delta: Decoder, out: Uint8Array, user: number, reference: number): void;
export type Row = import("../manifest/tables.js").PrototypeRow | import("../manifest/tables.js").EntryRow;
import { Decoder } from "../decoder.js";
