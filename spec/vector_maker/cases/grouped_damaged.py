"""The invalid vectors for block coder 5, grouped planes: section 6.1 of the specification, with 3, 4.4, 4.7 and 4.8.

Every row is one defect of a file that is valid without it, as far as that is possible. The rows are in the table beside
this module.
"""

from __future__ import annotations

from writer.coders import SIZES, D
from writer.grouped import Table, by_rans, byte_string, parts
from writer.rans import END, Coded
from writer.writer import File

from cases.grouped import back, noise
from cases.rans import in_three
from cases.rotated import GROUPED
from cases.valid import demand

EMPTY = Coded(1, [END], []).build()  # the rANS of no bytes
# Tables whose bins end beyond the byte values: b, first, bins.
ENDS = {(0, 1, 256), (0, 255, 2), (0, 255, 256), (1, 127, 2), (1, 0, 129), (3, 32, 1), (3, 255, 1), (4, 15, 2)}
ENDS |= {(5, 2, 7), (6, 4, 1), (7, 2, 1), (7, 1, 2), (7, 0, 3), (7, 0, 256)}
BIG = 1 << 24  # a weight too large


def under(table: Table) -> File:
    """Return a string under a table that may be none; the rANS is what a decoder would read that does not look."""
    return GROUPED.file(byte_string(bytes([0x20, 0x21, 0x20, 0x23, 0x20]), table), 5, D.UINT8)


# A content by three lanes in a byte string of its own: a plane of int8; the first plane, a group, the second group,
# or the last plane of int32, the other byte strings of which are method 0.
CONTENT = bytes([0x10] * 9 + [1, 0x10, 9, 0x77, 0x10, 0x11] * 3 + [0x10, 0x10, 0xF0])
TABLE = Table(0, 16, [9, 2], lanes=3)  # so that the states may begin below 2^16
GOOD = in_three(CONTENT, TABLE.frequencies())
CODED = GOOD.build()
demand(len(CODED) < 128, "a size of two bytes")


def in_place(place: str) -> bytes:
    """Return elements one of whose byte strings is the content."""
    count = len(CONTENT)
    low, two, high = noise(count, "low"), noise(2 * count, "two"), bytes([3]) * count + bytes([4]) * count
    planes = {
        "only": (CONTENT,),
        "first": (low, low, low, CONTENT),
        "group": (two, two, CONTENT + low, high),
        "group_2": (two, two, low + CONTENT, high),
        "last": (CONTENT, low, low, low),
    }[place]
    return back(len(planes), *(int.from_bytes(element, "little") for element in zip(*planes, strict=True)))


def placed(place: str, coded: bytes, size: int | bytes | None = None) -> File:
    """Return a file in which the content, in its place, is this rANS."""
    dtype, data = D.INT8 if place == "only" else D.INT32, in_place(place)
    strings = parts(data, SIZES[dtype])
    payload = b"".join(by_rans(TABLE, coded, size) if s == CONTENT else byte_string(s, 0) for s in strings)
    return GROUPED.file(payload, len(data) // SIZES[dtype], dtype)


# Six elements of uint32: the last plane, three groups, two planes; and the pieces of their payload.
SHAPE = back(4, *(int.from_bytes(noise(3, f"shape {v}") + bytes([v]), "little") for v in (9, 5, 9, 200, 9, 200)))
LAST, FIVE, NINE, MANY, SECOND, LOWEST = STRINGS = parts(SHAPE, 4)
PIECES = [byte_string(part, 0) for part in STRINGS]
demand(len(SECOND) == len(LOWEST) == 6, "a plane is missing")


def pieced(*pieces: bytes, count: int = 6, dtype: D = D.UINT32) -> File:
    """Return a file of a tensor in a block of these pieces."""
    return GROUPED.file(b"".join(pieces), count, dtype)
