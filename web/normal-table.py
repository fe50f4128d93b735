"""Write src/generators/differences.js: the table of section 8.3 as fifth differences, which are small numbers."""

from pathlib import Path

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ORDER = 5
WIDTH = 100
HERE = Path(__file__).parent

HEAD = """/** The table of section 8.3, written by normal-table.py; table.js says how. */
export const DIGITS = "%s";
export const ORDER = %d;
export const DIFFERENCES =
%s;
"""


def coded(number: int) -> str:
    """The digits of a number, as table.js reads them."""
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
    made = HEAD % (DIGITS, ORDER, " +\n".join(lines))
    (HERE / "src" / "generators" / "differences.js").write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
