/**
 * The low 32 bits of XXH64 with seed 0.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function xxh64Low(bytes: Uint8Array): number;
