/** The table of section 8.3, written by normal-table.py; table.js says how. */
export const DIGITS: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
export const ORDER: 5;
export const DIFFERENCES: string;
