/** Blocks of section 6: each coder's payload to the bytes of the elements. */

import { BOOL } from "../dtypes.js";
import { decompress } from "../zstd/frame.js";
import { readPalette } from "./palette.js";
import { readGrouped, readPlanes } from "./planes.js";

/**
 * The elements of a block of any coder but xor.
 * @param {number} coder
 * @param {number} count
 * @param {number} size
 * @param {import("../numbers.js").Reader} reader of its payload, of the class `payload`
 * @returns {Uint8Array} perhaps a view of the file
 */
export function readElements(coder, count, size, reader) {
  switch (coder) {
    case 0:
      return reader.exactly(count * size);
    case 1:
      return decompress(reader.rest(), count * size);
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
