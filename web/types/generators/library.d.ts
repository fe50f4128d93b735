/** @param {number} x 2^−24 … 1 @returns {number} binary32 */
export function ln(x: number): number;
/** @param {number} v @returns {number} t of the normal of the C library, binary32 */
export function turn(v: number): number;
/** @param {number} t 0 … 2π @returns {number} binary32 */
export function sine(t: number): number;
/** @param {number} t 0 … 2π @returns {number} binary32 */
export function cosine(t: number): number;
