/** Decodes entries of one file. What it has made is kept until `forget`. */
export class Decoder {
    /**
     * @param {Manifest} manifest
     * @param {Payload} payload
     * @param {number} maxBytes for what is made for a base (4.7)
     * @param {() => Decoder} base of a delta
     */
    constructor(manifest: Manifest, payload: Payload, maxBytes: number, base: () => Decoder);
    manifest: import("./manifest/tables.js").Manifest;
    payload: import("./payload.js").Payload;
    maxBytes: number;
    base: () => Decoder;
    /** @type {Map<number, Mask>} */
    masks: Map<number, Mask>;
    /** @type {Map<number, Block>} */
    blocks: Map<number, Block>;
    /** @type {Map<number, Uint8Array>} */
    prototypes: Map<number, Uint8Array>;
    /** @type {Map<number, Uint32Array>} */
    draws: Map<number, Uint32Array>;
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
    /**
     * The bytes of an entry.
     * @param {number} index
     * @returns {Uint8Array} of its own memory
     */
    entry(index: number): Uint8Array;
    /**
     * What a reference of 6.2 says, checked against the tables of the base.
     * @param {User} user
     * @param {number} reference at least 1
     * @param {Decoder} base
     * @returns {number} index of a prototype, or of an entry that is no alias
     */
    resolve(user: User, reference: number, base: Decoder): number;
    /** @param {import("./manifest/tables.js").BlockRow} row @param {number[]} references of its users */
    checkReferences({ users }: import("./manifest/tables.js").BlockRow, references: number[]): void;
    /** @param {Uint8Array} out differences of a user @param {User} user @param {number} reference at least 1 */
    xorInto(out: Uint8Array, user: User, reference: number): void;
    /** A prototype for a delta, within the limit of 4.7. @param {number} index @returns {Uint8Array} */
    ofBasePrototype(index: number): Uint8Array;
    /** An entry for a delta, within the limit of 4.7. @param {number} index @returns {Uint8Array} */
    ofBaseEntry(index: number): Uint8Array;
}
export type Mask = import("./coding/masks.js").Mask;
export type Block = import("./coding/blocks.js").Block;
export type User = import("./manifest/tables.js").User;
export type Manifest = import("./manifest/tables.js").Manifest;
export type Payload = import("./payload.js").Payload;
import { Reader } from "./numbers.js";
