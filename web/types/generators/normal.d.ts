/** @returns {Float64Array} T[0 … 1024] of section 8.3 */
export function normalTable(): Float64Array;
