/** Mask references (4.5), which are numbered through the whole manifest. */
/** Reads mask references in their order. */
export class References {
    /**
     * @param {import("../numbers.js").Reader} reader
     * @param {number} masks how many masks there are
     */
    constructor(reader: import("../numbers.js").Reader, masks: number);
    reader: import("../numbers.js").Reader;
    masks: number;
    next: number;
    /** @returns {number} index of a mask */
    read(): number;
    /** Check that every mask was referred to. */
    finish(): void;
}
