"""The valid vectors for block coder 5, grouped planes: section 6.1 of the specification, with 3, 4.4 and 4.8.

The content is that of vectors of before, or stated by hand, never read from a payload. Vectors of one line are in the
table beside this module. Where it is about tables and lanes, most blocks are of one byte an element, so of a single
byte string, whose bytes are those of the content rotated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from writer import numbers as vector_numbers
from writer.coders import SIZES, D, rotated
from writer.grouped import MOST_WEIGHT, Table, fitted, in_turn, parts
from writer.rans import MOST, rans_mask
from writer.writer import Block, kept

from cases.rans import EACH, some_bits, vary
from cases.rotated import GROUPED, numbers, users
from cases.valid import Valid, demand, expect, valid

group, noise = GROUPED.block, GROUPED.noise
EVERY = bytes(range(256))
BINS = {b: 256 >> b for b in range(8)}  # most bins for every b
MANY = sorted((v for v in range(256) for _ in range(1 + v % 4)), key=lambda v: v * 89 % 257)
ONLY = [int(i == 100) for i in range(256)]
WEIGHTS = [1, 127, 128, 16_383, 16_384, 2**21 - 1, 2**21, MOST_WEIGHT]
# By hand: a table of two bins of 128 byte values each, each of the frequency 256; 41 and 42 in two lanes.
HALVES, TWO_LANES = "02  07 00 01 01 01 ", "09 02 00 41 00 01 00 42 00 01 "


def back(size: int, *turned: int) -> bytes:
    """Return elements from their numbers after rotation."""
    return numbers(size, *(n // 2 + n % 2 * (1 << 8 * size - 1) for n in turned))


def of_groups(size: int, values: Iterable[int], seed: str) -> bytes:
    """Return elements whose bytes in the last plane are these, and noise otherwise."""
    elements = (noise(size - 1, f"{seed} {i}") + bytes([v]) for i, v in enumerate(values))
    return back(size, *(int.from_bytes(element, "little") for element in elements))


def hardly_varied(size: int) -> tuple[bytes, bytes]:
    """Return one element often, and elements in three groups, of which at most one byte string is not constant."""
    low = noise(size - 1, "")
    three = (low + b"\x11") * 2 + (low + b"\x48") * 3 + low + b"\x05"
    made = noise(size, f"same {size}") * 5, three
    for data in made:
        demand([len(set(content)) == 1 for content in parts(data, size)].count(False) <= 1, "too few are constant")
    return made


def all_groups(size: int, values: Iterable[int]) -> bytes:
    """Return elements of all 256 groups."""
    data = of_groups(size, values, f"all {size}")
    demand(len(parts(data, size)) == size - 1 + 256, "a group is missing")
    return data


def out_of_order(*values: int) -> bytes:
    """Return elements of these groups, whose bytes are neither in ascending order nor in that of the elements."""
    data = back(2, *(v << 8 | 20 + i * 3 % 7 for i, v in enumerate(values)))
    joined = b"".join(parts(data, 2)[1:])
    demand(sorted(joined) != list(joined) != list(rotated(data, 2)[::2]), "nothing is out of order")
    return data


def under(*rows: tuple[bytes, Table]) -> Valid:
    """Return strings under tables, in blocks of one byte an element."""
    return GROUPED.of(*(group(D.UINT8, back(1, *content), table) for content, table in rows))


def often(content: bytes, byte: int, count: int) -> bytes:
    """Return the content among so many bytes of one value."""
    return bytes([byte]) * (count // 2) + content + bytes([byte]) * (count - count // 2)


def lacks(least: int, table: Table, most: int | None = None) -> Table:
    """Return a table whose frequencies lack so much of 2^16 before the rest is added to one of them."""
    lacking = table.lacking()
    demand(least <= lacking <= (least if most is None else most), f"the sum lacks {lacking}")
    return table


def tied(b: int, first: int, weights: Sequence[int]) -> Table:
    """Return a table of several bins of the greatest weight, to the first of which a rest is added."""
    table = lacks(1, Table(b, first, weights), 255)
    before, after = table.before(), table.frequencies()
    greatest = (first + weights.index(max(weights))) * 2**b
    equal = [v for v in range(256) if before[v] == before[greatest]]
    demand(len(equal) > 1 and after[greatest] > after[equal[-1]], "no rest")
    return table


@valid
def grouped_normal() -> Valid:
    """Normal float32 and bfloat16, every byte string under a table that suits it, in several lanes."""
    bits = vector_numbers.elements(vector_numbers.NORMAL, 60, 1, 0x3D000000, 1500)
    rows = []
    for dtype, data in ((D.FLOAT32, bits[:600].tobytes()), (D.BFLOAT16, (bits >> 16).astype("<u2").tobytes())):
        strings = parts(data, SIZES[dtype])
        demand(len(strings) > 8, "few groups")
        hows = [fitted(content, (3 + i) % 4, 1 + len(content) // 100) for i, content in enumerate(strings)]
        rows.append(group(dtype, data, *hows))
    return GROUPED.of(*rows)


@valid
def grouped_users() -> Valid:
    """A block of a prototype, a partial one, kept layers and tensors; their masks by coders of minor 1 as well."""
    made = users()
    file = made.file
    strings = parts(file.blocks[0].payload, 4)
    GROUPED.again(made, fitted(strings[0], 2, 3), *in_turn(strings[1:-2]), fitted(strings[-2], 0, 2), 0)
    choice = some_bits(11, 99)
    r = np.zeros(11, np.uint8)
    r[choice] = range(1, int(choice.sum()) + 1)
    file.blocks.append(Block(*group(D.UINT8, r[choice].tobytes())[:3]))
    file.masks.insert(2, rans_mask(choice, *EACH[0]))  # kept layers come before tiled ones
    for i in (2, 4, 6):
        file.entries[i].mask = i // 2 + 2
    file.entries.append(kept("r", (11,), 2, 1))
    made.networks[""].append(expect("r", D.UINT8, (11,), r))
    return made


@valid
def grouped_lanes_long() -> Valid:
    """Many lanes that give words in every order; states of 2^31 and more, and near 2^16; sizes of three bytes."""
    content = bytes(a % 16 * (a // 16) for a in noise(20_003, "long"))
    tables = [fitted(content, b, lanes) for b, lanes in ((1, 3), (0, 999))]
    vary(tables[1].string(content))
    demand(all(len(table.string(content).build()) >= 1 << 14 for table in tables), "a size of two bytes")
    return under(*((content, table) for table in tables))


@valid
def grouped_lanes_of_group() -> Valid:
    """A group of 9,000 bytes in two and in 64 lanes, beside one of three; every byte string by rANS."""
    data = of_groups(2, [77 if i % 3000 else 78 for i in range(1, 9004)], "group")
    strings = parts(data, 2)
    demand([len(part) > MOST for part in strings] == [True, True, False], "no group is long")
    of_two, of_many = (map(fitted, strings, (0, 1, 0), (lanes, lanes, 3)) for lanes in (2, 64))
    return GROUPED.of(group(D.BFLOAT16, data, *of_two), group(D.BFLOAT16, data, *of_many))
