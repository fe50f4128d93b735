/**
 * @param {Reader} reader
 * @param {boolean} positive
 * @returns {number} a finite binary32
 */
export function readFinite(reader: Reader, positive: boolean): number;
/**
 * @param {Reader} reader
 * @param {number} minor
 * @param {import("./references.js").References} references
 * @param {import("./tables.js").MaskRow[]} masks
 * @param {import("./tables.js").BlockRow[]} blocks
 * @returns {PrototypeRow[]} values without their `user`
 */
export function readPrototypes(reader: Reader, minor: number, references: import("./references.js").References, masks: import("./tables.js").MaskRow[], blocks: import("./tables.js").BlockRow[]): PrototypeRow[];
export type Reader = import("../numbers.js").Reader;
export type PrototypeRow = import("./tables.js").PrototypeRow;
