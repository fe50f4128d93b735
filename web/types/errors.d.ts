/** @param {Sentences} given what all errors say from now on */
export function explainWith(given: Sentences): void;
/**
 * A string from a file for a message: shortened, with everything escaped that is not plain text.
 * @param {string} text
 * @returns {string}
 */
export function quoted(text: string): string;
/** A file that breaks a rule of the format. */
export class PemnError extends Error {
    /**
     * @param {ErrorKind} kind error class of section 9
     * @param {string} code of the rule: messages.js has its sentence
     * @param {Value[]} values numbers and names of the sentence
     */
    constructor(kind: ErrorKind, code: string, ...values: Value[]);
    /** @type {ErrorKind} */
    kind: ErrorKind;
    code: string;
    values: Value[];
    /** Say it by the sentences that are there by now. */
    explain(): void;
}
/** A request that does not fit the file: an unknown task or tensor, a missing base, a failed transfer. */
export class RequestError extends Error {
    /** @param {string} message */
    constructor(message: string);
}
export type ErrorKind = "magic" | "version" | "truncated" | "trailing" | "checksum" | "manifest" | "payload" | "limit";
/**
 * of a sentence
 */
export type Value = string | number;
export type Sentences = (code: string, values: Value[]) => string;
