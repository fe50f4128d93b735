/** Blocks of section 6: each coder's payload to the bytes of the elements. */

import { BOOL, dtypeOf } from "../dtypes.js";
import { decompress } from "../zstd/frame.js";
import { readPalette } from "./palette.js";
import { readGrouped, readPlanes } from "./planes.js";

/**
 * Elements of the base (6.2): the bytes of `count` elements for a user, all-zero bits if it has no reference.
 * @typedef {{
 *   references: (references: number[]) => void,
 *   xorInto: (elements: Uint8Array, references: number[]) => void,
 * }} BaseElements `references` checks all of them, `xorInto` adds what they say
 */

/**
 * @param {number} coder
 * @param {number} count
 * @param {number} size
 * @param {import("../numbers.js").Reader} reader
 * @param {number} users
 * @param {BaseElements} base
 * @returns {Uint8Array}
 */
function readElements(coder, count, size, reader, users, base) {
  switch (coder) {
    case 0:
      if (reader.left !== count * size) reader.fail("a raw block has another size");
      return reader.rest();
    case 1:
      return decompress(reader.rest(), { exactly: count * size }, "payload");
    case 2:
    case 4:
      return readPlanes(reader, count, size, coder === 4);
    case 3:
      return readPalette(reader, count, size);
    case 5:
      return readGrouped(reader, count, size);
    default: {
      const references = [];
      for (let i = 0; i < users; i++) references.push(reader.u());
      const inner = reader.u8();
      if (inner > 5) reader.fail("unknown coder of differences");
      base.references(references);
      const elements = readElements(inner, count, size, reader, 0, base).slice();
      base.xorInto(elements, references);
      return elements;
    }
  }
}

/**
 * Decode a block.
 * @param {import("../manifest/tables.js").BlockRow} row
 * @param {import("../numbers.js").Reader} reader of its payload, of the class `payload`
 * @param {BaseElements} base
 * @returns {Uint8Array} the bytes of its elements; perhaps a view of the file
 */
export function readBlock(row, reader, base) {
  const elements = readElements(row.coder, row.count, dtypeOf(row.dtype).size, reader, row.users.length, base);
  if (row.dtype === BOOL && elements.some((byte) => byte > 1)) reader.fail("a bool is neither 0 nor 1");
  return elements;
}
