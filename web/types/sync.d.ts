/**
 * Decode all tensors of a file, or of one of its tasks, from bytes in memory.
 * @param {Uint8Array|ArrayBuffer} bytes
 * @param {SyncOptions} [options]
 * @returns {Tensors}
 */
export function loadSync(bytes: Uint8Array | ArrayBuffer, options?: SyncOptions): Tensors;
/**
 * Decode the networks of all tasks of a file, which share the tensors that they have in common.
 * @param {Uint8Array|ArrayBuffer} bytes
 * @param {SyncOptions} [options]
 * @returns {Map<string, Tensors>} by task; of a file without tasks, its network under the empty name
 */
export function loadTasksSync(bytes: Uint8Array | ArrayBuffer, options?: SyncOptions): Map<string, Tensors>;
export * from "./index.js";
export type Tensors = import("./file.js").Tensors;
export type SyncOptions = import("./file.js").Options;
