/** XXH64, the content checksum of Zstandard frames (RFC 8878, 3.1.1). Frames of pemncodec have none. */

const MASK64 = (1n << 64n) - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

/** @param {bigint} x @param {bigint} n @returns {bigint} */
const rotate64 = (x, n) => ((x << n) | (x >> (64n - n))) & MASK64;

/** @param {bigint} lane @param {bigint} word @returns {bigint} */
const round64 = (lane, word) => (rotate64((lane + word * P2) & MASK64, 31n) * P1) & MASK64;

/**
 * The low 32 bits of XXH64 with seed 0.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function xxh64Low(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let i = 0;
  let h;
  if (bytes.length >= 32) {
    let [a, b, c, d] = [(P1 + P2) & MASK64, P2, 0n, -P1 & MASK64];
    for (; i + 32 <= bytes.length; i += 32) {
      a = round64(a, view.getBigUint64(i, true));
      b = round64(b, view.getBigUint64(i + 8, true));
      c = round64(c, view.getBigUint64(i + 16, true));
      d = round64(d, view.getBigUint64(i + 24, true));
    }
    h = (rotate64(a, 1n) + rotate64(b, 7n) + rotate64(c, 12n) + rotate64(d, 18n)) & MASK64;
    for (const lane of [a, b, c, d]) h = ((h ^ round64(0n, lane)) * P1 + P4) & MASK64;
  } else {
    h = P5;
  }
  h = (h + BigInt(bytes.length)) & MASK64;
  for (; i + 8 <= bytes.length; i += 8) {
    h = (rotate64(h ^ round64(0n, view.getBigUint64(i, true)), 27n) * P1 + P4) & MASK64;
  }
  if (i + 4 <= bytes.length) {
    h = (rotate64(h ^ ((BigInt(view.getUint32(i, true)) * P1) & MASK64), 23n) * P2 + P3) & MASK64;
    i += 4;
  }
  for (; i < bytes.length; i++) h = (rotate64(h ^ ((BigInt(bytes[i]) * P5) & MASK64), 11n) * P1) & MASK64;
  h = ((h ^ (h >> 33n)) * P2) & MASK64;
  h = ((h ^ (h >> 29n)) * P3) & MASK64;
  return Number((h ^ (h >> 32n)) & 0xffffffffn);
}
