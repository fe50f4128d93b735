/** Huffman-coded literals of Zstandard (RFC 8878, 4.2). */

import { Backwards, corrupt, peek } from "./bits.js";
import { readTable } from "./fse.js";

/**
 * A decoding table: `symbols` and `bits` by the next `log` bits.
 * @typedef {{log: number, symbols: Uint8Array, bits: Uint8Array}} HuffmanTable
 */

/**
 * Weights that were coded by FSE with two states in turn.
 * @param {Uint8Array} bytes
 * @returns {number[]}
 */
function readWeights(bytes) {
  const { table, size } = readTable(bytes, 6, 255);
  const stream = new Backwards(bytes.subarray(size));
  const states = [stream.read(table.log), stream.read(table.log)];
  if (stream.left < 0) corrupt("end");
  /** @type {number[]} */
  const weights = [];
  for (let turn = 0; ; turn ^= 1) {
    const state = states[turn];
    weights.push(table.symbols[state]);
    if (weights.length > 254) corrupt("tree");
    states[turn] = table.bases[state] + stream.read(table.bits[state]);
    if (stream.left < 0) {
      weights.push(table.symbols[states[turn ^ 1]]);
      return weights;
    }
  }
}

/**
 * Read a tree description.
 * @param {Uint8Array} bytes from the description on
 * @returns {{table: HuffmanTable, size: number}} the table, and the bytes that the description took
 */
export function readTree(bytes) {
  const head = bytes[0];
  const size = 1 + (head < 128 ? head : (head - 126) >> 1);
  if (size > bytes.length) corrupt("end");
  /** @type {number[]} */
  let weights = [];
  if (head < 128) weights = readWeights(bytes.subarray(1, size));
  else for (let i = 0; i < head - 127; i++) weights.push((bytes[1 + (i >> 1)] >> (i & 1 ? 0 : 4)) & 15);

  let total = 0;
  for (const weight of weights) {
    if (weight > 12) corrupt("tree");
    total += (1 << weight) >> 1;
  }
  if (total === 0) corrupt("tree");
  const log = 32 - Math.clz32(total);
  if (log > 11) corrupt("tree");
  const rest = (1 << log) - total;
  if (rest & (rest - 1)) corrupt("tree");
  weights.push(32 - Math.clz32(rest));
  const leaves = weights.filter((weight) => weight === 1).length;
  if (leaves < 2 || leaves & 1) corrupt("tree");

  const symbols = new Uint8Array(1 << log);
  const bits = new Uint8Array(1 << log);
  let at = 0;
  for (let weight = 1; weight <= log; weight++) {
    weights.forEach((own, symbol) => {
      if (own !== weight) return;
      const end = at + (1 << (weight - 1));
      symbols.fill(symbol, at, end);
      bits.fill(log + 1 - weight, at, end);
      at = end;
    });
  }
  return { table: { log, symbols, bits }, size };
}

/**
 * Decode one stream of literals, which must end with the last of them.
 * @param {HuffmanTable} table
 * @param {Uint8Array} bytes
 * @param {Uint8Array} out all of it is filled
 */
export function readLiterals(table, bytes, out) {
  const { log, symbols, bits } = table;
  let left = new Backwards(bytes).left;
  for (let i = 0; i < out.length; i++) {
    const at = left - log;
    const code = at >= 0 ? peek(bytes, at, log) : left > 0 ? peek(bytes, 0, left) << -at : 0;
    out[i] = symbols[code];
    left -= bits[code];
  }
  if (left !== 0) corrupt("stream");
}
