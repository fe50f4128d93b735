/** Decodes entries of one file. What it has made is kept until `forget`. */
export class Decoder {
    /**
     * @param {Manifest} manifest
     * @param {Payload} payload
     * @param {number} maxBytes for what is made for a base (4.7)
     * @param {Uint8Array[]} bases of a delta, in any order
     * @param {number} [depth] bases before this file
     */
    constructor(manifest: Manifest, payload: Payload, maxBytes: number, bases: Uint8Array[], depth?: number);
    manifest: import("./manifest/tables.js").Manifest;
    payload: import("./payload.js").Payload;
    maxBytes: number;
    bases: Uint8Array<ArrayBufferLike>[];
    depth: number;
    /** @type {Map<number, Mask>} */
    masks: Map<number, Mask>;
    /** @type {Map<number, Block>} */
    blocks: Map<number, Block>;
    /** @type {Map<number, Uint8Array>} */
    prototypes: Map<number, Uint8Array>;
    /** @type {Map<number, Uint32Array>} */
    draws: Map<number, Uint32Array>;
    /** The decoder of the base of a delta. @returns {Decoder} */
    base(): Decoder;
    /** Drop all that is kept. */
    forget(): void;
    /** @param {{at: number, size: number}} row @returns {Reader} */
    open(row: {
        at: number;
        size: number;
    }): Reader;
    /** @param {number} index @returns {Mask} */
    mask(index: number): Mask;
    /** @param {number} index @returns {Block} */
    block(index: number): Block;
    /**
     * The elements of a user of a block.
     * @param {number} index of the block
     * @param {number} number of the user
     * @returns {Uint8Array} a view, but of differences
     */
    elements(index: number, number: number): Uint8Array;
    /** @param {number} index @returns {Uint8Array} all elements, those that are not stored too */
    prototype(index: number): Uint8Array;
    /** @param {number} seed @returns {Uint32Array} as many draws as the file needs */
    drawsOf(seed: number): Uint32Array;
    /** Have all parts that entries need before any is decoded. @param {Iterable<number>} indices */
    needParts(indices: Iterable<number>): void;
    /**
     * The bytes of an entry.
     * @param {number} index
     * @returns {Uint8Array} of its own memory
     */
    entry(index: number): Uint8Array;
    #private;
}
/**
 * A block, decoded. `references`: of its users into the base, if its elements are differences (6.2), else none.
 */
export type Block = {
    elements: Uint8Array;
    references: number[] | null;
};
export type Mask = import("./coding/masks.js").Mask;
export type Manifest = import("./manifest/tables.js").Manifest;
export type Payload = import("./payload.js").Payload;
import { Reader } from "./numbers.js";
