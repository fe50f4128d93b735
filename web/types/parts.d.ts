/** @param {Partial<Parts>} parts that need not be imported any more */
export function provide(parts: Partial<Parts>): void;
/** Throw what is not there of some parts, so that it is imported together. @param {(keyof Parts)[]} names */
export function needAll(names: (keyof Parts)[]): void;
/**
 * @template {keyof Parts} Name
 * @param {Name} name
 * @returns {Parts[Name]}
 */
export function need<Name extends keyof Parts>(name: Name): Parts[Name];
/**
 * Work again and again until no part is missing. Errors get their sentences.
 * @template T
 * @param {() => T|Promise<T>} work it may be begun more than once
 * @returns {Promise<T>}
 */
export function withParts<T>(work: () => T | Promise<T>): Promise<T>;
export type Parts = {
    seeds: typeof import("./generators/seeds.js");
    torch: typeof import("./generators/torch.js");
    delta: typeof import("./delta/delta.js");
    ranges: typeof import("./ranges.js");
    xxh64: typeof import("./zstd/xxh64.js");
    chunks: typeof import("./coding/chunks.js");
};
