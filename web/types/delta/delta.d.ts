/**
 * The decoder of the base, which has the digest that the delta says.
 * @param {Decoder} delta
 * @returns {Decoder}
 */
export function openBase({ manifest, bases, depth, maxBytes }: Decoder): Decoder;
/**
 * A mask of the base.
 * @param {Decoder} base
 * @param {number} index
 * @param {number} length
 * @returns {import("../coding/masks.js").Mask}
 */
export function baseMask(base: Decoder, index: number, length: number): import("../coding/masks.js").Mask;
/**
 * Check the references of a block, also of users that are not decoded.
 * @param {Decoder} delta
 * @param {number[]} users
 * @param {number[]} references
 */
export function checkReferences(delta: Decoder, users: number[], references: number[]): void;
/**
 * @param {Decoder} delta
 * @param {Uint8Array} out differences of a user; replaced by its elements
 * @param {number} user
 * @param {number} reference at least 1
 */
export function xorInto(delta: Decoder, out: Uint8Array, user: number, reference: number): void;
export type Row = import("../manifest/tables.js").PrototypeRow | import("../manifest/tables.js").EntryRow;
import { Decoder } from "../decoder.js";
