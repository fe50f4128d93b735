/** A prototype of a generator: elements, patches, arrangement and digest (sections 8.6 to 8.9). */

import { crc32 } from "../crc32.js";
import { PemnError } from "../errors.js";
import { need } from "../parts.js";
import { arrange, philoxElements } from "./philox.js";

/**
 * @param {import("../manifest/tables.js").GeneratorRow} row
 * @param {(seed: number) => Uint32Array} drawsOf the draws of a seed of generators 3 and 4, enough for the row
 * @returns {Uint8Array} float32
 */
export function generate(row, drawsOf) {
  const elements = row.generator < 3 ? philoxElements(row) : need("torch").torchElements(row, drawsOf(row.seed[0]));
  let words = new Uint32Array(elements.buffer);
  row.patchIndices.forEach((index, i) => {
    const value = row.patchValues[i];
    if (row.generator < 4) words[index] = value;
    else words[index] += value % 2 ? -(value + 1) / 2 : value / 2;
  });
  if (row.generator === 2) words = arrange(words, row);
  const bytes = new Uint8Array(words.buffer);
  if (crc32(bytes) !== row.digest) throw new PemnError("payload", "digest");
  return bytes;
}
