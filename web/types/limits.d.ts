/** @param {import("./manifest/tables.js").PrototypeRow} row @returns {row is GeneratorRow} it needs draws of a seed */
export function isDrawn(row: import("./manifest/tables.js").PrototypeRow): row is GeneratorRow;
/** @param {Manifest} manifest @returns {Map<number, number>} how many draws of each seed are needed */
export function drawsOfSeeds(manifest: Manifest): Map<number, number>;
/** @param {number} size @param {number} maxBytes @param {string} what */
export function checkLimit(size: number, maxBytes: number, what: string): void;
/**
 * What decoding these entries takes.
 * @param {Manifest} manifest
 * @param {Iterable<number>} indices entries; aliases count as nothing
 * @param {number} maxBytes
 */
export function checkSize(manifest: Manifest, indices: Iterable<number>, maxBytes: number): void;
/**
 * @typedef {import("./manifest/tables.js").Manifest} Manifest
 * @typedef {import("./manifest/tables.js").GeneratorRow} GeneratorRow
 */
/** The limit unless the caller says another one: 16 GiB. */
export const MAX_BYTES: number;
export type Manifest = import("./manifest/tables.js").Manifest;
export type GeneratorRow = import("./manifest/tables.js").GeneratorRow;
