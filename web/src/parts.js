/**
 * Parts of the decoder that few files need. Each is a module that is imported when a file needs it: `need` throws
 * what is missing, and `withParts` imports it and begins again.
 */

import { PemnError, RequestError, explainWith } from "./errors.js";

/**
 * @typedef {{
 *   seeds: typeof import("./generators/seeds.js"), torch: typeof import("./generators/torch.js"),
 *   delta: typeof import("./delta/delta.js"), ranges: typeof import("./ranges.js"),
 *   xxh64: typeof import("./zstd/xxh64.js"), chunks: typeof import("./coding/chunks.js")
 * }} Parts
 */

/** @type {{[Name in keyof Parts]: () => Promise<Parts[Name]>}} */
const IMPORTS = {
  seeds: () => import("./generators/seeds.js"),
  torch: () => import("./generators/torch.js"),
  delta: () => import("./delta/delta.js"),
  ranges: () => import("./ranges.js"),
  xxh64: () => import("./zstd/xxh64.js"),
  chunks: () => import("./coding/chunks.js"),
};

/** @type {Partial<Parts>} */
const present = {};

/** Parts that have to be imported first. `withParts` does that; nothing is wrong. */
class Missing extends Error {
  /** @param {(keyof Parts)[]} names */
  constructor(names) {
    super(`${names.join(", ")}: not imported yet; pemncodec/sync has all parts`);
    this.names = names;
  }
}

/** @param {Partial<Parts>} parts that need not be imported any more */
export function provide(parts) {
  Object.assign(present, parts);
}

/** Throw what is not there of some parts, so that it is imported together. @param {(keyof Parts)[]} names */
export function needAll(names) {
  const missing = names.filter((name) => !present[name]);
  if (missing.length > 0) throw new Missing(missing);
}

/**
 * @template {keyof Parts} Name
 * @param {Name} name
 * @returns {Parts[Name]}
 */
export function need(name) {
  needAll([name]);
  return /** @type {Parts[Name]} */ (present[name]);
}

/** @param {keyof Parts} name */
async function importPart(name) {
  try {
    provide({ [name]: await IMPORTS[name]() });
  } catch (reason) {
    throw new RequestError(`the part ${name} of the decoder could not be loaded: ${reason}`);
  }
}

/**
 * Work again and again until no part is missing. Errors get their sentences.
 * @template T
 * @param {() => T|Promise<T>} work it may be begun more than once
 * @returns {Promise<T>}
 */
export async function withParts(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Missing) {
        await Promise.all(error.names.map(importPart));
        continue;
      }
      if (error instanceof PemnError) {
        // Without a network the error is as good, only shorter.
        const messages = await import("./messages.js").catch(() => null);
        if (messages) {
          explainWith(messages.sentence);
          error.explain();
        }
      }
      throw error;
    }
  }
}
