"""Write src/generators/table.js: the table of section 8.3 as fifth differences, which are small numbers."""

from pathlib import Path

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ORDER = 5
WIDTH = 100
HERE = Path(__file__).parent

HEAD = """/**
 * The table of section 8.3 as its fifth differences, each a number of base 64: five bits a digit, least significant
 * first, 32 added to all digits but the last; 2 d for d, 2 |d| - 1 for a negative one. Written by normal-table.py.
 */

import { crc32 } from "../checksums.js";

const DIGITS = "%s";
const DIFFERENCES =
%s;

/** @type {Float64Array|undefined} */
let table;

/** @returns {Float64Array} T[0 … 1024] of section 8.3 */
export function normalTable() {
  if (table) return table;
  const values = new Float64Array(1025);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    let number = 0;
    for (let unit = 1, digit = 32; digit & 32; unit *= 32) {
      digit = DIGITS.indexOf(DIFFERENCES[at++]);
      number += (digit & 31) * unit;
    }
    values[i] = number %% 2 ? -(number + 1) / 2 : number / 2;
  }
  for (let order = 0; order < %d; order++) for (let i = 1; i < values.length; i++) values[i] += values[i - 1];
  // The number that the specification gives for the table: a mistake here would make wrong weights.
  if (crc32(new Uint8Array(Uint32Array.from(values).buffer)) !== 0xafa18d14) throw new Error("the table is damaged");
  return (table = values);
}
"""


def coded(number: int) -> str:
    """The digits of a number, as the head of table.js says them."""
    rest = 2 * number if number >= 0 else -2 * number - 1
    digits = ""
    while True:
        rest, five = divmod(rest, 32)
        digits += DIGITS[five | (32 if rest else 0)]
        if not rest:
            return digits


def main() -> None:
    """Write the module."""
    rows = [int(word, 16) for word in (HERE.parent / "spec" / "normal-table.txt").read_text().split()]
    for _ in range(ORDER):
        rows = [row - before for row, before in zip(rows, [0, *rows[:-1]], strict=True)]
    text = "".join(map(coded, rows))
    lines = [f'  "{text[i : i + WIDTH]}"' for i in range(0, len(text), WIDTH)]
    (HERE / "src" / "generators" / "table.js").write_text(HEAD % (DIGITS, " +\n".join(lines), ORDER), encoding="utf-8")


if __name__ == "__main__":
    main()
