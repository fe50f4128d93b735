/** What a delta takes from its base (5.4 and 6.2), which is decoded as far as it is used. */

import { readElements } from "../coding/blocks.js";
import { gather } from "../coding/layers.js";
import { bitsOf, checkedMask, readMask } from "../coding/masks.js";
import { Decoder } from "../decoder.js";
import { dtypeOf } from "../dtypes.js";
import { PemnError, RequestError } from "../errors.js";
import { readWhole } from "../file.js";
import { checkLimit, isDrawn } from "../limits.js";
import { FLIPS, KEPT, XOR, countOf, prototypesOf } from "../manifest/tables.js";
import { sha256 } from "./sha256.js";

const MAX_BASES = 32;

/** @typedef {import("../manifest/tables.js").PrototypeRow|import("../manifest/tables.js").EntryRow} Row */

/** @param {Row} row @returns {number} elements, those that are not stored too */
const sizeOf = (row) => ("elements" in row ? row.elements : row.length);

/**
 * A user of a block of the delta, and the table of the base that it refers to.
 * @param {Decoder} delta
 * @param {Decoder} base
 * @param {number} user
 * @returns {{row: Row, theirs: Row[], isPrototype: boolean}}
 */
function find({ manifest }, base, user) {
  const { prototypes, entries } = manifest;
  const isPrototype = user < prototypes.length;
  return isPrototype
    ? { row: prototypes[user], theirs: base.manifest.prototypes, isPrototype }
    : { row: entries[user - prototypes.length], theirs: base.manifest.entries, isPrototype };
}

/**
 * The decoder of the base, which has the digest that the delta says.
 * @param {Decoder} delta
 * @returns {Decoder}
 */
export function openBase({ manifest, bases, depth, maxBytes }) {
  if (depth === MAX_BASES) throw new PemnError("limit", "bases", MAX_BASES);
  const bytes = bases.find((one) => sha256(one) === manifest.base);
  if (!bytes) throw new RequestError(`a delta against a file of SHA-256 ${manifest.base}; pass it as base`);
  const base = readWhole(bytes);
  return new Decoder(base.manifest, base.payload, maxBytes, bases, depth + 1);
}

/**
 * A mask of coder 8 (5.4).
 * @param {Decoder} delta
 * @param {import("../manifest/tables.js").MaskRow} row
 * @param {import("../numbers.js").Reader} reader
 * @returns {import("../coding/masks.js").Mask}
 */
export function readFlips(delta, { length, ones }, reader) {
  const index = reader.u();
  const flipped = reader.u();
  const coder = reader.u8();
  if (flipped > length || coder >= FLIPS) reader.fail("range", "flips");
  const base = delta.base();
  // Before it is decoded: a longer one could take any memory.
  if (base.manifest.masks[index]?.length !== length) reader.fail("base-mask");
  const flips = bitsOf(readMask(coder, length, flipped, reader));
  const bits = bitsOf(base.mask(index)).map((byte, i) => byte ^ flips[i]);
  return checkedMask(bits, length, ones, reader);
}

/**
 * What a reference of 6.2 says, checked against the tables of the base.
 * @param {Decoder} delta
 * @param {number} user
 * @param {number} reference at least 1
 * @returns {number} index of a prototype, or of an entry that is no alias
 */
function resolve(delta, user, reference) {
  const { row: ours, theirs } = find(delta, delta.base(), user);
  if (reference > theirs.length) throw new PemnError("payload", "base-row");
  let index = reference - 1;
  const row = theirs[index];
  if ("target" in row && row.target >= 0) index = row.target;
  const { dtype } = theirs[index];
  if (dtype !== ours.dtype || sizeOf(theirs[index]) !== sizeOf(ours)) throw new PemnError("payload", "base-fit");
  return index;
}

/**
 * A block of coder 6. The references of all its users are checked, also of those that are not decoded.
 * @param {Decoder} delta
 * @param {import("../manifest/tables.js").BlockRow} row
 * @param {import("../numbers.js").Reader} reader
 * @returns {import("../decoder.js").Block}
 */
export function readDifferences(delta, row, reader) {
  const references = row.users.map(() => reader.u());
  const coder = reader.u8();
  if (coder >= XOR) reader.fail("unknown", "coder of differences");
  const elements = readElements(coder, countOf(row), dtypeOf(row.dtype).size, reader);
  // Without a reference, too, a block of differences needs the base.
  delta.base();
  row.users.forEach((user, i) => {
    if (references[i] > 0) resolve(delta, user, references[i]);
  });
  return { elements, references };
}

/**
 * @param {Decoder} delta
 * @param {Uint8Array} out differences of a user; replaced by its elements
 * @param {number} user
 * @param {number} reference at least 1
 */
export function xorInto(delta, out, user, reference) {
  const index = resolve(delta, user, reference);
  const base = delta.base();
  const { row, isPrototype } = find(delta, base, user);
  const mask = row.kind === "values" ? row.presence : row.kind === KEPT ? row.mask : -1;
  let values = (isPrototype ? basePrototype : baseEntry)(base, index);
  if (mask >= 0) values = gather(delta.mask(mask), values, dtypeOf(row.dtype).size);
  for (let k = 0; k < out.length; k++) out[k] ^= values[k];
}

/** A prototype for a delta, within the limit of 4.7. @param {Decoder} base @param {number} index @returns {Uint8Array} */
function basePrototype(base, index) {
  const row = base.manifest.prototypes[index];
  const size = isDrawn(row) ? 4 * (2 * row.length + row.offset + 16) : row.length * dtypeOf(row.dtype).size;
  checkLimit(size, base.maxBytes, "a prototype of the base");
  return base.prototype(index);
}

/** An entry for a delta, within the limit of 4.7. @param {Decoder} base @param {number} index @returns {Uint8Array} */
function baseEntry(base, index) {
  const row = base.manifest.entries[index];
  checkLimit(row.elements * dtypeOf(row.dtype).size, base.maxBytes, "a tensor of the base");
  for (const prototype of prototypesOf(row)) basePrototype(base, prototype);
  return base.entry(index);
}
