/**
 * What a tiled layer has besides. `second` is −1 where there is none.
 * @typedef {{
 *   prototype: number, phase: number, zero: number, scaled: boolean, scale: number, second: number, secondPhase: number
 * }} Tiling
 */
/**
 * Indices are −1 where an entry has no such field.
 * @typedef {{
 *   name: string, kind: number, task: number, shape: readonly number[], elements: number, dtype: number, block: number,
 *   user: number, mask: number, tiling: Tiling|null, target: number
 * }} EntryRow
 */
/**
 * @typedef {{
 *   metadata: Map<string, string>, tasks: string[], masks: MaskRow[], blocks: BlockRow[], prototypes: PrototypeRow[],
 *   entries: EntryRow[], delta: boolean, base: string
 * }} Manifest `base`: digest of the base of a delta, else empty
 */
/** @param {EntryRow} row @returns {number[]} indices of the prototypes that an entry uses */
export function prototypesOf({ tiling }: EntryRow): number[];
/** @param {BlockRow} row @returns {number} elements */
export function countOf({ starts }: BlockRow): number;
/** The tables of a manifest, as they are after reading: all indices in range, all rules of section 4 checked. */
/** @typedef {{coder: number, length: number, ones: number, size: number, at: number}} MaskRow `at`: in the payload */
/**
 * `users`: rows in the order in which they take elements, numbered through prototypes and then entries.
 * `starts`: where the elements of each begin, and the number of all.
 * @typedef {{dtype: number, coder: number, size: number, at: number, users: number[], starts: number[]}} BlockRow
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
export const TENSOR: 0;
export const KEPT: 1;
export const TILED: 2;
export const ALIAS: 3;
export const BOOL_MASK: 4;
/** The coders of what a delta takes from its base: of masks, and of blocks. */
export const FLIPS: 8;
export const XOR: 6;
/** The coders of what is in chunks: of masks, and of blocks. */
export const MASK_CHUNKS: 9;
export const BLOCK_CHUNKS: 7;
/** The largest number of rows of a table, of elements, and of bits. */
export const MAX_ROWS: number;
export const MAX_ELEMENTS: number;
/**
 * What a tiled layer has besides. `second` is −1 where there is none.
 */
export type Tiling = {
    prototype: number;
    phase: number;
    zero: number;
    scaled: boolean;
    scale: number;
    second: number;
    secondPhase: number;
};
/**
 * Indices are −1 where an entry has no such field.
 */
export type EntryRow = {
    name: string;
    kind: number;
    task: number;
    shape: readonly number[];
    elements: number;
    dtype: number;
    block: number;
    user: number;
    mask: number;
    tiling: Tiling | null;
    target: number;
};
/**
 * `base`: digest of the base of a delta, else empty
 */
export type Manifest = {
    metadata: Map<string, string>;
    tasks: string[];
    masks: MaskRow[];
    blocks: BlockRow[];
    prototypes: PrototypeRow[];
    entries: EntryRow[];
    delta: boolean;
    base: string;
};
/**
 * `at`: in the payload
 */
export type MaskRow = {
    coder: number;
    length: number;
    ones: number;
    size: number;
    at: number;
};
/**
 * `users`: rows in the order in which they take elements, numbered through prototypes and then entries.
 * `starts`: where the elements of each begin, and the number of all.
 */
export type BlockRow = {
    dtype: number;
    coder: number;
    size: number;
    at: number;
    users: number[];
    starts: number[];
};
/**
 * `presence`: a mask, or −1; `user`: its number among the users of the block
 */
export type ValuesRow = {
    kind: "values";
    length: number;
    dtype: number;
    block: number;
    presence: number;
    user: number;
};
/**
 * `seed` and `stream`: low and high word. Where a generator has no field it is 0.
 */
export type GeneratorRow = {
    kind: "generator";
    length: number;
    dtype: number;
    generator: number;
    distribution: number;
    seed: [number, number];
    stream: [number, number];
    offset: number;
    scale: number;
    low: number;
    period: number;
    zeros: number;
    patchIndices: Float64Array;
    patchValues: Uint32Array;
    digest: number;
};
/**
 * `seed` and `stream`: low and high word. Where a generator has no field it is 0.
 */
export type PrototypeRow = ValuesRow | GeneratorRow;
