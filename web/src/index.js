/**
 * A decoder of `.pemn` files (format 1.6) without dependencies, for browsers, Node and workers.
 *
 * It is written from the specification, spec/pemn-v1.md of pemncodec, and not from another decoder.
 */

import { PemnError, RequestError } from "./errors.js";
import { PemnFile, readTables } from "./file.js";
import { HEADER_SIZE, checkFileSize, readHeader } from "./header.js";
import { withParts } from "./parts.js";
import { readAll, sourceOf } from "./source.js";

export { PemnError, PemnFile, RequestError };

/**
 * @typedef {import("./source.js").Input} Input
 * @typedef {import("./file.js").Tensors} Tensors
 * @typedef {{maxBytes?: number, base?: Input|Input[], task?: string, request?: RequestInit}} Options
 */

/** The first read of a file that is opened: the header, and the manifest of most networks. */
const FIRST_READ = 65536;

if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) throw new Error("this decoder needs a little-endian machine");

/** @param {Options} options @returns {Promise<import("./file.js").Options>} with the bytes of the bases */
async function withBases({ base, request, ...rest }) {
  const bases = base === undefined ? [] : Array.isArray(base) ? base : [base];
  return { ...rest, base: await Promise.all(bases.map((one) => readAll(one, request))) };
}

/**
 * @template T
 * @param {Input} input
 * @param {Options} options
 * @param {(file: PemnFile, options: import("./file.js").Options) => T} decode
 * @returns {Promise<T>}
 */
async function decodeWhole(input, options, decode) {
  const bytes = await readAll(input, options.request);
  const rest = await withBases(options);
  const file = await withParts(() => PemnFile.fromBytes(bytes, rest));
  return withParts(() => decode(file, rest));
}

/**
 * Decode all tensors of a file, or of one of its tasks.
 * @param {Input} input
 * @param {Options} [options]
 * @returns {Promise<Tensors>}
 */
export function load(input, options = {}) {
  return decodeWhole(input, options, (file, rest) => file.decodeTask(rest));
}

/**
 * Decode the networks of all tasks of a file, which share the tensors that they have in common.
 * @param {Input} input
 * @param {Options} [options]
 * @returns {Promise<Map<string, Tensors>>} by task; of a file without tasks, its network under the empty name
 */
export function loadTasks(input, options = {}) {
  return decodeWhole(input, options, (file) => file.decodeTasks());
}

/**
 * Open a file: read its manifest, and later only what is asked for.
 * @param {Input} input
 * @param {Options} [options]
 * @returns {Promise<PemnFile>}
 */
export async function open(input, options = {}) {
  const source = await withParts(() => sourceOf(input, options.request));
  const beginning = await source.read(0, FIRST_READ);
  const rest = await withBases(options);
  return withParts(async () => {
    const header = readHeader(beginning.subarray(0, HEADER_SIZE));
    if (source.size >= 0) checkFileSize(header, source.size);
    const at = header.payloadAt;
    const read = async (/** @type {number} */ start, /** @type {number} */ end) => {
      const bytes = end <= beginning.length ? beginning.subarray(start, end) : await source.read(start, end);
      if (bytes.length !== end - start) throw new PemnError("truncated", "short");
      return bytes;
    };
    const { manifest, payload } = readTables(header, await read(HEADER_SIZE, at));
    return new PemnFile(header, manifest, payload, rest, (start, end) => read(at + start, at + end));
  });
}
