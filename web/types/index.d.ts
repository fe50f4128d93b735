/**
 * Decode all tensors of a file, or of one of its tasks.
 * @param {Input} input
 * @param {Options} [options]
 * @returns {Promise<Tensors>}
 */
export function load(input: Input, options?: Options): Promise<Tensors>;
/**
 * Decode the networks of all tasks of a file, which share the tensors that they have in common.
 * @param {Input} input
 * @param {Options} [options]
 * @returns {Promise<Map<string, Tensors>>} by task; of a file without tasks, its network under the empty name
 */
export function loadTasks(input: Input, options?: Options): Promise<Map<string, Tensors>>;
/**
 * Open a file: read its manifest, and later only what is asked for.
 * @param {Input} input
 * @param {Options} [options]
 * @returns {Promise<PemnFile>}
 */
export function open(input: Input, options?: Options): Promise<PemnFile>;
export type Input = import("./source.js").Input;
export type Tensors = import("./file.js").Tensors;
export type Options = {
    maxBytes?: number;
    base?: Input | Input[];
    task?: string;
    request?: RequestInit;
};
import { PemnFile } from "./file.js";
import { PemnError } from "./errors.js";
import { RequestError } from "./errors.js";
export { PemnError, PemnFile, RequestError };
