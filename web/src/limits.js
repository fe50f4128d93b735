/** Sizes of section 4.7, compared with the caller's limit before anything is decoded. */

import { dtypeOf } from "./dtypes.js";
import { PemnError } from "./errors.js";
import { ALIAS, countOf, prototypesOf } from "./manifest/tables.js";

/**
 * @typedef {import("./manifest/tables.js").Manifest} Manifest
 * @typedef {import("./manifest/tables.js").GeneratorRow} GeneratorRow
 */

/** The limit unless the caller says another one: 16 GiB. */
export const MAX_BYTES = 2 ** 34;

/** @param {import("./manifest/tables.js").PrototypeRow} row @returns {row is GeneratorRow} it needs draws of a seed */
export function isDrawn(row) {
  return row.kind === "generator" && row.generator >= 3;
}

/** @param {Manifest} manifest @returns {Map<number, number>} how many draws of each seed are needed */
export function drawsOfSeeds(manifest) {
  const counts = new Map();
  for (const row of manifest.prototypes) {
    if (!isDrawn(row)) continue;
    const count = row.offset + row.length + 16;
    counts.set(row.seed[0], Math.max(count, counts.get(row.seed[0]) ?? 0));
  }
  return counts;
}

/** @param {number} size @param {number} maxBytes @param {string} what */
export function checkLimit(size, maxBytes, what) {
  if (size > maxBytes) throw new PemnError("limit", "over", what, size, maxBytes);
}

/**
 * What decoding these entries takes.
 * @param {Manifest} manifest
 * @param {Iterable<number>} indices entries; aliases count as nothing
 * @param {number} maxBytes
 */
export function checkSize(manifest, indices, maxBytes) {
  let total = 0;
  const blocks = new Set();
  for (const index of indices) {
    const row = manifest.entries[index];
    if (row.kind === ALIAS) continue;
    total += row.elements * dtypeOf(row.dtype).size;
    if (row.block >= 0) blocks.add(row.block);
    for (const prototype of prototypesOf(row)) {
      const values = manifest.prototypes[prototype];
      if (values.kind === "values") blocks.add(values.block);
    }
  }
  for (const row of manifest.prototypes) total += row.length * dtypeOf(row.dtype).size;
  for (const count of drawsOfSeeds(manifest).values()) total += 4 * count;
  checkLimit(total, maxBytes, "the result");
  for (const block of blocks) {
    const row = manifest.blocks[block];
    checkLimit(countOf(row) * dtypeOf(row.dtype).size, maxBytes, "a block");
  }
}
