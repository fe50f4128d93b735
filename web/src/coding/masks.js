/** Masks of section 5: each coder's payload to bits. */

import { allocate, Reader } from "../numbers.js";
import { decompress } from "../zstd/frame.js";
import { BitNumbers, countOnes, endsClean, ONES } from "./bits.js";
import { readRans } from "./rans.js";

/**
 * Bits of a mask, or none where all are of one value: such a mask may be as long as its users without taking memory.
 * @typedef {{length: number, ones: number, bits: Uint8Array|null}} Mask
 */

/**
 * The bits of a mask, made where they are constant.
 * @param {Mask} mask
 * @returns {Uint8Array}
 */
export function bitsOf({ length, ones, bits }) {
  if (bits) return bits;
  const made = allocate(Uint8Array, Math.ceil(length / 8));
  if (ones > 0) {
    made.fill(255);
    if (length % 8) made[made.length - 1] = (1 << length % 8) - 1;
  }
  return made;
}

/** Sets the bits at gaps; the others are `fill`. */
class GapSetter {
  /** @param {Reader} reader for errors @param {number} length @param {boolean} zeros the positions are of zero bits */
  constructor(reader, length, zeros) {
    this.reader = reader;
    this.length = length;
    this.zeros = zeros;
    this.bits = zeros ? bitsOf({ length, ones: length, bits: null }) : allocate(Uint8Array, Math.ceil(length / 8));
    this.position = -1;
  }

  /** @param {number} gap */
  add(gap) {
    this.position += gap + 1;
    if (!(this.position < this.length)) this.reader.fail("range", "gap");
    // By division, since positions may be above 2^32.
    this.bits[Math.floor(this.position / 8)] ^= 1 << this.position % 8;
  }
}

/**
 * @param {Uint8Array} bytes gap bytes
 * @param {number} positions
 * @param {Reader} reader for errors
 * @param {(gap: number) => void} use
 */
function splitGaps(bytes, positions, reader, use) {
  let at = 0;
  for (let i = 0; i < positions; i++) {
    let gap = 0;
    let byte;
    do {
      if (at === bytes.length) reader.fail("gaps-few");
      byte = bytes[at++];
      gap += byte;
    } while (byte === 255);
    use(gap);
  }
  if (at !== bytes.length) reader.fail("gaps-left");
}

/** @param {Reader} reader @param {number} length @param {number} positions @param {boolean} zeros */
function readGaps(reader, length, positions, zeros) {
  const atMost = positions + Math.floor(length / 255);
  const bytes = decompress(reader.rest(), atMost, { orLess: true });
  if (positions > bytes.length) reader.fail("gaps-few");
  const setter = new GapSetter(reader, length, zeros);
  splitGaps(bytes, positions, reader, (gap) => setter.add(gap));
  return setter.bits;
}

/** Frequencies of 5.2. @param {number} q @returns {Uint32Array} */
function densityFrequencies(q) {
  const byOnes = Array.from({ length: 9 }, (_, c) => {
    return Math.max(1, Number((BigInt(q) ** BigInt(c) * BigInt(256 - q) ** BigInt(8 - c)) >> 48n));
  });
  const frequencies = Uint32Array.from(ONES, (ones) => byOnes[ones]);
  const special = q <= 128 ? 0 : 255;
  frequencies[special] = 0;
  frequencies[special] = 65536 - frequencies.reduce((sum, f) => sum + f, 0);
  return frequencies;
}

/** Frequencies of 5.3. @param {number} t @returns {Uint32Array} */
function gapFrequencies(t) {
  const frequencies = new Uint32Array(256);
  let rest = 65536;
  for (let v = 0; v < 255; v++) {
    frequencies[v] = Math.min(Math.max(1, (rest * t) >>> 8), rest - 255 + v);
    rest -= frequencies[v];
  }
  frequencies[255] = rest;
  return frequencies;
}

/** @param {Reader} reader @param {number} length @param {number} positions @param {boolean} zeros */
function readRansGaps(reader, length, positions, zeros) {
  const s = reader.u8();
  const t = reader.u8();
  if (s > 31 || t < 1) reader.fail("range", "parameter of gaps");
  const count = reader.u();
  if (count > positions + Math.floor(length / 255) || count < positions) reader.fail("range", "number of gap bytes");
  const low = reader.take(Math.ceil((positions * s) / 8));
  if (!endsClean(low, positions * s)) reader.fail("unused-bits");
  const bytes = readRans(reader, count, gapFrequencies(t));
  const setter = new GapSetter(reader, length, zeros);
  const numbers = new BitNumbers(low, s);
  const unit = 2 ** s;
  splitGaps(bytes, positions, reader, (high) => setter.add(high * unit + numbers.next()));
  return setter.bits;
}

/**
 * @param {number} coder 0 to 7
 * @param {number} length
 * @param {number} ones as said by the manifest
 * @param {Reader} reader of the payload
 * @returns {Uint8Array|null}
 */
function readBits(coder, length, ones, reader) {
  const size = Math.ceil(length / 8);
  // Coders of ones, and the same of zeros with the next id.
  const ofZeros = coder === 4 || coder === 7;
  const positions = ofZeros ? length - ones : ones;
  switch (coder) {
    case 0:
      if (reader.left > 0 || (ones !== 0 && ones !== length)) reader.fail("constant");
      return null;
    case 1:
      return reader.exactly(size);
    case 2:
      return decompress(reader.rest(), size);
    case 3:
    case 4:
      return readGaps(reader, length, positions, ofZeros);
    case 5: {
      const q = reader.u8();
      if (q < 1) reader.fail("range", "density");
      return readRans(reader, size, densityFrequencies(q));
    }
    default:
      return readRansGaps(reader, length, positions, ofZeros);
  }
}

/**
 * A mask of these bits, which must be as the manifest says.
 * @param {Uint8Array} bits
 * @param {number} length
 * @param {number} ones
 * @param {Reader} reader for errors
 * @returns {Mask}
 */
export function checkedMask(bits, length, ones, reader) {
  if (!endsClean(bits, length)) reader.fail("unused-bits");
  if (countOnes(bits) !== ones) reader.fail("ones");
  return { length, ones, bits };
}

/**
 * Decode a mask of any coder but flips.
 * @param {number} coder
 * @param {number} length
 * @param {number} ones
 * @param {Reader} reader of its payload, of the class `payload`
 * @returns {Mask}
 */
export function readMask(coder, length, ones, reader) {
  const bits = readBits(coder, length, ones, reader);
  return bits ? checkedMask(bits, length, ones, reader) : { length, ones, bits };
}
