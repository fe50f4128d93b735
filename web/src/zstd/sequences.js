/** Sequences of Zstandard: their tables, and the copies that they say (RFC 8878, 3.1.1.3.2 and 3.1.1.4). */

import { littleEndian } from "../numbers.js";
import { Backwards, corrupt } from "./bits.js";
import { buildTable, constantTable, readTable } from "./fse.js";

/** @typedef {import("./fse.js").FseTable} FseTable */
/** @typedef {{literals: FseTable|null, offsets: FseTable|null, matches: FseTable|null}} SequenceTables */

/**
 * Values of the codes: each begins where the one before ends.
 * @param {number} first value of code 0
 * @param {number[]} bits extra bits by code
 * @returns {{bases: Uint32Array, bits: Uint8Array}}
 */
function codes(first, bits) {
  const bases = new Uint32Array(bits.length);
  let value = first;
  bits.forEach((count, code) => {
    bases[code] = value;
    value += 2 ** count;
  });
  return { bases, bits: Uint8Array.from(bits) };
}

/** @param {number} count @returns {number[]} */
const plain = (count) => new Array(count).fill(0);

const LITERALS = codes(0, [...plain(16), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const MATCHES = codes(3, [...plain(32), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

/** @param {string} digits one for each symbol; `-` is −1 @param {number} log */
const standard = (digits, log) => buildTable(Array.from(digits, (d) => (d === "-" ? -1 : Number(d))), log);

const DEFAULT_LITERALS = standard("43222222222221112222222223211111----", 6);
const DEFAULT_OFFSETS = standard("111111222111111111111111-----", 5);
const DEFAULT_MATCHES = standard("14322222211111111111111111111111111111111111" + "11-------", 6);

/**
 * One of the three tables of a block.
 * @param {number} mode 0 standard, 1 one symbol, 2 described, 3 that of the block before
 * @param {{bytes: Uint8Array, at: number}} source
 * @param {FseTable} usual
 * @param {FseTable|null} before
 * @param {number} maxLog
 * @param {number} maxSymbol
 * @returns {FseTable}
 */
function readMode(mode, source, usual, before, maxLog, maxSymbol) {
  if (mode === 0) return usual;
  if (mode === 3) return before ?? corrupt("repeat");
  if (mode === 1) {
    if (source.at >= source.bytes.length) corrupt("end");
    const symbol = source.bytes[source.at++];
    if (symbol > maxSymbol) corrupt("table");
    return constantTable(symbol);
  }
  const { table, size } = readTable(source.bytes.subarray(source.at), maxLog, maxSymbol);
  source.at += size;
  return table;
}

/**
 * Carry out the sequences of one block.
 * @param {Uint8Array} bytes the section of the sequences
 * @param {Uint8Array} literals
 * @param {Uint8Array} out the content of the whole frame
 * @param {number} start where the block begins in it
 * @param {number} limit where it must have ended
 * @param {SequenceTables} tables those of the blocks before; replaced
 * @param {number[]} recent the three offsets; replaced
 * @returns {number} where the block ends
 */
export function runSequences(bytes, literals, out, start, limit, tables, recent) {
  const source = { bytes, at: 1 };
  if (bytes.length === 0) corrupt("block");
  let count = bytes[0];
  if (count >= 128) {
    if (count < 255) count = ((count - 128) << 8) | bytes[source.at++];
    else {
      count = littleEndian(bytes, 1, 2) + 0x7f00;
      source.at += 2;
    }
    if (source.at > bytes.length) corrupt("end");
  }
  let to = start;
  let from = 0;
  if (count > 0) {
    if (source.at >= bytes.length) corrupt("end");
    const modes = bytes[source.at++];
    if (modes & 3) corrupt("reserved");
    const ll = (tables.literals = readMode(modes >> 6, source, DEFAULT_LITERALS, tables.literals, 9, 35));
    const of = (tables.offsets = readMode((modes >> 4) & 3, source, DEFAULT_OFFSETS, tables.offsets, 8, 31));
    const ml = (tables.matches = readMode((modes >> 2) & 3, source, DEFAULT_MATCHES, tables.matches, 9, 52));
    const stream = new Backwards(bytes.subarray(source.at));
    let llState = stream.read(ll.log);
    let ofState = stream.read(of.log);
    let mlState = stream.read(ml.log);
    for (let i = 0; i < count; i++) {
      const ofCode = of.symbols[ofState];
      // Twice, since a read is at most 25 bits.
      let offset = 2 ** ofCode;
      if (ofCode > 16) offset += stream.read(ofCode - 16) * 65536 + stream.read(16);
      else offset += stream.read(ofCode);
      const mlCode = ml.symbols[mlState];
      const match = MATCHES.bases[mlCode] + stream.read(MATCHES.bits[mlCode]);
      const llCode = ll.symbols[llState];
      const run = LITERALS.bases[llCode] + stream.read(LITERALS.bits[llCode]);
      if (i + 1 < count) {
        llState = ll.bases[llState] + stream.read(ll.bits[llState]);
        mlState = ml.bases[mlState] + stream.read(ml.bits[mlState]);
        ofState = of.bases[ofState] + stream.read(of.bits[ofState]);
      }
      if (stream.left < 0) corrupt("end");
      offset = resolveOffset(offset, run === 0, recent);

      if (run > literals.length - from) corrupt("literals");
      if (to + run + match > limit) corrupt("block");
      for (const end = from + run; from < end; ) out[to++] = literals[from++];
      if (offset === 0 || offset > to) corrupt("offset");
      // By bytes, since source and copy may overlap; the engine's copy does not repeat.
      if (offset >= match && match > 32) {
        out.copyWithin(to, to - offset, to - offset + match);
        to += match;
      } else for (const end = to + match; to < end; to++) out[to] = out[to - offset];
    }
    if (stream.left !== 0) corrupt("stream");
  } else if (source.at !== bytes.length) corrupt("stream");
  const rest = literals.length - from;
  if (to + rest > limit) corrupt("block");
  out.set(from ? literals.subarray(from) : literals, to);
  return to + rest;
}

/**
 * The offset that a value says, and the new recent ones (RFC 8878, 3.1.1.5).
 * @param {number} value
 * @param {boolean} noLiterals
 * @param {number[]} recent
 * @returns {number}
 */
function resolveOffset(value, noLiterals, recent) {
  if (value > 3) {
    recent[2] = recent[1];
    recent[1] = recent[0];
    return (recent[0] = value - 3);
  }
  const index = value - 1 + (noLiterals ? 1 : 0);
  if (index === 0) return recent[0];
  const offset = index === 3 ? recent[0] - 1 : recent[index];
  if (index > 1) recent[2] = recent[1];
  recent[1] = recent[0];
  return (recent[0] = offset);
}
