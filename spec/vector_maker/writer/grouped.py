"""Block coder 5, grouped planes, for the conformance vectors: section 6.1 of the specification.

A byte string is coded as it is told: by method 0, by method 1, or under a table. Nothing is chosen here but by
`fitted`, `some_table` and `in_turn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from writer.coders import Number, rotated, u, u8
from writer.rans import TOTAL, Coded, rans

GROUPED_PLANES = 5
SHARED = TOTAL - 256  # what is divided among the bins
MOST_WEIGHT = 2**24 - 1


@dataclass
class Table:
    """A table, and the lanes of a string under it.

    `coded_b`, `bins` (their number less 1) and `coded_weights` replace what stands in the file.
    """

    b: int
    first: int
    weights: Sequence[int]
    lanes: int = 1
    coded_b: Number | None = None
    bins: Number | None = None
    coded_weights: bytes | None = None

    def build(self) -> bytes:
        """Return the bytes of the table."""
        out = u8(self.b if self.coded_b is None else self.coded_b) + u8(self.first)
        out += u8(len(self.weights) - 1 if self.bins is None else self.bins)
        return out + (b"".join(u(w) for w in self.weights) if self.coded_weights is None else self.coded_weights)

    def lacking(self) -> int:
        """Return what the sum of all frequencies lacks of 2^16 before it is made up for."""
        return TOTAL - sum(self.before())

    def before(self) -> list[int]:
        """Return the frequencies before that. Also for a table that no file may have: what is above 255 is left out."""
        total = max(sum(self.weights), 1)
        made = []
        for v in range(256):
            i = v // 2**self.b - self.first
            weight = self.weights[i] if 0 <= i < len(self.weights) else 0
            made.append(1 + SHARED * weight // (total * 2**self.b))
        return made

    def frequencies(self) -> list[int]:
        """Return F(0) … F(255)."""
        made = self.before()
        greatest = max(range(len(self.weights)), key=lambda i: (self.weights[i], -i))
        made[min((self.first + greatest) * 2**self.b, 255)] += TOTAL - sum(made)
        if sum(made) != TOTAL or min(made) < 1:
            raise AssertionError("frequencies below 1, or with another sum than 2^16")
        return made

    def string(self, content: bytes) -> Coded:
        """Return the rANS of a content."""
        return rans(content, self.frequencies(), self.lanes)


How = int | Table


def by_rans(table: Table, coded: bytes, size: Number | None = None) -> bytes:
    """Return a byte string by method 2 from its parts."""
    return b"\2" + table.build() + u(len(coded) if size is None else size) + coded


def byte_string(content: bytes, how: How) -> bytes:
    """Return a byte string by method 0 or 1, or by method 2 under a table."""
    if isinstance(how, Table):
        return by_rans(how, how.string(content).build())
    if how == 1 and len(set(content)) != 1:
        raise AssertionError("a byte string by method 1 is not constant")
    return bytes([how]) + (content if how == 0 else content[:1])


def parts(data: bytes, size: int) -> list[bytes]:
    """Return the byte strings of the elements in the order of the payload: the last plane, groups, the other planes."""
    turned = rotated(data, size)
    planes = [turned[j::size] for j in range(size)]
    last = planes.pop()
    if size == 1:
        return [last]
    pairs = list(zip(last, planes.pop(), strict=True))
    groups = [bytes(low for high, low in pairs if high == v) for v in sorted(set(last))]
    return [last, *groups, *reversed(planes)]


def fitted(content: bytes, b: int = 0, lanes: int = 1) -> Table:
    """Return a table of bins from the smallest to the greatest byte, weighted by how often their bytes occur."""
    bins = [byte >> b for byte in content]
    first = min(bins)
    return Table(b, first, [bins.count(i) for i in range(first, max(bins) + 1)], lanes)


def some_table(content: bytes, number: int) -> Table:
    """Return a table that depends on a number: b, the lanes, and bins that do not suit the content."""
    b, lanes = number % 8, 1 + number // 8 % min(3, len(content))
    if number % 3 == 0:
        return fitted(content, b, lanes)
    bins = 1 + number * 7 % min(256 >> b, 4 + 4 * len(content))
    first = number * 5 % ((256 >> b) - bins + 1)
    return Table(b, first, [(i * i + number) % 11 * 999 + (i == bins // 2) for i in range(bins)], lanes)


def in_turn(strings: Sequence[bytes], shift: int = 0) -> list[How]:
    """Return methods 0, 2 and 1 in turn for byte strings; only constant ones get method 1."""
    made: list[How] = []
    for i, content in enumerate(strings, shift):
        table = some_table(content, i)
        made.append((0, table, 1 if len(set(content)) == 1 else table)[i % 3])
    return made


def grouped(data: bytes, size: int, hows: Sequence[How] | None = None, shift: int = 0) -> bytes:
    """Return the payload of coder 5, each byte string as told, or in turn."""
    strings = parts(data, size)
    chosen = in_turn(strings, shift) if hows is None else hows
    return b"".join(byte_string(content, how) for content, how in zip(strings, chosen, strict=True))
