/** Blocks of section 6: each coder's payload to the bytes of the elements. */

import { BOOL, dtypeOf } from "../dtypes.js";
import { XOR, countOf } from "../manifest/tables.js";
import { decompress } from "../zstd/frame.js";
import { readPalette } from "./palette.js";
import { readGrouped, readPlanes } from "./planes.js";

/**
 * A block, decoded. `references`: of its users into the base, if its elements are differences (6.2), else none.
 * @typedef {{elements: Uint8Array, references: number[]|null}} Block
 */

/**
 * @param {number} coder
 * @param {number} count
 * @param {number} size
 * @param {import("../numbers.js").Reader} reader
 * @returns {Uint8Array}
 */
function readElements(coder, count, size, reader) {
  switch (coder) {
    case 0:
      if (reader.left !== count * size) reader.fail("raw-size");
      return reader.rest();
    case 1:
      return decompress(reader.rest(), { exactly: count * size }, "payload");
    case 2:
    case 4:
      return readPlanes(reader, count, size, coder === 4);
    case 3:
      return readPalette(reader, count, size);
    default:
      return readGrouped(reader, count, size);
  }
}

/**
 * Check the elements of a dtype (4.8).
 * @param {number} dtype
 * @param {Uint8Array} elements
 * @param {import("../numbers.js").Reader} reader for errors
 */
export function checkElements(dtype, elements, reader) {
  if (dtype === BOOL && elements.some((byte) => byte > 1)) reader.fail("bool");
}

/**
 * Decode a block.
 * @param {import("../manifest/tables.js").BlockRow} row
 * @param {import("../numbers.js").Reader} reader of its payload, of the class `payload`
 * @returns {Block} its elements are perhaps a view of the file
 */
export function readBlock(row, reader) {
  const { coder, dtype, users } = row;
  const count = countOf(row);
  const { size } = dtypeOf(dtype);
  if (coder < XOR) {
    const elements = readElements(coder, count, size, reader);
    checkElements(dtype, elements, reader);
    return { elements, references: null };
  }
  const references = users.map(() => reader.u());
  const inner = reader.u8();
  if (inner >= XOR) reader.fail("unknown", "coder of differences");
  return { elements: readElements(inner, count, size, reader), references };
}
