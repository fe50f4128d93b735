"""Shared parts of the cases of generators 3 and 4: prototypes, rare draws, and rows that both of them have.

Seeds and positions of rare draws were searched for; every case demands that they are what it is there for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import numpy as np
from writer import dialects, drawn, numbers
from writer.coders import D
from writer.delta import XOR, differ, xor_payload
from writer.drawn import draws
from writer.ids import CONSTANT, RAW
from writer.numbers import WORD
from writer.writer import Block, Dialect, Drawn, File, Mask, Values, mask, tiled

from cases.content import HALF, INFINITY, MINUS, ONE, SMALLEST_NORMAL, TWO, Array, all_ones, negated, tile, times
from cases.delta_blocks import noise
from cases.files import Builder, Made, pattern, show
from cases.valid import Valid, demand, expect, one, since

FIFTIETH, THIRD, LOW_HALF = 0x3CA3D70A, 0x3E99999A, HALF | MINUS
LENGTHS = (16, 17, 20, 31, 32, 33, 47, 48, 100)  # multiples of 16, and some after which the last 16 are made again
SEEDS = (0, 1, 5489, 1 << 31, WORD)
TURNS = (0, 1, 226, 227, 228, 396, 397, 608, 623, 624, 625, 1247, 1248)  # around those where MT19937 goes on
SCALES = (0x3EAAAAAB, 1, 3, 0x007FFFFF, SMALLEST_NORMAL, 0x00812345)
# Scale and low: +0.0, -0.0, the same size, subnormal, the largest of either sign, and one far above the scale.
LOWS: tuple[tuple[int, int], ...] = (
    (ONE, 0),
    (ONE, MINUS),
    (ONE, ONE),
    (ONE, ONE | MINUS),
    (3, 1),
    (3, MINUS | 2),
    (0x00812345, 0x80812345),
)
LOWS += ((ONE, 0x7F7FFFFF), (0x7F7FFFFF, 0xFF7FFFFF), (0x7F7FFFFF, 1), (0x73000000, 0x7F7FFFFF), (1, ONE))
LOWS += ((ONE, 0x4B800000),)
# x(position) mod 2^24 of a seed: seed, position.
RARE = {
    0: (28587, 190),
    2: (9255, 224),
    1 << 21: (12846, 9),
    1 << 22: (17372, 104),
    6291456: (32673, 825),
    (1 << 23) - 1: (20665, 155),
    1 << 23: (13573, 620),
    (1 << 23) + 1: (29563, 62),
    10485760: (4713, 809),
    3 << 22: (48035, 649),
    14680064: (339, 16),
    (1 << 24) - 2: (35489, 277),
    (1 << 24) - 1: (28086, 45),
}
RARE_TOO = {1: (116347, 201), (1 << 24) - 3: (182870, 43), (1 << 24) - 4: (123026, 49)} | RARE

Maker = Callable[..., Made]


def by_3(
    distribution: int,
    seed: int,
    offset: int,
    scale: int,
    length: int,
    patches: dict[int, int] | None = None,
    low: int = LOW_HALF,
) -> tuple[Drawn, Array]:
    """Return generator 3 and its elements as bits; low goes to the uniform distribution only."""
    values = drawn.elements(distribution, seed, offset, scale, length, patches, low=low)
    told = low if distribution == drawn.UNIFORM else None
    return Drawn(length, distribution, seed, offset, scale, told, patches or {}, numbers.digest(values)), values


def by_4(
    distribution: int,
    seed: int,
    offset: int,
    scale: int,
    length: int,
    steps: dict[int, int] | None = None,
    low: int = LOW_HALF,
) -> tuple[Dialect, Array]:
    """Return generator 4 and its elements as bits; low goes to the uniform distributions only."""
    values = dialects.elements(distribution, seed, offset, scale, length, steps, low=low)
    told = low if distribution in (dialects.UNIFORM, dialects.UNIFORM_TWICE) else None
    return Dialect(length, distribution, seed, offset, scale, told, steps or {}, numbers.digest(values)), values


def rare(k: int, places: dict[int, tuple[int, int]] = RARE) -> tuple[int, int]:
    """Return seed and position of a draw that is k modulo 2^24."""
    seed, position = places[k]
    demand(draws(seed, position, 1)[0] % (1 << 24) == k, "another draw")
    return seed, position


def is_infinite(values: Array) -> Array:
    """Return which elements are infinite."""
    return np.asarray(values & ~np.uint32(MINUS) == INFINITY)


# --- rows of cases ------------------------------------------------------------------------------------------


def lengths(make: Maker, kinds: Sequence[int], seed: int) -> list[Made]:
    """Return normal numbers: multiples of 16, and lengths after which the last 16 are made again."""
    return [make(d, seed, i, ONE, n) for d in kinds for i, n in enumerate(LENGTHS)]


def uniform_lengths(make: Maker, kinds: Sequence[int], seed: int) -> list[Made]:
    """Return uniform numbers of many lengths, of (-1/2, 1/2), (0, 1) and (2, 3) in turn."""
    lows = (LOW_HALF, 0, TWO)
    sizes = (1, 2, 15, 16, 17, 20, 31, 32, 300)
    return [make(d, seed, i, ONE, n, low=lows[i % 3]) for d in kinds for i, n in enumerate(sizes)]


def offsets(make: Maker, kinds: Sequence[int], seed: int, *more: int) -> list[Made]:
    """Return numbers from offsets around those at which MT19937 makes its next 624 numbers, and from others."""
    return [make(d, seed, offset, ONE, 20) for offset in (*TURNS, *more) for d in kinds]


def seeds(make: Maker, kinds: Sequence[int]) -> list[Made]:
    """Return numbers of seeds 0, 1, 5489, 2^31 and 2^32 - 1."""
    return [make(d, seed, 0, ONE, 20) for seed in SEEDS for d in kinds]


def low_rows(make: Maker, kind: int, seed: int) -> list[Made]:
    """Return uniform numbers of every scale and low of LOWS."""
    return [make(kind, seed, i, scale, 24, low=low) for i, (scale, low) in enumerate(LOWS)]


def scale_rows(make: Maker, kinds: Sequence[int], seed: int) -> list[Made]:
    """Return numbers of scale 1/3, the least, subnormal and normal ones."""
    return [make(d, seed, i, scale, 24, low=0) for d in kinds for i, scale in enumerate(SCALES)]


def zero_rows(make: Maker, kinds: Sequence[int]) -> list[Made]:
    """Return normal numbers of a draw of 24 zero bits: as the logarithm's 0, as an angle, and in the last 16."""
    seed, position = rare(0)
    rows = []
    for d in kinds:
        for j, length, zeros in ((0, 16, {0, 8}), (5, 16, {5, 13}), (10, 32, {10}), (20, 20, {4, 12})):
            rows.append(make(d, seed, position - j, ONE, length))
            demand(set(np.flatnonzero(rows[-1][1] == 0).tolist()) == zeros, "numbers that are not +0.0, or others are")
    return rows


def remade(row: Made, make: Callable[[Sequence[int]], list[Fraction]]) -> Made:
    """Return the row, of which numbers were infinite before they were made again, and none is an element."""
    prototype, values = row
    assert isinstance(prototype, Drawn)
    assert isinstance(prototype.offset, int)
    first = drawn.normal_numbers(prototype.seed, prototype.offset, len(values), make, remade=False)
    products = [drawn.signed(value * drawn.number(prototype.scale)) for value in first]
    demand(is_infinite(np.array(products, "<u4")).any() and not is_infinite(values).any(), "nothing is made again")
    return row


# --- files of cases -----------------------------------------------------------------------------------------


def fill_layers(build: Builder, rows: Iterable[Made]) -> Builder:
    """Add prototypes, and of each layers with zero = zero and negated, phase not 0, scaled."""
    for i, (prototype, made) in enumerate(rows):
        build.file.prototypes.append(prototype)
        for phase, scale in ((0, None), (len(made) - 1, None), (3, THIRD)):
            a = tile(made, 30, phase) if scale is None else times(tile(made, 30, phase), scale)
            for zero in (0, 1):
                b = negated(a) if zero else None
                build.layer((5, 6), pattern(30), a, b, prototype=i, phase=phase, zero=zero, scale=scale)
    return build


def prefixes(*rows: Made, shapes: Sequence[tuple[int, ...]], build: Builder | None = None) -> Builder:
    """Return a builder of layers that show only as many elements from the beginning as they have, or none."""
    made = Builder() if build is None else build
    for i, (prototype, values) in enumerate(rows):
        if build is None:
            made.file.prototypes.append(prototype)
        for shape in shapes:
            n = int(np.prod(shape))
            made.layer(shape, pattern(n), values[:n], prototype=i)
    return made


def two_tasks(rows: Sequence[Made], minor: int) -> Valid:
    """Return two tasks of different prototypes, and what both have in common."""
    file = File(tasks=["a", "b"], prototypes=[prototype for prototype, _ in rows])
    file.masks = [mask(all_ones(len(made))) for _, made in rows]
    file.entries = [tiled("w", (len(made),), i, i, task=(i + 1) % 3) for i, (_, made) in enumerate(rows)]
    w = [expect("w", D.FLOAT32, (len(made),), made) for _, made in rows]
    file.entries[2].name = "common"
    common = expect("common", D.FLOAT32, (4,), rows[2][1])
    return since(minor, Valid(file, {"a": [w[0], common], "b": [w[1], common]}))


def xor_of(held: Sequence[Made], own: Made | None = None) -> Valid:
    """Return prototypes that are xored with those made of the base, and layers that show them; one of its own."""
    file, expected = File(), []
    new = [np.frombuffer(noise(made.nbytes, f"drawn {i}"), "<u4") for i, (_, made) in enumerate(held)]
    differences = b"".join(differ(old.tobytes(), values.tobytes()) for (_, old), values in zip(held, new, strict=True))
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1, 2), RAW, differences))]
    file.prototypes += [Values(len(values), 0) for values in new]
    if own is not None:
        file.prototypes.append(own[0])
        new.append(own[1])
    for i, values in enumerate(new):
        name, active = "own" if i == 2 else f"w{i}", int(np.count_nonzero(values))
        file.masks.append(Mask(CONSTANT, active, active))
        file.entries.append(tiled(name, (len(values),), i, i))
        expected.append(expect(name, D.FLOAT32, (len(values),), values))
    return one(file, *expected)


def minus_and_plus_zero(values: Array) -> bool:
    """Return whether both zeros are among the elements."""
    return {0, MINUS} <= set(values.tolist())


def shown(minor: int, rows: Iterable[Made]) -> Valid:
    """Return the case of a layer for each prototype."""
    return show(*rows, minor=minor)
