/**
 * @param {Reader} reader
 * @param {number} minor
 * @param {import("./references.js").References} references
 * @param {Tables} tables
 * @returns {EntryRow[]} without their `user`
 */
export function readEntries(reader: Reader, minor: number, references: import("./references.js").References, tables: Tables): EntryRow[];
export type Reader = import("../numbers.js").Reader;
export type EntryRow = import("./tables.js").EntryRow;
export type MaskRow = import("./tables.js").MaskRow;
export type BlockRow = import("./tables.js").BlockRow;
export type PrototypeRow = import("./tables.js").PrototypeRow;
export type Tables = {
    tasks: number;
    masks: MaskRow[];
    blocks: BlockRow[];
    prototypes: PrototypeRow[];
};
