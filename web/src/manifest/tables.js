/** The tables of a manifest, as they are after reading: all indices in range, all rules of section 4 checked. */

/** @typedef {{coder: number, length: number, ones: number, size: number, at: number}} MaskRow `at`: in the payload */

/**
 * `users`: prototypes and entries in the order in which they take elements; `start` and `count` in elements.
 * @typedef {{of: "prototype"|"entry", index: number, start: number, count: number}} User
 * @typedef {{dtype: number, coder: number, size: number, at: number, users: User[], count: number}} BlockRow
 */

/**
 * @typedef {{
 *   kind: "values", length: number, dtype: number, block: number, presence: number, user: number
 * }} ValuesRow `presence`: a mask, or −1; `user`: its number among the users of the block
 */
/**
 * `seed` and `stream`: low and high word. Where a generator has no field it is 0.
 * @typedef {{
 *   kind: "generator", length: number, dtype: number, generator: number, distribution: number, seed: [number, number],
 *   stream: [number, number], offset: number, scale: number, low: number, period: number, zeros: number,
 *   patchIndices: Float64Array, patchValues: Uint32Array, digest: number
 * }} GeneratorRow
 * @typedef {ValuesRow|GeneratorRow} PrototypeRow
 */

export const TENSOR = 0;
export const KEPT = 1;
export const TILED = 2;
export const ALIAS = 3;
export const BOOL_MASK = 4;

/**
 * Indices are −1 where an entry has no such field.
 * @typedef {{
 *   name: string, kind: number, task: number, shape: number[], elements: number, dtype: number, block: number,
 *   user: number, mask: number, prototype: number, phase: number, zero: number, scaled: boolean, scale: number,
 *   second: number, secondPhase: number, target: number
 * }} EntryRow
 */

/**
 * @typedef {{
 *   metadata: Map<string, string>, tasks: string[], masks: MaskRow[], blocks: BlockRow[], prototypes: PrototypeRow[],
 *   entries: EntryRow[], delta: boolean, base: string
 * }} Manifest `base`: digest of the base of a delta, else empty
 */

/** The coders of what a delta takes from its base: of masks, and of blocks. */
export const FLIPS = 8;
export const XOR = 6;

/** The largest number of rows of a table, of elements, and of bits. */
export const MAX_ROWS = 2 ** 18;
export const MAX_ELEMENTS = 2 ** 48;
