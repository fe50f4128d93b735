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
  constructor(kind, message) {
    super(`${kind}: ${message}`);
    this.name = "PemnError";
    /** @type {ErrorKind} */
    this.kind = kind;
  }
}

/** A request that does not fit the file: an unknown task or tensor, a missing base, a failed transfer. */
export class RequestError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "RequestError";
  }
}

/**
 * A string from a file for a message: shortened, with everything escaped that is not plain text.
 * @param {string} text
 * @returns {string}
 */
export function quoted(text) {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(short).replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/g, "\ufffd");
}
