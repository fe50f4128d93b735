/** CRC-32 of the format, XXH64 of Zstandard's content checksum, and SHA-256 of a base. */

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
 * @param {number} [before] CRC-32 of what stands before these bytes
 * @returns {number}
 */
export function crc32(bytes, before = 0) {
  let c = ~before;
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
 * The low 32 bits of XXH64 with seed 0. Frames of pemncodec have no content checksum, so this need not be fast.
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

/**
 * The first 32 bits of the fractions of roots of the first primes, by integers alone (FIPS 180-4, 4.2.2 and 5.3.3).
 * @param {number} count
 * @param {bigint} power 2 or 3
 * @returns {number[]}
 */
function rootFractions(count, power) {
  const words = [];
  for (let n = 2; words.length < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    const target = BigInt(n) << (32n * power);
    let root = 0n;
    for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root + bit) ** power <= target) root += bit;
    words.push(Number(root & 0xffffffffn));
  }
  return words;
}

/**
 * SHA-256 (FIPS 180-4). The one of the Web Crypto API works asynchronously, and on secure pages only.
 * @param {Uint8Array} bytes
 * @returns {string} 64 digits of `0123456789abcdef`
 */
export function sha256(bytes) {
  const k = rootFractions(64, 3n);
  const state = Int32Array.from(rootFractions(8, 2n));
  const w = new Int32Array(64);
  const whole = bytes.length - (bytes.length % 64);
  const tail = new Uint8Array(bytes.length - whole < 56 ? 64 : 128);
  tail.set(bytes.subarray(whole));
  tail[bytes.length - whole] = 128;
  new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(bytes.length) * 8n);

  /** @param {number} x @param {number} n */
  const rotate = (x, n) => (x >>> n) | (x << (32 - n));
  /** @param {Uint8Array} data @param {number} at */
  const block = (data, at) => {
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
      const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    const end = [a, b, c, d, e, f, g, h];
    for (let i = 0; i < 8; i++) state[i] += end[i];
  };

  for (let at = 0; at < whole; at += 64) block(bytes, at);
  for (let at = 0; at < tail.length; at += 64) block(tail, at);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
