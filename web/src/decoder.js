/** Decoding of entries: what sections 5 to 8 need of each other, with what several entries share made once. */

import { checkElements, readElements } from "./coding/blocks.js";
import { boolsOf, scatter, tile } from "./coding/layers.js";
import { readMask } from "./coding/masks.js";
import { dtypeOf } from "./dtypes.js";
import { checkLimit, drawsOfSeeds } from "./limits.js";
import { ALIAS, BLOCK_CHUNKS, BOOL_MASK, FLIPS, KEPT, MASK_CHUNKS, TENSOR, XOR, countOf, prototypesOf } from "./manifest/tables.js";
import { Reader } from "./numbers.js";
import { need, needAll } from "./parts.js";

/**
 * A block, decoded. `references`: of its users into the base, if its elements are differences (6.2), else none.
 * @typedef {{elements: Uint8Array, references: number[]|null}} Block
 */
/**
 * @typedef {import("./coding/masks.js").Mask} Mask
 * @typedef {import("./manifest/tables.js").Manifest} Manifest
 * @typedef {import("./payload.js").Payload} Payload
 */

/**
 * What a map has under a key, made at first.
 * @template Value
 * @param {Map<number, Value>} kept
 * @param {number} key
 * @param {() => Value} make
 * @returns {Value}
 */
function once(kept, key, make) {
  let value = kept.get(key);
  if (value === undefined) kept.set(key, (value = make()));
  return value;
}

/** Decodes entries of one file. What it has made is kept until `forget`. */
export class Decoder {
  /** @type {Decoder|undefined} */
  #base;

  /**
   * @param {Manifest} manifest
   * @param {Payload} payload
   * @param {number} maxBytes for what is made for a base (4.7)
   * @param {Uint8Array[]} bases of a delta, in any order
   * @param {number} [depth] bases before this file
   */
  constructor(manifest, payload, maxBytes, bases, depth = 0) {
    this.manifest = manifest;
    this.payload = payload;
    this.maxBytes = maxBytes;
    this.bases = bases;
    this.depth = depth;
    /** @type {Map<number, Mask>} */
    this.masks = new Map();
    /** @type {Map<number, Block>} */
    this.blocks = new Map();
    /** @type {Map<number, Uint8Array>} */
    this.prototypes = new Map();
    /** @type {Map<number, Uint32Array>} */
    this.draws = new Map();
  }

  /** The decoder of the base of a delta. @returns {Decoder} */
  base() {
    return (this.#base ??= need("delta").openBase(this));
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
    return once(this.masks, index, () => {
      const row = this.manifest.masks[index];
      const reader = this.open(row);
      if (row.coder === FLIPS) return need("delta").readFlips(this, row, reader);
      if (row.coder === MASK_CHUNKS) return need("chunks").readMaskChunks(row, reader);
      return readMask(row.coder, row.length, row.ones, reader);
    });
  }

  /** @param {number} index @returns {Block} */
  block(index) {
    return once(this.blocks, index, () => {
      const row = this.manifest.blocks[index];
      const count = countOf(row);
      const { size } = dtypeOf(row.dtype);
      checkLimit(count * size, this.maxBytes, "a block");
      const reader = this.open(row);
      if (row.coder === XOR) return need("delta").readDifferences(this, row, reader);
      const elements =
        row.coder === BLOCK_CHUNKS
          ? need("chunks").readBlockChunks(count, size, reader)
          : readElements(row.coder, count, size, reader);
      checkElements(row.dtype, elements, reader);
      return { elements, references: null };
    });
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
    const own = elements.subarray(row.starts[number] * size, row.starts[number + 1] * size);
    if (!references) return own;
    const made = own.slice();
    // Of this user alone: what others refer to need not decode.
    if (references[number] > 0 && made.length > 0) {
      need("delta").xorInto(this, made, row.users[number], references[number]);
    }
    checkElements(row.dtype, made, new Reader(made, "payload"));
    return made;
  }

  /** @param {number} index @returns {Uint8Array} all elements, those that are not stored too */
  prototype(index) {
    return once(this.prototypes, index, () => {
      const row = this.manifest.prototypes[index];
      if (row.kind === "generator") return need("seeds").generate(row, (seed) => this.drawsOf(seed));
      const values = this.elements(row.block, row.user);
      return row.presence < 0 ? values : scatter(this.mask(row.presence), values, dtypeOf(row.dtype).size);
    });
  }

  /** @param {number} seed @returns {Uint32Array} as many draws as the file needs */
  drawsOf(seed) {
    return once(this.draws, seed, () => need("torch").draws(seed, drawsOfSeeds(this.manifest).get(seed) ?? 0));
  }

  /** Have all parts that entries need before any is decoded. @param {Iterable<number>} indices */
  needParts(indices) {
    const { entries, prototypes, masks, blocks, delta } = this.manifest;
    /** @type {Set<keyof import("./parts.js").Parts>} */
    const names = new Set(delta ? ["delta"] : []);
    if (masks.some((row) => row.coder === MASK_CHUNKS) || blocks.some((row) => row.coder === BLOCK_CHUNKS)) {
      names.add("chunks");
    }
    for (const index of indices) {
      for (const prototype of prototypesOf(entries[index])) {
        const row = prototypes[prototype];
        if (row.kind !== "generator") continue;
        names.add("seeds");
        if (row.generator >= 3) names.add("torch");
      }
    }
    needAll([...names]);
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
    if (row.kind === KEPT) return scatter(mask, this.elements(row.block, row.user), dtypeOf(row.dtype).size);
    const [first, second] = prototypesOf(row).map((prototype) => this.prototype(prototype));
    return tile(row, mask, first, second);
  }
}
