/**
 * @param {number} id of a manifest that was read
 * @returns {Dtype}
 */
export function dtypeOf(id: number): Dtype;
/**
 * Bytes as the typed array of their dtype, on the same memory.
 * @param {number} id
 * @param {Uint8Array} bytes aligned to their elements
 * @returns {TensorData}
 */
export function typed(id: number, bytes: Uint8Array): TensorData;
/** Element types of section 4.8, and the typed arrays that hold them. */
/**
 * @typedef {Uint8Array|Int8Array|Uint16Array|Int16Array|Uint32Array|Int32Array|BigUint64Array|BigInt64Array|
 *   Float32Array|Float64Array} TensorData
 */
/**
 * `floating`: float16, bfloat16, float32 and float64, of which a value can be negated.
 * @typedef {{
 *   name: string, size: number, maskable: boolean, floating: boolean,
 *   array: new (buffer: ArrayBufferLike, offset: number, length: number) => TensorData, perElement: number
 * }} Dtype
 */
/** Bool: a tensor of bits has it, too. */
export const BOOL: 1;
/** Float32: what generators make. */
export const FLOAT32: 12;
/** @type {(Dtype|undefined)[]} by id; none of id 0 */
export const DTYPES: (Dtype | undefined)[];
export type TensorData = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array | Float32Array | Float64Array;
/**
 * `floating`: float16, bfloat16, float32 and float64, of which a value can be negated.
 */
export type Dtype = {
    name: string;
    size: number;
    maskable: boolean;
    floating: boolean;
    array: new (buffer: ArrayBufferLike, offset: number, length: number) => TensorData;
    perElement: number;
};
