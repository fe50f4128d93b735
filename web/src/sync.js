/** The decoder with all its parts at once: nothing is imported later, and bytes are decoded without a promise. */

import * as chunks from "./coding/chunks.js";
import * as delta from "./delta/delta.js";
import { RequestError, explainWith } from "./errors.js";
import { PemnFile } from "./file.js";
import * as seeds from "./generators/seeds.js";
import * as torch from "./generators/torch.js";
import { sentence } from "./messages.js";
import { provide } from "./parts.js";
import * as ranges from "./ranges.js";
import { inMemory } from "./source.js";
import * as xxh64 from "./zstd/xxh64.js";

export * from "./index.js";

/**
 * @typedef {import("./file.js").Tensors} Tensors
 * @typedef {import("./file.js").Options} SyncOptions
 */

provide({ chunks, delta, ranges, seeds, torch, xxh64 });
explainWith(sentence);

/** @param {Uint8Array|ArrayBuffer} input @param {SyncOptions} options @returns {PemnFile} */
function read(input, options) {
  const bytes = inMemory(input);
  if (!bytes) throw new RequestError("loadSync and loadTasksSync take bytes; use load for an address or a Blob");
  return PemnFile.fromBytes(bytes, options);
}

/**
 * Decode all tensors of a file, or of one of its tasks, from bytes in memory.
 * @param {Uint8Array|ArrayBuffer} bytes
 * @param {SyncOptions} [options]
 * @returns {Tensors}
 */
export function loadSync(bytes, options = {}) {
  return read(bytes, options).decodeTask(options);
}

/**
 * Decode the networks of all tasks of a file, which share the tensors that they have in common.
 * @param {Uint8Array|ArrayBuffer} bytes
 * @param {SyncOptions} [options]
 * @returns {Map<string, Tensors>} by task; of a file without tasks, its network under the empty name
 */
export function loadTasksSync(bytes, options = {}) {
  return read(bytes, options).decodeTasks();
}
