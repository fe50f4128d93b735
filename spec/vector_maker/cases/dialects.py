"""The valid vectors for generator 4, dialects: the numbers. Section 8.9 of the specification, with 3, 4.5 and 8.4.

Distributions 1 to 4; the fifth is in `vector_cases_unfused`. Seeds and offsets of rare draws were searched for; every
case demands that they are what it is there for. Patches, which are steps, and what is made of such prototypes:
`vector_cases_steps`.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from writer import dialects, numbers
from writer import drawn as drawing
from writer.dialects import LOW, NORMAL, NORMAL_OF_C, SCALE, UNIFORM, UNIFORM_TWICE
from writer.numbers import WORD
from writer.writer import Dialect, Drawn, Generator

from cases import drawn as drawn_cases
from cases.drawn import INFINITY, LARGEST, RARE, SMALLEST_NORMAL, low_bits
from cases.kit import VALID, Array, Valid, case, demand, since_5, valid
from cases.shapes import HALF, MINUS, ONE, TWO, Builder

FOUR = (UNIFORM, UNIFORM_TWICE, NORMAL, NORMAL_OF_C)
NORMALS = (NORMAL, NORMAL_OF_C)
AS_DRAWN = {UNIFORM: drawing.UNIFORM, NORMAL: drawing.NORMAL}  # the same of generator 3


def dialect(
    distribution: int,
    seed: int,
    offset: int,
    scale: int,
    length: int,
    steps: dict[int, int] | None = None,
    low: int = HALF | MINUS,
) -> tuple[Dialect, Array]:
    """Generator 4 and its elements as bits; low goes to the uniform distributions only."""
    values = dialects.elements(distribution, seed, offset, scale, length, steps, low=low)
    told = low if distribution in (UNIFORM, UNIFORM_TWICE) else None
    return Dialect(length, distribution, seed, offset, scale, told, steps or {}, numbers.digest(values)), values


def show_dialects(*made: tuple[Drawn | Generator, Array]) -> Valid:
    """A layer for each prototype, in a file of version 1.5; the bits of a mask are all ones."""
    build = Builder()
    for i, (prototype, values) in enumerate(made):
        build.file.prototypes.append(prototype)
        build.layer((len(values),), np.ones(len(values), dtype=np.bool_), values, prototype=i)
    return since_5(build.done())


case(
    "minor_5_without_its_ids",
    "Minor 5 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since_5(VALID["generator_layers"][1]()))
case("minor_5_with_ids_of_4", "Minor 5, and of the ids only some that came with minors 1 and 4.")(
    lambda: since_5(VALID["drawn_beside_others"][1]())
)
case("dialect_known_answers", "The known answers of section 8.9.")(
    lambda: show_dialects(
        *(
            dialect(*row, {UNIFORM_TWICE: SCALE, NORMAL_OF_C: ONE}[row[0]], 20, low=LOW)
            for row in dict.fromkeys(
                (distribution, seed, offset) for distribution, seed, offset, _, _ in dialects.KNOWN
            )
        )
    )
)


@valid
def dialect_as_drawn() -> Valid:
    """Uniform and normal as generator 3 makes them, first by that: its known answers, and 1,000 elements."""
    places = [(seed, offset, ONE, 20) for seed in (0, WORD) for offset in (0, 1000)] + [(160, 5, 0x3CA3D70A, 1000)]
    rows: list[tuple[Drawn, Array]] = []
    for distribution, same in AS_DRAWN.items():
        for place in places:
            rows += [drawn_cases.drawn(same, *place), dialect(distribution, *place)]
            demand((rows[-1][1] == rows[-2][1]).all(), "they are not the same")
    return show_dialects(*rows)


@valid
def dialect_uniform() -> Valid:
    """Uniform numbers, rounded once and twice, of many lengths, one among them; of (-1/2, 1/2), (0, 1) and (2, 3)."""
    lengths = (1, 2, 15, 16, 17, 20, 31, 32, 300)
    lows = (HALF | MINUS, 0, TWO)
    kinds = (UNIFORM, UNIFORM_TWICE)
    return show_dialects(*(dialect(d, 161, i, ONE, n, low=lows[i % 3]) for d in kinds for i, n in enumerate(lengths)))


case("dialect_normal", "Both normals: multiples of 16, and lengths after which the last 16 are made again.")(
    lambda: show_dialects(
        *(dialect(d, 162, i, ONE, n) for d in NORMALS for i, n in enumerate((16, 17, 20, 31, 32, 33, 47, 48, 100)))
    )
)


@valid
def dialect_normal_long() -> Valid:
    """1,000 normal numbers of scale 0.02, of the C library; some are others than those of distribution 3."""
    row, values = dialect(NORMAL_OF_C, 163, 5, 0x3CA3D70A, 1000)
    differ = int(np.count_nonzero(values != dialects.elements(NORMAL, 163, 5, 0x3CA3D70A, 1000)))
    demand(100 < differ < 900, "no dialects")
    return show_dialects((row, values))


case(
    "dialect_offsets",
    "Offsets around those at which MT19937 makes its next 624 numbers, and 250,000; every distribution.",
)(
    lambda: show_dialects(
        *(
            dialect(d, 164, offset, ONE, 20)
            for offset in (0, 1, 226, 227, 228, 396, 397, 608, 623, 624, 625, 1247, 1248, 250000)
            for d in FOUR
        )
    )
)
case("dialect_seeds", "Seeds 0, 1, 5489, 2^31 and 2^32 - 1; every distribution.")(
    lambda: show_dialects(*(dialect(d, seed, 0, ONE, 20) for seed in (0, 1, 5489, 1 << 31, WORD) for d in FOUR))
)


# Of each row of the table the least number and the greatest, as 1 - V: x(position) mod 2^24, seed, position.
ROW_ENDS = (
    ((5046272, 207503, 43), (4521985, 142843, 55)),
    ((4521984, 102175, 93), (3997697, 135341, 78)),
    ((3997696, 143176, 163), (3473409, 117496, 0)),
    ((3473408, 128746, 175), (2949121, 147179, 151)),
    ((2949120, 168350, 88), (2424833, 124115, 136)),
    ((2424832, 419822, 27), (1900545, 124165, 217)),
    ((1900544, 171079, 70), (1376257, 213137, 187)),
    ((1376256, 192858, 1), (851969, 118870, 57)),
    ((851968, 113820, 89), (327681, 118758, 5)),
    ((327680, 140977, 109), (8192001, 200431, 204)),
    ((8192000, 150415, 20), (7667713, 194866, 17)),
    ((7667712, 239318, 11), (7143425, 362890, 146)),
    ((7143424, 156176, 75), (6619137, 135079, 188)),
    ((6619136, 279984, 9), (6094849, 101811, 151)),
    ((6094848, 223176, 115), (5570561, 323737, 19)),
    ((5570560, 127748, 45), (5046273, 139061, 136)),
)


# The last V that is turned back by n - 1 quarters and the first one by n: as above.
QUARTER_ENDS = (
    ((2097151, 207821, 98), (2097152, *RARE[1 << 21])),
    ((6291455, 144424, 84), (6291456, *RARE[6291456])),
    ((10485760, *RARE[10485760]), (10485761, 148110, 146)),
    ((14680064, *RARE[14680064]), (14680065, 359605, 57)),
)


# V of 1, 3, 4 places from its ends.
NEAR_ENDS = ((1, 116347, 201), ((1 << 24) - 3, 182870, 43), ((1 << 24) - 4, 123026, 49))
RARE_TOO = {k: (seed, position) for k, seed, position in NEAR_ENDS} | RARE


def found(k: int, seed: int, position: int) -> Fraction:
    """V of a draw that is k modulo 2^24."""
    demand(low_bits(seed, position) == k, "another draw")
    return Fraction(k, 1 << 24)


@valid
def dialect_rows() -> Valid:
    """Logarithms of the C library: the least and the greatest number of each row of its table; k of 0 and -1."""
    rows = []
    for i, ends in enumerate(ROW_ENDS):
        for end, place in zip((0, -1), ends, strict=True):
            x = 1 - found(*place)
            k, row = dialects.octave(x)
            beside = dialects.octave(x + Fraction(1 if end else -1, 1 << 24))
            demand(row == i and (k == -(i > 9) or i == 9), "another row")
            demand(beside != (k, row), "no end of a row")
            rows.append(dialect(NORMAL_OF_C, place[1], place[2] - min(place[2], i % 3), ONE, 16))
    return show_dialects(*rows)


@valid
def dialect_octaves() -> Valid:
    """Logarithms of numbers of ever smaller k, the least of all -24; those of each k that 6,000 draws have."""
    rows = [dialect(NORMAL_OF_C, RARE[k][0], RARE[k][1] - 3, ONE, 16) for k in ((1 << 24) - 1, (1 << 24) - 2)]
    seen = {dialects.octave(Fraction(1 << 24, 1 << 24))[0]}
    for i, draw in enumerate(drawing.draws(165, 0, 6000)):
        k = dialects.octave(1 - drawing.fraction(draw))[0]
        if k not in seen:
            seen.add(k)
            rows.append(dialect(NORMAL_OF_C, 165, i, ONE, 16))
    demand(dialects.octave(Fraction(1, 1 << 24))[0] == -24 and len(seen) > 9, "other octaves")
    return show_dialects(*rows)


@valid
def dialect_quarters() -> Valid:
    """Angles of the C library turned back by 0 ... 4 quarters of a turn: the last of each and the first."""
    rows = []
    for n, ends in enumerate(QUARTER_ENDS):
        for m, place in zip((n, n + 1), ends, strict=True):
            demand(dialects.quarters(dialects.angle(found(*place))) == m, "turned by another n")
            rows.append(dialect(NORMAL_OF_C, place[1], place[2] - 8 - n, ONE, 16))
    demand(all(last[0] + 1 == first[0] for last, first in QUARTER_ENDS), "not one after the other")
    return show_dialects(*rows)


@valid
def dialect_ends() -> Valid:
    """Every rare draw as a logarithm and as an angle of either normal: the least, the greatest, and others."""
    places = [(place, j) for k, place in RARE_TOO.items() for j in (1, 9) if found(k, *place) >= 0]
    rows = [dialect(d, seed, position - j, ONE, 16) for (seed, position), j in places for d in NORMALS]
    demand(RARE_TOO.keys() >= {0, (1 << 24) - 1}, "not the ends")
    return show_dialects(*rows)


@valid
def dialect_zero() -> Valid:
    """A draw of 24 zero bits: as the logarithm's 0, whose numbers are +0.0, as an angle, and for uniform."""
    seed, position = RARE[0]
    rows = []
    for distribution in NORMALS:
        for j in (0, 5):
            row, values = dialect(distribution, seed, position - j, ONE, 16)
            demand(values[j] == 0 and values[j + 8] == 0, "numbers that are not +0.0")
            rows.append((row, values))
        row, values = dialect(distribution, seed, position - 10, ONE, 32)
        demand(values[10] == 0 and values[2] != 0, "a sine that is not +0.0")
        rows.append((row, values))
        row, values = dialect(distribution, seed, position - 20, ONE, 20)  # only in the last 16
        demand(values[4] == 0 and values[12] == 0, "last numbers that are not +0.0")
        rows.append((row, values))
    for distribution in (UNIFORM, UNIFORM_TWICE):
        for scale in (ONE, 1):
            rows += [dialect(distribution, seed, position - 1, scale, 3, low=low) for low in (0, MINUS, TWO)]
    return show_dialects(*rows)


# Of (scale, low) some numbers are others if they are rounded once.
TWICE = ((0x3E99999A, 0xBE19999A), (0x40490FDB, 0xBFC90FDB), (0x3DCCCCCD, 0x3F8CCCCD), (SCALE, LOW))


@valid
def dialect_rounded_twice() -> Valid:
    """Uniform numbers of which some are others if they are rounded once."""
    rows = []
    for i, (scale, low) in enumerate(TWICE):
        row, values = dialect(UNIFORM_TWICE, 166, i, scale, 200, low=low)
        once = dialect(UNIFORM, 166, i, scale, 200, low=low)
        demand((values != once[1]).any(), "rounding once makes no difference")
        rows += [(row, values), once]
    return show_dialects(*rows)


@valid
def dialect_low() -> Valid:
    """Low of +0.0, -0.0, the same size as scale, subnormal, largest of either sign, and with a scale far below it."""
    largest = LARGEST | MINUS
    pairs = [(ONE, 0), (ONE, MINUS), (ONE, ONE), (ONE, ONE | MINUS), (3, 1), (3, MINUS | 2), (0x00812345, 0x80812345)]
    pairs += [(ONE, LARGEST), (LARGEST, largest), (LARGEST, 1), (0x73000000, LARGEST), (1, ONE), (ONE, 0x4B800000)]
    rows = [dialect(UNIFORM_TWICE, 167, i, scale, 24, low=low) for i, (scale, low) in enumerate(pairs)]
    return show_dialects(*rows)


@valid
def dialect_cancelled() -> Valid:
    """Rounded twice, what becomes 0 is +0.0: where product and low cancel, and where the product rounds to 0."""
    seed, position = RARE[1 << 23]
    half, values = dialect(UNIFORM_TWICE, seed, position - 3, ONE, 8)
    demand(values[3] == 0, "no 0")
    least, tiny = dialect(UNIFORM_TWICE, 168, 0, 1, 24, low=MINUS | 1)
    demand((tiny == 0).any() and (tiny == MINUS | 1).any(), "no zeros")
    demand((dialects.elements(UNIFORM, 168, 0, 1, 24, low=MINUS | 1) == MINUS).any(), "rounded once there is no -0.0")
    nothing = dialect(UNIFORM_TWICE, 168, 1, 1, 24, low=MINUS)
    demand((nothing[1] == 0).any() and (nothing[1] == 1).any(), "no zeros")
    return show_dialects((half, values), (least, tiny), nothing)


@valid
def dialect_minus_zero() -> Valid:
    """Numbers below 0 that round to -0.0, beside ones above it that round to +0.0: of either normal, and of uniform."""
    rows = [dialect(UNIFORM, 169, 0, 1, 24, low=MINUS | 1)]
    rows += [dialect(distribution, 169, 3, 1, 40) for distribution in NORMALS]
    demand(all(MINUS in values.tolist() for _, values in rows), "no -0.0")
    demand(all(0 in values.tolist() for _, values in rows[1:]), "no +0.0")
    return show_dialects(*rows)


@valid
def dialect_scales() -> Valid:
    """Scales 1/3, the least, subnormal and normal ones; the largest of which no element is infinite."""
    scales = (0x3EAAAAAB, 1, 3, 0x007FFFFF, SMALLEST_NORMAL, 0x00812345)
    rows = [dialect(d, 170, i, scale, 24, low=0) for d in FOUR for i, scale in enumerate(scales)]
    rows += [dialect(d, 170, 9, LARGEST, 24, low=0) for d in (UNIFORM, UNIFORM_TWICE)]
    return show_dialects(*rows, *(dialect(d, 170, 9, 0x7E000000, 24) for d in NORMALS))


@valid
def dialect_infinite_remade() -> Valid:
    """Numbers whose product with the scale is infinite, all of which are made again, and are no elements then."""
    seed, scale, length = 6, 0x7EFFFFFF, 20
    row, values = dialect(NORMAL_OF_C, seed, 0, scale, length)
    first = drawing.normal_numbers(seed, 0, length, dialects.sixteen_of_c, remade=False)
    products = [drawing.signed(value * drawing.number(scale)) & ~MINUS for value in first]
    demand(INFINITY in products and INFINITY not in (values & ~np.uint32(MINUS)), "nothing infinite is made again")
    return show_dialects((row, values))
