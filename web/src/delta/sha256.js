/** SHA-256 of a base (6.2). */

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
