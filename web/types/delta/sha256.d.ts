/**
 * SHA-256 (FIPS 180-4). The one of the Web Crypto API works asynchronously, and on secure pages only.
 * @param {Uint8Array} bytes
 * @returns {string} 64 digits of `0123456789abcdef`
 */
export function sha256(bytes: Uint8Array): string;
