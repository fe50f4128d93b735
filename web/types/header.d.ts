/**
 * @typedef {{
 *   minor: number, manifestSize: number, manifestLength: number, payloadSize: number, manifestCrc: number,
 *   pages: number, payloadAt: number, fileSize: number
 * }} Header
 */
/**
 * Read a header: checks 1 to 4 of section 3.
 * @param {Uint8Array} bytes the beginning of the file; all of it if it is shorter than a header
 * @returns {Header}
 */
export function readHeader(bytes: Uint8Array): Header;
/**
 * Check 5 of section 3.
 * @param {Header} header
 * @param {number} size bytes of the file
 */
export function checkFileSize(header: Header, size: number): void;
export const HEADER_SIZE: 36;
export const PAGE_SIZE: 65536;
export type Header = {
    minor: number;
    manifestSize: number;
    manifestLength: number;
    payloadSize: number;
    manifestCrc: number;
    pages: number;
    payloadAt: number;
    fileSize: number;
};
