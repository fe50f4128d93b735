/** Bits in bytes (section 1): counting, checking, and numbers of some bits each. */

/** @returns {Uint8Array} one bits by byte value */
function countTable() {
  const table = new Uint8Array(256);
  for (let i = 1; i < 256; i++) table[i] = table[i >> 1] + (i & 1);
  return table;
}

export const ONES = countTable();

/** @param {Uint8Array} bits @returns {number} one bits */
export function countOnes(bits) {
  let ones = 0;
  for (let i = 0; i < bits.length; i++) ones += ONES[bits[i]];
  return ones;
}

/**
 * @param {Uint8Array} bits
 * @param {number} length bits that are used
 * @returns {boolean} the unused bits of the last byte are 0
 */
export function endsClean(bits, length) {
  return length % 8 === 0 || bits[bits.length - 1] >> length % 8 === 0;
}

/** Numbers of `width` bits each, 0 to 31, least significant bit first, one after the other. */
export class BitNumbers {
  /** @param {Uint8Array} bytes @param {number} width */
  constructor(bytes, width) {
    this.bytes = bytes;
    this.width = width;
    this.at = 0;
    this.held = 0;
    this.buffer = 0;
  }

  /** @returns {number} the next number */
  next() {
    // A buffer of doubles' 53 exact bits: at most 7 bits are left over, and 31 more are needed.
    while (this.held < this.width) {
      this.buffer += this.bytes[this.at++] * 2 ** this.held;
      this.held += 8;
    }
    const unit = 2 ** this.width;
    const value = this.buffer % unit;
    this.buffer = (this.buffer - value) / unit;
    this.held -= this.width;
    return value;
  }
}
