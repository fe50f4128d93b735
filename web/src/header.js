/** Header of section 3, and where the parts of section 2 are. */

import { crc32 } from "./crc32.js";
import { PemnError } from "./errors.js";
import { Reader } from "./numbers.js";

export const HEADER_SIZE = 36;
export const PAGE_SIZE = 65536;
const MAGIC = [0x89, 0x50, 0x45, 0x4d, 0x4e, 0x0d, 0x0a, 0x1a];
const MAJOR = 1;
const MINOR = 6;
const MAX_MANIFEST = 2 ** 24;
const MAX_PAYLOAD = 2 ** 48;

/**
 * @typedef {{
 *   minor: number, manifestSize: number, manifestLength: number, payloadSize: number, manifestCrc: number,
 *   pages: number, payloadAt: number, fileSize: number
 * }} Header
 */

/**
 * Read a header: checks 1 to 4 of section 3.
 * @param {Uint8Array} bytes the beginning of the file; all of it if it is shorter than a header
 * @returns {Header}
 */
export function readHeader(bytes) {
  const same = MAGIC.every((byte, i) => i >= bytes.length || bytes[i] === byte);
  if (!same) throw new PemnError("magic", "magic");
  if (bytes.length < 10) throw new PemnError("truncated", "short");
  if (bytes[8] !== MAJOR || bytes[9] > MINOR) {
    throw new PemnError("version", "version", bytes[8], bytes[9], MAJOR, MINOR);
  }
  if (bytes.length < HEADER_SIZE) throw new PemnError("truncated", "short");
  const reader = new Reader(bytes, "truncated");
  reader.take(9);
  const minor = reader.u8();
  const flags = reader.u16();
  const manifestSize = reader.u32();
  const manifestLength = reader.u32();
  // Above 2^53 this may be rounded, and is over the maximum all the same.
  const payloadSize = reader.u32() + reader.u32() * 2 ** 32;
  const manifestCrc = reader.u32();
  if (crc32(bytes.subarray(0, 32)) !== reader.u32()) throw new PemnError("checksum", "damaged", "header");
  if (flags !== 0) throw new PemnError("manifest", "unknown", "flags");
  if (manifestLength > MAX_MANIFEST) throw new PemnError("limit", "many", "bytes of the manifest");
  if (payloadSize > MAX_PAYLOAD) throw new PemnError("limit", "many", "bytes of the payload");
  if (manifestSize === 0 || manifestSize > manifestLength) {
    throw new PemnError("manifest", "range", "size of the manifest");
  }
  const pages = Math.ceil(payloadSize / PAGE_SIZE);
  const payloadAt = HEADER_SIZE + manifestSize + 4 * pages;
  const fileSize = payloadAt + payloadSize;
  return { minor, manifestSize, manifestLength, payloadSize, manifestCrc, pages, payloadAt, fileSize };
}

/**
 * Check 5 of section 3.
 * @param {Header} header
 * @param {number} size bytes of the file
 */
export function checkFileSize(header, size) {
  if (size < header.fileSize) throw new PemnError("truncated", "short-of", size, header.fileSize);
  if (size > header.fileSize) throw new PemnError("trailing", "after", size - header.fileSize);
}
