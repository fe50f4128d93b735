/**
 * The content of a frame.
 * @param {Uint8Array} bytes the frame, and nothing else
 * @param {{exactly?: number, atMost?: number}} expected content size; compared before anything is decompressed
 * @param {import("../errors.js").ErrorKind} kind class of all errors
 * @returns {Uint8Array}
 */
export function decompress(bytes: Uint8Array, expected: {
    exactly?: number;
    atMost?: number;
}, kind: import("../errors.js").ErrorKind): Uint8Array;
export type FrameHeader = {
    contentSize: number;
    size: number;
    blockMax: number;
    checksum: boolean;
};
