/**
 * The errors of the decoder: one class, whose `kind` is an error class of section 9 of the specification, and one for
 * mistakes of the caller, which have no class there.
 */

/** @typedef {"magic"|"version"|"truncated"|"trailing"|"checksum"|"manifest"|"payload"|"limit"} ErrorKind */
/** @typedef {string|number} Value of a sentence */
/** @typedef {(code: string, values: Value[]) => string} Sentences */

/** @type {Sentences} of errors that are made before messages.js is there */
let sentences = (code, values) => [code, ...values].join(" ");

/** @param {Sentences} given what all errors say from now on */
export function explainWith(given) {
  sentences = given;
}

/** A file that breaks a rule of the format. */
export class PemnError extends Error {
  /**
   * @param {ErrorKind} kind error class of section 9
   * @param {string} code of the rule: messages.js has its sentence
   * @param {Value[]} values numbers and names of the sentence
   */
  constructor(kind, code, ...values) {
    super(`${kind}: ${sentences(code, values)}`);
    this.name = "PemnError";
    /** @type {ErrorKind} */
    this.kind = kind;
    this.code = code;
    this.values = values;
  }

  /** Say it by the sentences that are there by now. */
  explain() {
    const { message } = this;
    this.message = `${this.kind}: ${sentences(this.code, this.values)}`;
    this.stack = this.stack?.replace(message, () => this.message);
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
