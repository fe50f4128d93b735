/**
 * CRC-32 of section 1.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function crc32(bytes: Uint8Array): number;
