/** Finite state entropy of Zstandard: table descriptions and decoding tables (RFC 8878, 4.1). */

import { corrupt, peek } from "./bits.js";

/**
 * A decoding table: of each state its symbol, the number of bits to read, and what is added to them.
 * @typedef {{log: number, symbols: Uint8Array, bits: Uint8Array, bases: Uint16Array}} FseTable
 */

/**
 * The table of a distribution.
 * @param {number[]} counts by symbol; −1 is a probability below 1
 * @param {number} log the counts' sum is 2^log
 * @returns {FseTable}
 */
export function buildTable(counts, log) {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  const next = counts.map((count) => (count < 0 ? 1 : count));
  let high = size - 1;
  counts.forEach((count, symbol) => {
    if (count < 0) symbols[high--] = symbol;
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  counts.forEach((count, symbol) => {
    for (let i = 0; i < count; i++) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at > high);
    }
  });
  for (let state = 0; state < size; state++) {
    const x = next[symbols[state]]++;
    bits[state] = log - (31 - Math.clz32(x));
    bases[state] = (x << bits[state]) - size;
  }
  return { log, symbols, bits, bases };
}

/**
 * The table of one symbol, which takes no bits.
 * @param {number} symbol
 * @returns {FseTable}
 */
export function constantTable(symbol) {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) };
}

/**
 * Read a table description.
 * @param {Uint8Array} bytes from the description on
 * @param {number} maxLog
 * @param {number} maxSymbol
 * @returns {{table: FseTable, size: number}} the table, and the bytes that the description took
 */
export function readTable(bytes, maxLog, maxSymbol) {
  const end = bytes.length * 8;
  const log = peek(bytes, 0, 4) + 5;
  if (log > maxLog) corrupt("table");
  let at = 4;
  let remaining = (1 << log) + 1;
  /** @type {number[]} */
  const counts = [];
  while (remaining > 1) {
    if (counts.length > maxSymbol) corrupt("table");
    const width = 32 - Math.clz32(remaining);
    const spare = (1 << width) - 1 - remaining;
    let value = peek(bytes, at, width);
    if ((value & ((1 << (width - 1)) - 1)) < spare) {
      value &= (1 << (width - 1)) - 1;
      at += width - 1;
    } else {
      if (value >= 1 << (width - 1)) value -= spare;
      at += width;
    }
    const count = value - 1;
    remaining -= Math.abs(count);
    counts.push(count);
    if (count === 0) {
      let repeat;
      do {
        repeat = peek(bytes, at, 2);
        at += 2;
        for (let i = 0; i < repeat; i++) counts.push(0);
      } while (repeat === 3 && at < end);
    }
    if (at > end) corrupt("end");
  }
  if (remaining !== 1 || counts.length > maxSymbol + 1) corrupt("table");
  return { table: buildTable(counts, log), size: (at + 7) >>> 3 };
}
