/**
 * @param {Uint8Array} bytes the manifest, decoded
 * @param {number} minor of the header
 * @param {number} payloadSize of the header
 * @returns {Manifest}
 */
export function readManifest(bytes: Uint8Array, minor: number, payloadSize: number): Manifest;
export type Manifest = import("./tables.js").Manifest;
export type MaskRow = import("./tables.js").MaskRow;
export type BlockRow = import("./tables.js").BlockRow;
