/** A payload of which ranges can be added. */
export class Payload {
    /**
     * @param {number} size
     * @param {Uint8Array} table the page table
     */
    constructor(size: number, table: Uint8Array);
    size: number;
    table: Uint8Array<ArrayBufferLike>;
    /** @type {{start: number, bytes: Uint8Array}[]} */
    chunks: {
        start: number;
        bytes: Uint8Array;
    }[];
    checked: Uint8Array<ArrayBuffer>;
    /**
     * Add bytes. They begin and end with pages.
     * @param {number} start
     * @param {Uint8Array} bytes
     */
    add(start: number, bytes: Uint8Array): void;
    /**
     * The pages that hold some bytes.
     * @param {number} at
     * @param {number} size
     * @returns {[number, number]} where they begin, and end
     */
    pagesOf(at: number, size: number): [number, number];
    /**
     * @param {number} start
     * @param {number} end
     * @returns {{start: number, bytes: Uint8Array}|undefined} what was added with these bytes in it
     */
    find(start: number, end: number): {
        start: number;
        bytes: Uint8Array;
    } | undefined;
    /**
     * A view of bytes, after a check of their pages.
     * @param {number} at
     * @param {number} size
     * @returns {Uint8Array}
     */
    view(at: number, size: number): Uint8Array;
}
