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
export const BOOL = 1;
/** Float32: what generators make. */
export const FLOAT32 = 12;

const UNMASKABLE = new Set([1, 16, 21, 22]);

/** @type {[string, number, unknown][]} name, bytes, and array; types that JavaScript has no numbers for are bits */
const ROWS = [
  ["bool", 1, Uint8Array],
  ["uint8", 1, Uint8Array],
  ["int8", 1, Int8Array],
  ["uint16", 2, Uint16Array],
  ["int16", 2, Int16Array],
  ["uint32", 4, Uint32Array],
  ["int32", 4, Int32Array],
  ["uint64", 8, BigUint64Array],
  ["int64", 8, BigInt64Array],
  ["float16", 2, Uint16Array],
  ["bfloat16", 2, Uint16Array],
  ["float32", 4, Float32Array],
  ["float64", 8, Float64Array],
  ["complex32", 4, Uint16Array],
  ["complex64", 8, Float32Array],
  ["complex128", 16, Float64Array],
  ["float8_e4m3fn", 1, Uint8Array],
  ["float8_e5m2", 1, Uint8Array],
  ["float8_e4m3fnuz", 1, Uint8Array],
  ["float8_e5m2fnuz", 1, Uint8Array],
  ["float8_e8m0fnu", 1, Uint8Array],
  ["float4_e2m1fn_x2", 1, Uint8Array],
];

/** @type {(Dtype|undefined)[]} by id; none of id 0 */
export const DTYPES = [
  undefined,
  ...ROWS.map(([name, size, array], i) => ({
    name,
    size,
    maskable: !UNMASKABLE.has(i + 1),
    floating: i + 1 >= 10 && i + 1 <= 13,
    array: /** @type {Dtype["array"]} */ (array),
    perElement: name.startsWith("complex") ? 2 : 1,
  })),
];

/**
 * @param {number} id of a manifest that was read
 * @returns {Dtype}
 */
export function dtypeOf(id) {
  return /** @type {Dtype} */ (DTYPES[id]);
}

/**
 * Bytes as the typed array of their dtype, on the same memory.
 * @param {number} id
 * @param {Uint8Array} bytes aligned to their elements
 * @returns {TensorData}
 */
export function typed(id, bytes) {
  const { array, size, perElement } = dtypeOf(id);
  // A small array has no buffer in the engine until it is asked for.
  if (array === /** @type {unknown} */ (Uint8Array)) return bytes;
  return new array(bytes.buffer, bytes.byteOffset, (bytes.length / size) * perElement);
}
