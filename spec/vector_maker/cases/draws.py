"""The vectors for generators 3 and 4: drawn values and dialects, sections 8.8 and 8.9 of the specification.

Seeds and positions of rare draws were searched for; every vector demands that they are what it is there for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from writer import dialects, drawn, numbers
from writer.coders import D
from writer.delta import XOR, differ, xor_payload
from writer.dialects import SIXTEENS, step_to
from writer.drawn import NORMAL, NORMAL_SIGNS, UNIFORM, UNIFORM_SIGNS, draws, number, signed
from writer.ids import CONSTANT, RAW
from writer.numbers import WORD, Patches
from writer.writer import Block, Dialect, Drawn, File, Mask, Values, mask, tiled

from cases.content import HALF, INFINITY, LARGEST, MINUS, NAN, ONE, SMALLEST_NORMAL, TWO, Array, all_ones
from cases.delta_blocks import noise
from cases.files import Made, layer, over, pattern
from cases.valid import Valid, demand, expect, one, since

FOUR = (1, 2, 3, 4)  # distributions of either generator
FIFTIETH, THIRD, LOW_HALF = 0x3CA3D70A, 0x3E99999A, HALF | MINUS
LENGTHS = (16, 17, 20, 31, 32, 33, 47, 48, 100)  # multiples of 16, and some after which the last 16 are made again
SOME_LENGTHS = tuple(zip((1, 2, 15, 16, 17, 20, 31, 32, 300), (LOW_HALF, 0, TWO) * 3, strict=True))  # each with a low
SHAPES = ((3, 2), (17,), (1,), (0,), (99,))
SEEDS = (0, 1, 5489, 1 << 31, WORD)
TURNS = (0, 1, 226, 227, 228, 396, 397, 608, 623, 624, 625, 1247, 1248)  # around those where MT19937 goes on
SCALES = (0x3EAAAAAB, 1, 3, 0x007FFFFF, SMALLEST_NORMAL, 0x00812345)
# Scale and low: +0.0, -0.0, the same size, subnormal, the largest of either sign, and one far above the scale.
LOWS = [(ONE, 0), (ONE, MINUS), (ONE, ONE), (ONE, ONE | MINUS), (3, 1), (3, MINUS | 2), (0x00812345, 0x80812345)]
LOWS += [(ONE, LARGEST), (LARGEST, MINUS | LARGEST), (LARGEST, 1), (0x73000000, LARGEST), (1, ONE), (ONE, 0x4B800000)]
# Scale and low of uniform numbers of which some are others if they are rounded once or twice.
OTHERS = ((0x3E99999A, 0xBE19999A), (0x40490FDB, 0xBFC90FDB), (0x3DCCCCCD, 0x3F8CCCCD))
# x(position) mod 2^24 of a seed: seed, position.
RARE = {0: (28587, 190), 2: (9255, 224), 1 << 21: (12846, 9), 1 << 22: (17372, 104), 6291456: (32673, 825)}
RARE |= {(1 << 23) - 1: (20665, 155), 1 << 23: (13573, 620), (1 << 23) + 1: (29563, 62), 10485760: (4713, 809)}
RARE |= {3 << 22: (48035, 649), 14680064: (339, 16), (1 << 24) - 2: (35489, 277), (1 << 24) - 1: (28086, 45)}
RARE_TOO = {1: (116347, 201), (1 << 24) - 3: (182870, 43), (1 << 24) - 4: (123026, 49)} | RARE


@dataclass
class Family:
    """One of the two generators: the names of its distributions, and those that stand in rows of both."""

    prefix: str
    generator: int
    names: dict[int, str]
    lows: dict[int, str]  # distributions that have a low, and how names of invalid vectors for them end
    normals: dict[int, str]  # likewise normal ones
    uniform: int  # what stands for the uniform ones, and for the normal ones
    normal: int
    elements: Callable[..., Array]
    row: type[Drawn]

    @property
    def minor(self) -> int:
        """Return the minor version that it came with."""
        return self.generator + 1

    def make(
        self, d: int, seed: int, offset: int, scale: int, n: int, patches: Patches | None = None, low: int = LOW_HALF
    ) -> Made:
        """Return a prototype of a distribution and its elements as bits; low goes to those that have one only."""
        values = self.elements(d, seed, offset, scale, n, patches, low=low)
        told = low if d in self.lows else None
        return self.row(n, d, seed, offset, scale, told, patches or {}, numbers.digest(values)), values

    def reaching(self, d: int, seed: int, offset: int, scale: int, length: int, wanted: dict[int, int]) -> Made:
        """Return a prototype whose patches make these elements."""
        values = self.make(d, seed, offset, scale, length)[1]
        steps = {i: step_to(int(values[i]), bits) for i, bits in wanted.items()}
        made = self.make(d, seed, offset, scale, length, steps if self.generator == 4 else wanted)
        demand(all(made[1][i] == bits for i, bits in wanted.items()), "the patches lead elsewhere")
        return made


names_3 = {UNIFORM: "uniform", NORMAL: "normal", UNIFORM_SIGNS: "uniform_signs", NORMAL_SIGNS: "normal_signs"}
names_4 = dict(enumerate(("uniform", "uniform_twice", "normal", "normal_of_c", "normal_unfused"), 1))
F3 = Family("drawn", 3, names_3, {1: ""}, {2: ""}, 1, 2, drawn.elements, Drawn)
lows_4, normals_4 = {1: "_uniform", 2: "_uniform_twice"}, {4: "", 5: "_unfused"}
F4 = Family("dialect", 4, names_4, lows_4, normals_4, 2, 4, dialects.elements, Dialect)
by_3, by_4 = F3.make, F4.make


# --- draws --------------------------------------------------------------------------------------------------


def place(k: int, before: int = 0) -> tuple[int, int]:
    """Return seed and offset so that a draw that is k modulo 2^24 stands behind so many others."""
    seed, position = RARE_TOO[k]
    demand(draws(seed, position, 1)[0] % (1 << 24) == k, "another draw")
    return seed, position - before


def turn(seed: int, position: int) -> Fraction:
    """Return V of a draw."""
    return drawn.fraction(draws(seed, position, 1)[0])


# --- prototypes ---------------------------------------------------------------------------------------------


def having(row: Made, *bits: int) -> Made:
    """Return the prototype, which has all these elements."""
    demand(set(bits) <= set(row[1].tolist()), "it has not all of these elements")
    return row


def positive(row: Made) -> Made:
    """Return the prototype, which has no sign."""
    demand(not (row[1] & MINUS).any(), "it has a sign")
    return row


def unlike(row: Made, other: Made, least: int = 1, most: int = 1000) -> Made:
    """Return the first prototype; so many of its elements are others than those of the second one."""
    demand(least <= np.count_nonzero(row[1] != other[1]) <= most, "more or fewer elements are others")
    return row


def alike(*rows: Made) -> Sequence[Made]:
    """Return the prototypes, which have the same elements."""
    demand(len({values.tobytes() for _, values in rows}) == 1, "they are not the same")
    return rows


def middle(f: Family, distribution: int, k: int) -> Made:
    """Return eight elements of scale 1, the fourth of a draw that is k modulo 2^24: 0 if that is the middle."""
    made = f.make(distribution, *place(k, 3), ONE, 8)
    demand((made[1][3] == 0) == (k == 1 << 23), "the middle is not 0, or something else is")
    return made


def zero_rows(f: Family, *normals: int) -> Iterator[Made]:
    """Yield normal numbers of a draw of 24 zero bits: as the logarithm's 0, as an angle, and in the last 16."""
    for d in normals:
        for j, length, zeros in ((0, 16, [0, 8]), (5, 16, [5, 13]), (10, 32, [10]), (20, 20, [4, 12])):
            row = f.make(d, *place(0, j), ONE, length)
            demand(np.flatnonzero(row[1] == 0).tolist() == zeros, "numbers that are not +0.0, or others are")
            yield row


def bits_of(values: Sequence[Fraction], scale: int = ONE) -> Array:
    """Return numbers times the scale as bits."""
    return np.array([signed(value * number(scale)) for value in values], "<u4")


def is_infinite(values: Array) -> Array:
    """Return which elements are infinite."""
    return np.asarray(values & ~np.uint32(MINUS) == INFINITY)


def not_remade(row: Made) -> Array:
    """Return the elements of a normal prototype if the last sixteen were not made again."""
    prototype, values = row
    assert isinstance(prototype, Drawn)
    assert isinstance(prototype.offset, int)
    assert isinstance(prototype.distribution, int)
    make = SIXTEENS[prototype.distribution] if prototype.generator == 4 else drawn.sixteen
    made = drawn.normal_numbers(prototype.seed, prototype.offset, len(values), make, remade=False)
    return bits_of(made, prototype.scale)


def remade(row: Made) -> Made:
    """Return the prototype, of which numbers were infinite before they were made again, and none is an element."""
    demand(is_infinite(not_remade(row)).any() and not is_infinite(row[1]).any(), "nothing is made again")
    return row


# --- files --------------------------------------------------------------------------------------------------


def filled(rows: Sequence[Made], *more: dict[str, Any], minor: int) -> Valid:
    """Return layers over each prototype with zero = zero and negated, phase not 0, scaled; and more of them."""
    layers = [
        layer((5, 6), pattern(30), prototype=i, phase=phase, zero=zero, scale=scale)
        for i, (_, made) in enumerate(rows)
        for phase, scale in ((0, None), (len(made) - 1, None), (3, THIRD))
        for zero in (0, 1)
    ]
    return over(rows, *layers, *more, minor=minor)


def prefixes(count: int, *shapes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return layers over so many prototypes, which show only as many elements as they have, or none."""
    return [layer(shape, pattern(math.prod(shape)), prototype=i) for i in range(count) for shape in shapes]


def seconds(rows: Sequence[Array | Made], n: int, step: int, phase: int, second_phase: int, minor: int) -> Valid:
    """Return layers of n elements over each prototype, the one `step` behind as its second one."""
    fields = {"phase": phase, "zero": 2, "second_phase": second_phase}
    places = [(i, (i + step) % len(rows)) for i in range(len(rows))]
    return over(rows, *(layer((n,), pattern(n), prototype=i, second=j, **fields) for i, j in places), minor=minor)


def two_tasks(*rows: Made, minor: int) -> Valid:
    """Return two tasks of different prototypes, and what both have in common."""
    names = ("w", "w", "common")
    file = File(tasks=["a", "b"], prototypes=[prototype for prototype, _ in rows])
    file.masks = [mask(all_ones(len(made))) for _, made in rows]
    file.entries = [tiled(names[i], (len(made),), i, i, task=(i + 1) % 3) for i, (_, made) in enumerate(rows)]
    a, b, common = (expect(name, D.FLOAT32, (len(made),), made) for name, (_, made) in zip(names, rows, strict=True))
    return since(minor, Valid(file, {"a": [a, common], "b": [b, common]}))


def xor_of(held: Sequence[Made], *own: Made) -> Valid:
    """Return prototypes that are xored with those made of the base, and layers that show them; one of its own."""
    new = [np.frombuffer(noise(made.nbytes, f"drawn {i}"), "<u4") for i, (_, made) in enumerate(held)]
    differences = b"".join(differ(old.tobytes(), values.tobytes()) for (_, old), values in zip(held, new, strict=True))
    file, expected = File(blocks=[Block(D.FLOAT32, XOR, xor_payload((1, 2), RAW, differences))]), []
    file.prototypes = [*(Values(len(values), 0) for values in new), *(prototype for prototype, _ in own)]
    for i, values in enumerate([*new, *(made for _, made in own)]):
        name, active = ("w0", "w1", "own")[i], int(np.count_nonzero(values))
        file.masks.append(Mask(CONSTANT, active, active))
        file.entries.append(tiled(name, (len(values),), i, i))
        expected.append(expect(name, D.FLOAT32, (len(values),), values))
    return one(file, *expected)


HELD_3 = [by_3(NORMAL, 88, 5, HALF, 20, {2: NAN}), by_3(UNIFORM, 88, 30, ONE, 9)]
