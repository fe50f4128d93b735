/**
 * CRC-32 of section 1.
 * @param {Uint8Array} bytes
 * @param {number} [before] CRC-32 of what stands before these bytes
 * @returns {number}
 */
export function crc32(bytes: Uint8Array, before?: number): number;
/**
 * The low 32 bits of XXH64 with seed 0. Frames of pemncodec have no content checksum, so this need not be fast.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function xxh64Low(bytes: Uint8Array): number;
/**
 * SHA-256 (FIPS 180-4). The one of the Web Crypto API works asynchronously, and on secure pages only.
 * @param {Uint8Array} bytes
 * @returns {string} 64 digits of `0123456789abcdef`
 */
export function sha256(bytes: Uint8Array): string;
