/**
 * The manifest and the payload's page table.
 * @param {Header} header
 * @param {Uint8Array} bytes the two, as stored
 * @returns {{manifest: Manifest, payload: Payload}}
 */
export function readTables(header: Header, bytes: Uint8Array): {
    manifest: Manifest;
    payload: Payload;
};
/**
 * A whole file.
 * @param {Uint8Array} bytes
 * @returns {{header: Header, manifest: Manifest, payload: Payload}}
 */
export function readWhole(bytes: Uint8Array): {
    header: Header;
    manifest: Manifest;
    payload: Payload;
};
/**
 * A `.pemn` file.
 *
 * `tensors`, `tensor` and `mask` import the parts that they need. What is not asynchronous needs them there (sync.js).
 */
export class PemnFile {
    /**
     * A file of which all bytes are there.
     * @param {Uint8Array} bytes
     * @param {Options} options
     * @returns {PemnFile}
     */
    static fromBytes(bytes: Uint8Array, options: Options): PemnFile;
    /**
     * @param {Header} header
     * @param {Manifest} manifest
     * @param {Payload} payload
     * @param {Options} options
     * @param {(start: number, end: number) => Promise<Uint8Array>} fetchPayload bytes of the payload
     */
    constructor(header: Header, manifest: Manifest, payload: Payload, options: Options, fetchPayload: (start: number, end: number) => Promise<Uint8Array>);
    maxBytes: number;
    header: import("./header.js").Header;
    manifest: import("./manifest/tables.js").Manifest;
    payload: Payload;
    fetchPayload: (start: number, end: number) => Promise<Uint8Array>;
    decoder: Decoder;
    /** @type {ReadonlyMap<string, string>} */
    metadata: ReadonlyMap<string, string>;
    /** @type {readonly string[]} */
    tasks: readonly string[];
    /** @returns {Entry[]} what the file holds, of all tasks, in its order */
    get entries(): Entry[];
    /** @returns {{part: string, bytes: number}[]} where the bytes of the file are */
    get parts(): {
        part: string;
        bytes: number;
    }[];
    /**
     * Indices of the entries that are asked for.
     * @param {Options} options
     * @returns {number[]}
     */
    select({ task, names }: Options): number[];
    /** @param {number} task 0: none @returns {number[]} indices of the entries of a task, those of all tasks included */
    ofTask(task: number): number[];
    /** @param {number} index @returns {number} the entry itself, or an alias's target */
    owner(index: number): number;
    /**
     * Decode entries from bytes that are there.
     * @param {number[]} indices
     * @param {boolean} whole check all pages first
     * @returns {Map<number, Tensor>} by the index of the owner
     */
    decodeLoaded(indices: number[], whole: boolean): Map<number, Tensor>;
    /**
     * @param {number[]} indices
     * @param {Map<number, Tensor>} made
     * @returns {Tensors}
     */
    named(indices: number[], made: Map<number, Tensor>): Tensors;
    /**
     * Decode a task, or some of its tensors. All bytes must be there.
     * @param {Options} options
     * @returns {Tensors}
     */
    decodeTask(options: Options): Tensors;
    /**
     * Decode the networks of all tasks together; what they have in common once. All bytes must be there.
     * @returns {Map<string, Tensors>} by task; of a file without tasks, its network under the empty name
     */
    decodeTasks(): Map<string, Tensors>;
    /**
     * Load the pages that entries need.
     * @param {number[]} indices
     */
    fetch(indices: number[]): Promise<void>;
    /**
     * Decode a task, or some of its tensors, and fetch what they need first.
     * @param {{task?: string, names?: Iterable<string>}} [options]
     * @returns {Promise<Tensors>}
     */
    tensors(options?: {
        task?: string;
        names?: Iterable<string>;
    }): Promise<Tensors>;
    /**
     * Decode one tensor, and fetch what it needs first.
     * @param {string} name
     * @param {string} [task]
     * @returns {Promise<Tensor>}
     */
    tensor(name: string, task?: string): Promise<Tensor>;
    /**
     * The mask of an entry, with a bit for each position that is not idle (section 7).
     * @param {number} index of `entries`
     * @returns {Promise<{length: number, ones: number, bits: Uint8Array|null}|null>} none of an entry without a mask;
     *   no bits where all are the same
     */
    mask(index: number): Promise<{
        length: number;
        ones: number;
        bits: Uint8Array | null;
    } | null>;
}
export type Header = import("./header.js").Header;
export type Manifest = import("./manifest/tables.js").Manifest;
export type EntryRow = import("./manifest/tables.js").EntryRow;
export type Tensor = {
    dtype: string;
    shape: number[];
    data: import("./dtypes.js").TensorData;
};
export type Tensors = Map<string, Tensor>;
export type Options = {
    maxBytes?: number;
    base?: Uint8Array | Uint8Array[];
    task?: string;
    names?: Iterable<string>;
};
export type Entry = {
    name: string;
    kind: "tensor" | "kept" | "tiled" | "alias" | "bool mask";
    task: string | null;
    dtype: string;
    shape: number[];
    elements: number;
    bits: number;
    ones: number;
    maskBytes: number;
    target: string | null;
};
import { Payload } from "./payload.js";
import { Decoder } from "./decoder.js";
