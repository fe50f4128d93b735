/**
 * The content of a frame.
 * @param {Uint8Array} bytes the frame, and nothing else
 * @param {number} size that it must declare; compared before anything is decompressed
 * @param {{orLess?: boolean, kind?: import("../errors.js").ErrorKind}} [options] `kind`: class of all errors
 * @returns {Uint8Array}
 */
export function decompress(bytes: Uint8Array, size: number, { orLess, kind }?: {
    orLess?: boolean;
    kind?: import("../errors.js").ErrorKind;
}): Uint8Array;
export type FrameHeader = {
    contentSize: number;
    size: number;
    blockMax: number;
    checksum: boolean;
};
