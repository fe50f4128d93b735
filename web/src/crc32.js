/** CRC-32 of the format. */

/** Eight tables, so that eight bytes are taken at a time. @returns {Uint32Array} */
function crcTables() {
  const tables = new Uint32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    tables[i] = c;
  }
  for (let i = 256; i < 2048; i++) tables[i] = (tables[i - 256] >>> 8) ^ tables[tables[i - 256] & 255];
  return tables;
}

const CRC = crcTables();

/**
 * CRC-32 of section 1.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function crc32(bytes) {
  let c = ~0;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    c =
      CRC[1792 | (c & 255)] ^
      CRC[1536 | ((c >>> 8) & 255)] ^
      CRC[1280 | ((c >>> 16) & 255)] ^
      CRC[1024 | (c >>> 24)] ^
      CRC[768 | bytes[i + 4]] ^
      CRC[512 | bytes[i + 5]] ^
      CRC[256 | bytes[i + 6]] ^
      CRC[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ CRC[(c ^ bytes[i]) & 255];
  return ~c >>> 0;
}
