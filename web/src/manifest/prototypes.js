/** The table of prototypes (4.5). */

import { DTYPES, FLOAT32 } from "../dtypes.js";
import { allocate } from "../numbers.js";
import { MAX_ELEMENTS, MAX_ROWS } from "./tables.js";

/**
 * @typedef {import("../numbers.js").Reader} Reader
 * @typedef {import("./tables.js").PrototypeRow} PrototypeRow
 */

/** Distributions by generator, and those of sixteens, which need 16 elements. */
const DISTRIBUTIONS = [0, 3, 3, 4, 5];
const SIXTEENS = [[], [], [], [2, 4], [3, 4, 5]];
/** Minor version that a generator came with. */
const SINCE = [0, 0, 1, 4, 5];
const MAX_DRAWS = 2 ** 40;

/**
 * @param {Reader} reader
 * @param {boolean} positive
 * @returns {number} a finite binary32
 */
export function readFinite(reader, positive) {
  const pattern = reader.u32();
  const value = new Float32Array(Uint32Array.of(pattern).buffer)[0];
  if (!Number.isFinite(value) || (positive && !(value > 0))) reader.fail("range", "scale or bound");
  return value;
}

/**
 * @param {Reader} reader
 * @param {number} minor
 * @param {number} length
 * @returns {PrototypeRow}
 */
function readGenerator(reader, minor, length) {
  const generator = reader.u8();
  if (generator < 1 || generator > 4 || minor < SINCE[generator]) reader.fail("unknown", "generator");
  const distribution = reader.u8();
  if (distribution < 1 || distribution > DISTRIBUTIONS[generator]) reader.fail("unknown", "distribution");
  const drawn = generator >= 3;
  /** @type {[number, number]} */
  const seed = [reader.u32(), drawn ? 0 : reader.u32()];
  /** @type {[number, number]} */
  const stream = drawn ? [0, 0] : [reader.u32(), reader.u32()];
  const offset = drawn ? reader.u() : 0;
  if (SIXTEENS[generator].includes(distribution) && length < 16) reader.fail("sixteen");
  if (drawn && offset + length + 16 > MAX_DRAWS) reader.fail("many", "draws");
  const scale = readFinite(reader, true);
  const hasLow = drawn && (distribution === 1 || (generator === 4 && distribution === 2));
  const low = hasLow ? readFinite(reader, false) : 0;
  let period = length;
  let zeros = 0;
  if (generator === 2) {
    period = reader.u();
    zeros = reader.u();
    if (period < 1 || period > length || zeros >= period) reader.fail("range", "period");
    if (period === length && zeros === 0) reader.fail("arranged");
  }

  const patches = reader.u();
  // Every patch takes bytes, so memory follows the file's.
  if (patches * (generator === 4 ? 2 : 5) > reader.left) reader.fail("many", "patches");
  const patchIndices = allocate(Float64Array, patches);
  const patchValues = allocate(Uint32Array, patches);
  let before = -1;
  for (let i = 0; i < patches; i++) {
    before += reader.u() + 1;
    if (before >= period) reader.fail("range", "patch");
    patchIndices[i] = before;
  }
  for (let i = 0; i < patches; i++) {
    const value = generator === 4 ? reader.u() : reader.u32();
    if (generator === 4 && (value < 1 || value > 0xffffffff)) reader.fail("range", "step");
    patchValues[i] = value;
  }
  const digest = reader.u32();
  return {
    kind: "generator",
    length,
    dtype: FLOAT32,
    generator,
    distribution,
    seed,
    stream,
    offset,
    scale,
    low,
    period,
    zeros,
    patchIndices,
    patchValues,
    digest,
  };
}

/**
 * @param {Reader} reader
 * @param {number} minor
 * @param {import("./references.js").References} references
 * @param {import("./tables.js").MaskRow[]} masks
 * @param {import("./tables.js").BlockRow[]} blocks
 * @returns {PrototypeRow[]} values without their `user`
 */
export function readPrototypes(reader, minor, references, masks, blocks) {
  const count = reader.u();
  if (count > MAX_ROWS) reader.fail("many", "prototypes");
  /** @type {PrototypeRow[]} */
  const rows = [];
  for (let i = 0; i < count; i++) {
    const kind = reader.u8();
    const length = reader.u();
    if (kind > 1) reader.fail("unknown", "kind of prototype");
    if (length < 1 || length > MAX_ELEMENTS) reader.fail("range", "length of a prototype");
    if (kind === 1) {
      rows.push(readGenerator(reader, minor, length));
      continue;
    }
    const block = reader.u();
    if (block >= blocks.length) reader.fail("range", "block of a prototype");
    const dtype = blocks[block].dtype;
    if (!DTYPES[dtype]?.maskable) reader.fail("unmaskable");
    const partial = reader.u8();
    if (partial > 1) reader.fail("range", "partial");
    const presence = partial ? references.read() : -1;
    if (partial && masks[presence].length !== length) reader.fail("mask-fit");
    rows.push({ kind: "values", length, dtype, block, presence, user: -1 });
  }
  return rows;
}
