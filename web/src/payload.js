/** The payload: bytes that are there so far, and the check of their pages (section 3). */

import { crc32 } from "./crc32.js";
import { PemnError } from "./errors.js";
import { PAGE_SIZE } from "./header.js";
import { littleEndian } from "./numbers.js";

/** A payload of which ranges can be added. */
export class Payload {
  /**
   * @param {number} size
   * @param {Uint8Array} table the page table
   */
  constructor(size, table) {
    this.size = size;
    this.table = table;
    /** @type {{start: number, bytes: Uint8Array}[]} */
    this.chunks = [];
    this.checked = new Uint8Array(table.length / 4);
  }

  /**
   * Add bytes. They begin and end with pages.
   * @param {number} start
   * @param {Uint8Array} bytes
   */
  add(start, bytes) {
    this.chunks.push({ start, bytes });
  }

  /**
   * The pages that hold some bytes.
   * @param {number} at
   * @param {number} size
   * @returns {[number, number]} where they begin, and end
   */
  pagesOf(at, size) {
    const end = Math.min(this.size, Math.ceil((at + size) / PAGE_SIZE) * PAGE_SIZE);
    return [Math.floor(at / PAGE_SIZE) * PAGE_SIZE, end];
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {{start: number, bytes: Uint8Array}|undefined} what was added with these bytes in it
   */
  find(start, end) {
    return this.chunks.find((chunk) => chunk.start <= start && end <= chunk.start + chunk.bytes.length);
  }

  /**
   * A view of bytes, after a check of their pages.
   * @param {number} at
   * @param {number} size
   * @returns {Uint8Array}
   */
  view(at, size) {
    if (size === 0) return new Uint8Array(0);
    const [start, end] = this.pagesOf(at, size);
    const chunk = this.find(start, end);
    if (!chunk) throw new Error("bytes of the payload were not loaded");
    for (let page = start / PAGE_SIZE; page * PAGE_SIZE < end; page++) {
      if (this.checked[page]) continue;
      const from = page * PAGE_SIZE - chunk.start;
      const to = Math.min((page + 1) * PAGE_SIZE, this.size) - chunk.start;
      const stored = littleEndian(this.table, 4 * page, 4);
      if (crc32(chunk.bytes.subarray(from, to)) !== stored) throw new PemnError("checksum", "damaged", `page ${page}`);
      this.checked[page] = 1;
    }
    return chunk.bytes.subarray(at - chunk.start, at - chunk.start + size);
  }
}
