/** Decoding of entries: what sections 5 to 8 need of each other, with what several entries share made once. */

import { checkElements, readBlock } from "./coding/blocks.js";
import { boolsOf, gather, scatter, tile } from "./coding/layers.js";
import { readMask } from "./coding/masks.js";
import { dtypeOf } from "./dtypes.js";
import { PemnError } from "./errors.js";
import { draws } from "./generators/draws.js";
import { generate } from "./generators/generate.js";
import { checkLimit, drawsOfSeeds, isDrawn } from "./limits.js";
import { ALIAS, BOOL_MASK, KEPT, TENSOR } from "./manifest/tables.js";
import { Reader } from "./numbers.js";

/**
 * @typedef {import("./coding/masks.js").Mask} Mask
 * @typedef {import("./coding/blocks.js").Block} Block
 * @typedef {import("./manifest/tables.js").User} User
 * @typedef {import("./manifest/tables.js").Manifest} Manifest
 * @typedef {import("./payload.js").Payload} Payload
 */

/**
 * @param {import("./manifest/tables.js").PrototypeRow|import("./manifest/tables.js").EntryRow} row
 * @returns {number} elements, those that are not stored too
 */
const sizeOf = (row) => ("elements" in row ? row.elements : row.length);

/** Decodes entries of one file. What it has made is kept until `forget`. */
export class Decoder {
  /**
   * @param {Manifest} manifest
   * @param {Payload} payload
   * @param {number} maxBytes for what is made for a base (4.7)
   * @param {() => Decoder} base of a delta
   */
  constructor(manifest, payload, maxBytes, base) {
    this.manifest = manifest;
    this.payload = payload;
    this.maxBytes = maxBytes;
    this.base = base;
    /** @type {Map<number, Mask>} */
    this.masks = new Map();
    /** @type {Map<number, Block>} */
    this.blocks = new Map();
    /** @type {Map<number, Uint8Array>} */
    this.prototypes = new Map();
    /** @type {Map<number, Uint32Array>} */
    this.draws = new Map();
  }

  /** Drop all that is kept. */
  forget() {
    for (const kept of [this.masks, this.blocks, this.prototypes, this.draws]) kept.clear();
  }

  /** @param {{at: number, size: number}} row @returns {Reader} */
  open(row) {
    return new Reader(this.payload.view(row.at, row.size), "payload");
  }

  /** @param {number} index @returns {Mask} */
  mask(index) {
    const made = this.masks.get(index);
    if (made) return made;
    const row = this.manifest.masks[index];
    const mask = readMask(row.coder, row.length, row.ones, this.open(row), (of, length) => {
      const base = this.base();
      // Before it is decoded: a longer one could take any memory.
      if (base.manifest.masks[of]?.length !== length) throw new PemnError("payload", "no such mask in the base");
      return base.mask(of);
    });
    this.masks.set(index, mask);
    return mask;
  }

  /** @param {number} index @returns {Block} */
  block(index) {
    const made = this.blocks.get(index);
    if (made) return made;
    const row = this.manifest.blocks[index];
    checkLimit(row.count * dtypeOf(row.dtype).size, this.maxBytes, "a block");
    const block = readBlock(row, this.open(row));
    if (block.references) this.checkReferences(row, block.references);
    this.blocks.set(index, block);
    return block;
  }

  /**
   * The elements of a user of a block.
   * @param {number} index of the block
   * @param {number} number of the user
   * @returns {Uint8Array} a view, but of differences
   */
  elements(index, number) {
    const row = this.manifest.blocks[index];
    const { size } = dtypeOf(row.dtype);
    const { elements, references } = this.block(index);
    const user = row.users[number];
    const own = elements.subarray(user.start * size, (user.start + user.count) * size);
    if (!references) return own;
    const made = own.slice();
    // Of this user alone: what others refer to need not decode.
    if (references[number] > 0 && user.count > 0) this.xorInto(made, user, references[number]);
    checkElements(row.dtype, made, new Reader(made, "payload"));
    return made;
  }

  /** @param {number} index @returns {Uint8Array} all elements, those that are not stored too */
  prototype(index) {
    const made = this.prototypes.get(index);
    if (made) return made;
    const row = this.manifest.prototypes[index];
    const { size } = dtypeOf(row.dtype);
    let values;
    if (row.kind === "generator") values = generate(row, (seed) => this.drawsOf(seed));
    else if (row.presence < 0) values = this.elements(row.block, row.user);
    else {
      const presence = this.mask(row.presence);
      values = scatter(presence, this.elements(row.block, row.user), size);
    }
    this.prototypes.set(index, values);
    return values;
  }

  /** @param {number} seed @returns {Uint32Array} as many draws as the file needs */
  drawsOf(seed) {
    let made = this.draws.get(seed);
    if (!made) {
      made = draws(seed, drawsOfSeeds(this.manifest).get(seed) ?? 0);
      this.draws.set(seed, made);
    }
    return made;
  }

  /**
   * The bytes of an entry.
   * @param {number} index
   * @returns {Uint8Array} of its own memory
   */
  entry(index) {
    const row = this.manifest.entries[index];
    if (row.kind === ALIAS) return this.entry(row.target);
    if (row.kind === TENSOR) return this.elements(row.block, row.user).slice();
    const mask = this.mask(row.mask);
    if (row.kind === BOOL_MASK) return boolsOf(mask);
    if (row.kind === KEPT) {
      return scatter(mask, this.elements(row.block, row.user), dtypeOf(row.dtype).size);
    }
    return tile(row, mask, this.prototype(row.prototype), row.second < 0 ? null : this.prototype(row.second));
  }

  /**
   * What a reference of 6.2 says, checked against the tables of the base.
   * @param {User} user
   * @param {number} reference at least 1
   * @param {Decoder} base
   * @returns {number} index of a prototype, or of an entry that is no alias
   */
  resolve(user, reference, base) {
    const { prototypes, entries } = this.manifest;
    const ours = user.of === "prototype" ? prototypes[user.index] : entries[user.index];
    const theirs = user.of === "prototype" ? base.manifest.prototypes : base.manifest.entries;
    if (reference > theirs.length) throw new PemnError("payload", "a reference to nothing of the base");
    let index = reference - 1;
    let row = theirs[index];
    if ("target" in row && row.target >= 0) {
      index = row.target;
      row = theirs[index];
    }
    if (row.dtype !== ours.dtype || sizeOf(row) !== sizeOf(ours)) throw new PemnError("payload", "a reference to another dtype or size");
    return index;
  }

  /** @param {import("./manifest/tables.js").BlockRow} row @param {number[]} references of its users */
  checkReferences({ users }, references) {
    const base = this.base();
    users.forEach((user, i) => {
      if (references[i] > 0) this.resolve(user, references[i], base);
    });
  }

  /** @param {Uint8Array} out differences of a user @param {User} user @param {number} reference at least 1 */
  xorInto(out, user, reference) {
    const base = this.base();
    const index = this.resolve(user, reference, base);
    let values;
    let row;
    let mask = -1;
    if (user.of === "prototype") {
      row = this.manifest.prototypes[user.index];
      if (row.kind === "values") mask = row.presence;
      values = base.ofBasePrototype(index);
    } else {
      row = this.manifest.entries[user.index];
      if (row.kind === KEPT) mask = row.mask;
      values = base.ofBaseEntry(index);
    }
    if (mask >= 0) values = gather(this.mask(mask), values, dtypeOf(row.dtype).size);
    for (let k = 0; k < out.length; k++) out[k] ^= values[k];
  }

  /** A prototype for a delta, within the limit of 4.7. @param {number} index @returns {Uint8Array} */
  ofBasePrototype(index) {
    const row = this.manifest.prototypes[index];
    const size = row.length * dtypeOf(row.dtype).size;
    checkLimit(isDrawn(row) ? 4 * (2 * row.length + row.offset + 16) : size, this.maxBytes, "a prototype of the base");
    return this.prototype(index);
  }

  /** An entry for a delta, within the limit of 4.7. @param {number} index @returns {Uint8Array} */
  ofBaseEntry(index) {
    const row = this.manifest.entries[index];
    checkLimit(row.elements * dtypeOf(row.dtype).size, this.maxBytes, "a tensor of the base");
    for (const prototype of [row.prototype, row.second]) if (prototype >= 0) this.ofBasePrototype(prototype);
    return this.entry(index);
  }
}
