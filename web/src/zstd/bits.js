/** Bit streams of Zstandard (RFC 8878): forwards for table descriptions, backwards for everything else. */

/** Thrown inside the folder; the caller gives it the class of the place. */
export class ZstdError {
  /** @param {string} code without the `zstd-` before it */
  constructor(code) {
    this.code = code;
  }
}

/**
 * @param {string} code without the `zstd-` before it
 * @returns {never}
 */
export function corrupt(code) {
  throw new ZstdError(code);
}

/**
 * Bits from `at` on, least significant first; what is outside of `bytes` reads as 0.
 * @param {Uint8Array} bytes
 * @param {number} at not negative
 * @param {number} count at most 25
 * @returns {number}
 */
export function peek(bytes, at, count) {
  const i = at >>> 3;
  // What is past the end is undefined, and 0 to the operators of bits.
  const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
  return (word >>> (at & 7)) & ((1 << count) - 1);
}

/** A stream that is read from its last bit to its first (section 4.1 of RFC 8878). */
export class Backwards {
  /** @param {Uint8Array} bytes with the final bit that marks the end */
  constructor(bytes) {
    if (bytes.length === 0 || bytes[bytes.length - 1] === 0) corrupt("stream");
    this.bytes = bytes;
    /** Bits that are left; below 0 after reading more than there were. */
    this.left = bytes.length * 8 - 1 - Math.clz32(bytes[bytes.length - 1]) + 24;
  }

  /**
   * The next bits, the first of them the most significant. Bits past the end read as 0.
   * @param {number} count at most 25
   * @returns {number}
   */
  read(count) {
    this.left -= count;
    if (this.left >= 0) return peek(this.bytes, this.left, count);
    const there = count + this.left;
    return there > 0 ? peek(this.bytes, 0, there) << -this.left : 0;
  }
}
