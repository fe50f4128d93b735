/**
 * A string from a file for a message: shortened, with everything escaped that is not plain text.
 * @param {string} text
 * @returns {string}
 */
export function quoted(text: string): string;
/**
 * The errors of the decoder: one class, whose `kind` is an error class of section 9 of the specification, and one for
 * mistakes of the caller, which have no class there.
 */
/** @typedef {"magic"|"version"|"truncated"|"trailing"|"checksum"|"manifest"|"payload"|"limit"} ErrorKind */
/** A file that breaks a rule of the format. */
export class PemnError extends Error {
    /**
     * @param {ErrorKind} kind error class of section 9
     * @param {string} message what is wrong, and where
     */
    constructor(kind: ErrorKind, message: string);
    /** @type {ErrorKind} */
    kind: ErrorKind;
}
/** A request that does not fit the file: an unknown task or tensor, a missing base, a failed transfer. */
export class RequestError extends Error {
    /** @param {string} message */
    constructor(message: string);
}
export type ErrorKind = "magic" | "version" | "truncated" | "trailing" | "checksum" | "manifest" | "payload" | "limit";
