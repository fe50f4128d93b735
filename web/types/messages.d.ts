export function sentence(code: string, values: import("./errors.js").Value[]): string;
/** The sentences of all errors by their codes. `{}` is a value of the error; a list of values fills one after the other. */
/** @type {Record<string, string>} */
export const SENTENCES: Record<string, string>;
