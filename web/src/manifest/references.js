/** Mask references (4.5), which are numbered through the whole manifest. */

/** Reads mask references in their order. */
export class References {
  /**
   * @param {import("../numbers.js").Reader} reader
   * @param {number} masks how many masks there are
   */
  constructor(reader, masks) {
    this.reader = reader;
    this.masks = masks;
    this.next = 0;
  }

  /** @returns {number} index of a mask */
  read() {
    const r = this.reader.u();
    const index = r === 0 ? this.next++ : r - 1;
    if (index >= this.masks || (r > 0 && index >= this.next)) this.reader.fail("range", "mask reference");
    return index;
  }

  /** Check that every mask was referred to. */
  finish() {
    if (this.next !== this.masks) this.reader.fail("unused", "mask");
  }
}
