/** Reading of the numbers of section 1, with the error class of the place. */

import { PemnError } from "./errors.js";

/** @typedef {import("./errors.js").ErrorKind} ErrorKind */

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} count at most 8
 * @returns {number} rounded above 2^53; NaN if the bytes end before
 */
export function littleEndian(bytes, at, count) {
  let value = 0;
  for (let i = at + count - 1; i >= at; i--) value = value * 256 + bytes[i];
  return value;
}

/** A cursor over bytes. A read that runs past their end is an error of the class that the reader was made with. */
export class Reader {
  /**
   * @param {Uint8Array} bytes
   * @param {ErrorKind} kind class of all errors
   */
  constructor(bytes, kind) {
    this.bytes = bytes;
    this.kind = kind;
    this.position = 0;
  }

  /** @returns {number} bytes that are not read yet */
  get left() {
    return this.bytes.length - this.position;
  }

  /**
   * @param {string} code
   * @param {import("./errors.js").Value[]} values
   * @returns {never}
   */
  fail(code, ...values) {
    throw new PemnError(this.kind, code, ...values);
  }

  /**
   * A view of the next bytes.
   * @param {number} count
   * @returns {Uint8Array}
   */
  take(count) {
    if (count > this.left) this.fail("end");
    const start = this.position;
    this.position += count;
    return this.bytes.subarray(start, this.position);
  }

  /** @returns {Uint8Array} a view of all that is left */
  rest() {
    return this.take(this.left);
  }

  /** @param {number} size @returns {Uint8Array} a view of all that is left, which must be so many bytes */
  exactly(size) {
    if (this.left !== size) this.fail("raw-size");
    return this.rest();
  }

  /** @returns {number} */
  u8() {
    if (this.position >= this.bytes.length) this.fail("end");
    return this.bytes[this.position++];
  }

  /** @returns {number} */
  u16() {
    return littleEndian(this.take(2), 0, 2);
  }

  /** @returns {number} */
  u32() {
    return littleEndian(this.take(4), 0, 4);
  }

  /**
   * A LEB128 number. It is exact below 2^53. Above that it may be rounded, which decides nothing: no legal value of the
   * format is above 2^48, and rounding keeps such a number above it.
   * @returns {number}
   */
  u() {
    let value = 0;
    let unit = 1;
    for (let i = 0; i < 9; i++) {
      const byte = this.u8();
      value += (byte & 127) * unit;
      unit *= 128;
      if (byte < 128) {
        if (byte === 0 && i > 0) this.fail("number");
        return value;
      }
    }
    return this.fail("number");
  }

  /**
   * @param {number} size bytes of UTF-8
   * @returns {string}
   */
  text(size) {
    return decodeText(this.take(size), this.kind);
  }
}

/**
 * @param {Uint8Array} bytes UTF-8
 * @param {ErrorKind} kind class of the error for other bytes
 * @returns {string}
 */
export function decodeText(bytes, kind) {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new PemnError(kind, "utf-8");
  }
}

/**
 * Memory for results. The engine's refusal of a length is the class `limit`.
 * @template T
 * @param {new (length: number) => T} type
 * @param {number} length
 * @returns {T}
 */
export function allocate(type, length) {
  try {
    return new type(length);
  } catch {
    throw new PemnError("limit", "memory");
  }
}
