"""The valid vectors for the tables and the lanes of block coder 5, grouped planes: section 6.1 of the specification.

Most blocks are of one byte an element, so of a single byte string, whose bytes are those of the content rotated.
"""

from __future__ import annotations

from writer.coders import D
from writer.grouped import MOST_WEIGHT, SHARED, Table, fitted, parts
from writer.rans import MOST

from cases.files import blobs
from cases.grouped import back, group, noise, of_groups
from cases.valid import Valid, case, demand, since, valid

EVERY = bytes(range(256))
BINS = {b: 256 >> b for b in range(8)}  # most bins for every b


def under(*rows: tuple[bytes, Table]) -> Valid:
    """Strings under tables, in blocks of one byte an element."""
    return since(2, blobs(*(group(D.UINT8, back(1, *content), table) for content, table in rows)))


def often(content: bytes, byte: int, count: int) -> bytes:
    """The content among so many bytes of one value."""
    return bytes([byte]) * (count // 2) + content + bytes([byte]) * (count - count // 2)


def lacks(least: int, table: Table, most: int | None = None) -> Table:
    """A table whose frequencies lack so much of 2^16 before the rest is added to one of them."""
    demand(least <= table.lacking() <= (least if most is None else most), f"the sum lacks {table.lacking()}")
    return table


@valid
def grouped_table_bits() -> Valid:
    """Every b with all its bins: equal weights, ascending and descending ones."""
    rows = []
    for b, most in BINS.items():
        weights = ([1] * most, list(range(1, most + 1)), list(range(most, 0, -1)))
        rows += [(EVERY, Table(b, 0, row)) for row in weights]
    return under(*rows)


@valid
def grouped_table_first() -> Valid:
    """Every b with bins that begin above the first or end before the last, also a single one; bytes without a bin."""
    rows = []
    for b, most in BINS.items():
        places = {(most - 1, 1), (0, 1), (most // 2, most // 2), (1, most - 1), (most // 3, most // 3 + 1)}
        for first, bins in sorted(places):
            weights = [(7, 2, 9, 4)[i % 4] for i in range(bins)]
            rows.append((EVERY[:: 1 + b], Table(b, first, weights)))
    return under(*rows)


case(
    "grouped_table_fitted",
    "Every b with weights that are how often the bytes of a bin occur: bytes near 130, and from 250 on.",
)(
    lambda: under(
        *(
            (content, fitted(content, b))
            for content in (
                bytes(130 + (a % 8) - (a // 8 % 8) for a in noise(150, "near")),
                bytes(255 - a % 6 * (a // 6 % 2) for a in noise(90, "end")),
            )
            for b in BINS
        )
    )
)


@valid
def grouped_table_zeros() -> Valid:
    """Weights of 0 in the beginning, at the end and between; all but one; their byte values occur nevertheless."""
    rows = [[0, 0, 5, 1], [5, 1, 0, 0], [3, 0, 0, 4], [0, 7, 0, 6, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0]]
    made = [(EVERY[::3], Table(b, first, row)) for row in rows for b, first in ((0, 90), (3, 5), (5, 0))]
    only = [0] * 256
    only[100] = 1
    return under(*made, (often(EVERY, 100, 300), Table(0, 0, only)), (EVERY, Table(0, 0, only[100:] + only[:100])))


@valid
def grouped_table_ties() -> Valid:
    """Several bins with the greatest weight: the rest goes to the first value of the first of them."""
    rows = []
    for weights in ([9, 9, 4], [4, 9, 9], [1, 9, 0, 9], [5] * 7, [0, 6, 5, 6, 6], [3, 1, 3, 1, 3, 1, 2]):
        for b, first in ((0, 40), (2, 3), (5, 1)):
            table = lacks(1, Table(b, first, weights), 255)
            rows.append((EVERY, table))
            greatest = (first + weights.index(max(weights))) * 2**b
            equal = [v for v in range(256) if table.before()[v] == table.before()[greatest]]
            demand(len(equal) > 1 and table.frequencies()[greatest] > table.frequencies()[equal[-1]], "no rest")
    return under(*rows)


@valid
def grouped_table_rest() -> Valid:
    """Sums of frequencies that lack 0, 1, 56, 128, 240 and 255 of 2^16."""
    last = [1] * 255 + [SHARED + 1 - 255]
    rows = [
        lacks(0, Table(0, 0, [1] * 256)),
        lacks(0, Table(7, 1, [MOST_WEIGHT])),
        lacks(1, Table(0, 17, [MOST_WEIGHT, 1])),
        lacks(128, Table(7, 0, [1, 511])),
        lacks(128, Table(7, 0, [511, 1])),
        lacks(240, Table(4, 0, [1] * 15 + [4066])),
        lacks(240, Table(4, 0, [1] * 7 + [4066] + [1] * 8)),
        lacks(255, Table(0, 0, last)),
        lacks(255, Table(0, 0, last[::-1])),
        lacks(56, Table(0, 0, [MOST_WEIGHT] * 200 + [MOST_WEIGHT - 1] * 56)),
    ]
    return under(*((often(EVERY[::2], 255, 200), table) for table in rows))


@valid
def grouped_table_weights() -> Valid:
    """Weights of 1, 127, 128, 16,383, 16,384 and 2^24 - 1, alone and together; a sum of nearly 2^32."""
    some = [1, 127, 128, 16_383, 16_384, 2**21 - 1, 2**21, MOST_WEIGHT]
    rows = [(EVERY[::5], Table(b, 1, row)) for row in (some, some[::-1]) for b in (0, 4)]
    rows += [(b"\x20\x21\x1f\x20", Table(0, 32, [weight])) for weight in some]
    rows += [(EVERY, Table(0, 0, row)) for row in ([MOST_WEIGHT] * 256, [MOST_WEIGHT, *[MOST_WEIGHT - 1] * 255])]
    rows.append((often(EVERY[::9], 64, 100), Table(6, 0, [1, MOST_WEIGHT, 1, 0])))
    return under(*rows)


@valid
def grouped_table_far() -> Valid:
    """Tables that do not suit: every byte takes 16 bits; or one byte has the frequency 65,281."""
    rows = [
        (bytes([200, 1]) * 40, Table(0, 7, [1])),
        (bytes(8000), Table(0, 0, [1])),
        (b"\xff" * 900, Table(0, 255, [9])),
    ]
    rows.append((often(EVERY, 99, 2000), Table(0, 99, [1])))
    return under(*rows)


case("grouped_lanes", "24 and 25 bytes in 1 to 25 lanes, a multiple of the lanes or not, or as many as the lanes.")(
    lambda: under(
        *(
            (noise(n, f"lanes {n}"), Table(5, 0, [1, 2, 0, 4, 1, 1, 2, 9], lanes))
            for n, lanes in [(n, lanes) for n in (24, 25) for lanes in (1, 2, 3, 5, 7, 8, 12, 23, 24, 25) if lanes <= n]
        )
    )
)
case(
    "grouped_lanes_most",
    "Exactly 8,192 bytes a lane, in one lane and in two; a byte more in two lanes; 20,000 in three.",
)(
    lambda: under(
        *(
            (often(EVERY[100:104], 7, n - 4), Table(0, 7, [MOST_WEIGHT, *[1] * 99], lanes))
            for n, lanes in [(MOST, 1), (2 * MOST, 2), (MOST + 1, 2), (20_000, 3)]
        )
    )
)


@valid
def grouped_lanes_long() -> Valid:
    """Many lanes that give words in every order; states of 2^31 and more, and near 2^16; sizes of three bytes."""
    content = bytes(a % 16 * (a // 16) for a in noise(20_003, "long"))
    tables = [fitted(content, b, lanes) for b, lanes in ((1, 3), (0, 999))]
    states = tables[1].string(content).states
    demand(max(states) >= 1 << 31 and min(states) < 1 << 17, "no state is large, or none is small")
    demand(all(len(table.string(content).build()) >= 1 << 14 for table in tables), "a size of two bytes")
    return under(*((content, table) for table in tables))


@valid
def grouped_lanes_of_group() -> Valid:
    """A group of 9,000 bytes in two and in 64 lanes, beside one of three; every byte string by rANS."""
    data = of_groups(2, [77 if i % 3000 else 78 for i in range(1, 9004)], "group")
    last, *groups = parts(data, 2)
    demand([len(part) > MOST for part in (last, *groups)] == [True, True, False], "no group is long")
    rows = []
    for lanes in (2, 64):
        hows = [fitted(last, 0, lanes), fitted(groups[0], 1, lanes), fitted(groups[1], 0, 3)]
        rows.append(group(D.BFLOAT16, data, *hows))
    return since(2, blobs(*rows))
