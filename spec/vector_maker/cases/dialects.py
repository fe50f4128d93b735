"""The valid vectors for generator 4, dialects: section 8.9 of the specification, with 3, 4.2, 4.5, 6.2, 7 and 8.4.

Distributions 1 to 4, and patches, which are steps; the fifth distribution is in `unfused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from writer import dialects, numbers
from writer import drawn as drawing
from writer.dialects import LOW, NORMAL, NORMAL_OF_C, SCALE, UNIFORM, UNIFORM_TWICE, elements, step_to
from writer.numbers import WORD

from cases.arranged import arranged
from cases.content import HALF, INFINITY, LARGEST, MINUS, NAN, ONE, TWO, Array
from cases.drawn import SHAPES, beside_values, of_one_seed
from cases.draws import (
    FIFTIETH,
    LOW_HALF,
    RARE,
    RARE_TOO,
    by_3,
    by_4,
    fill_layers,
    lengths,
    low_rows,
    offsets,
    prefixes,
    rare,
    remade,
    scale_rows,
    seeds,
    shown,
    two_tasks,
    uniform_lengths,
    xor_of,
    zero_rows,
)
from cases.files import Builder, Made
from cases.generators import generated
from cases.valid import Valid, again, case, demand, since, upon, valid

FOUR = (UNIFORM, UNIFORM_TWICE, NORMAL, NORMAL_OF_C)
UNIFORMS, NORMALS = FOUR[:2], FOUR[2:]
SAME = {UNIFORM: drawing.UNIFORM, NORMAL: drawing.NORMAL}  # the same of generator 3

case(
    "minor_5_without_its_ids",
    "Minor 5 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since(5, again("generator_layers")))
case("minor_5_with_ids_of_4", "Minor 5, and of the ids only some that came with minors 1 and 4.")(
    lambda: since(5, again("drawn_beside_others"))
)
case("dialect_known_answers", "The known answers of section 8.9.")(
    lambda: shown(
        5,
        (
            by_4(*row, SCALE if row[0] == UNIFORM_TWICE else ONE, 20, low=LOW)
            for row in dict.fromkeys(known[:3] for known in dialects.KNOWN)
        ),
    )
)
case(
    "dialect_uniform",
    "Uniform numbers, rounded once and twice, of many lengths, one among them; of (-1/2, 1/2), (0, 1) and (2, 3).",
)(lambda: shown(5, uniform_lengths(by_4, UNIFORMS, 161)))
case("dialect_normal", "Both normals: multiples of 16, and lengths after which the last 16 are made again.")(
    lambda: shown(5, lengths(by_4, NORMALS, 162))
)
case(
    "dialect_offsets",
    "Offsets around those at which MT19937 makes its next 624 numbers, and 250,000; every distribution.",
)(lambda: shown(5, offsets(by_4, FOUR, 164, 250000)))
case("dialect_seeds", "Seeds 0, 1, 5489, 2^31 and 2^32 - 1; every distribution.")(lambda: shown(5, seeds(by_4, FOUR)))
case(
    "dialect_low",
    "Low of +0.0, -0.0, the same size as scale, subnormal, largest of either sign, and with a scale far below it.",
)(lambda: shown(5, low_rows(by_4, UNIFORM_TWICE, 167)))
case(
    "dialect_infinite_remade",
    "Numbers whose product with the scale is infinite, all of which are made again, and are no elements then.",
)(lambda: shown(5, [remade(by_4(NORMAL_OF_C, 6, 0, 0x7EFFFFFF, 20), dialects.sixteen_of_c)]))


@valid
def dialect_as_drawn() -> Valid:
    """Uniform and normal as generator 3 makes them, first by that: its known answers, and 1,000 elements."""
    places = [(seed, offset, ONE, 20) for seed in (0, WORD) for offset in (0, 1000)] + [(160, 5, FIFTIETH, 1000)]
    pairs = [(by_3(same, *place), by_4(d, *place)) for d, same in SAME.items() for place in places]
    demand(all((a[1] == b[1]).all() for a, b in pairs), "they are not the same")
    return shown(5, [row for pair in pairs for row in pair])


@valid
def dialect_normal_long() -> Valid:
    """1,000 normal numbers of scale 0.02, of the C library; some are others than those of distribution 3."""
    row = by_4(NORMAL_OF_C, 163, 5, FIFTIETH, 1000)
    differ = int(np.count_nonzero(row[1] != elements(NORMAL, 163, 5, FIFTIETH, 1000)))
    demand(100 < differ < 900, "no dialects")
    return shown(5, [row])


# --- rare draws ---------------------------------------------------------------------------------------------

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


def found(k: int, seed: int, position: int) -> Fraction:
    """Return V of a draw that is k modulo 2^24."""
    rare(k, {k: (seed, position)})
    return Fraction(k, 1 << 24)


@valid
def dialect_rows() -> Valid:
    """Logarithms of the C library: the least and the greatest number of each row of its table; k of 0 and -1."""
    rows = []
    for i, ends in enumerate(ROW_ENDS):
        for end, place in zip((0, -1), ends, strict=True):
            x = 1 - found(*place)
            beside = dialects.octave(x + Fraction(1 if end else -1, 1 << 24))
            k, row = dialects.octave(x)
            demand(row == i and (i == 9 or k == -(i > 9)), "another row")
            demand(beside != dialects.octave(x), "no end of a row")
            rows.append(by_4(NORMAL_OF_C, place[1], place[2] - min(place[2], i % 3), ONE, 16))
    return shown(5, rows)


@valid
def dialect_octaves() -> Valid:
    """Logarithms of numbers of ever smaller k, the least of all -24; those of each k that 6,000 draws have."""
    rows = [by_4(NORMAL_OF_C, RARE[k][0], RARE[k][1] - 3, ONE, 16) for k in ((1 << 24) - 1, (1 << 24) - 2)]
    seen = {dialects.octave(Fraction(1))[0]}
    for i, draw in enumerate(drawing.draws(165, 0, 6000)):
        k = dialects.octave(1 - drawing.fraction(draw))[0]
        if k not in seen:
            seen.add(k)
            rows.append(by_4(NORMAL_OF_C, 165, i, ONE, 16))
    demand(dialects.octave(Fraction(1, 1 << 24))[0] == -24 and len(seen) > 9, "other octaves")
    return shown(5, rows)


@valid
def dialect_quarters() -> Valid:
    """Angles of the C library turned back by 0 ... 4 quarters of a turn: the last of each and the first."""
    rows = []
    for n, ends in enumerate(QUARTER_ENDS):
        for m, place in zip((n, n + 1), ends, strict=True):
            demand(dialects.quarters(dialects.angle(found(*place))) == m, "turned by another n")
            rows.append(by_4(NORMAL_OF_C, place[1], place[2] - 8 - n, ONE, 16))
    demand(all(last[0] + 1 == first[0] for last, first in QUARTER_ENDS), "not one after the other")
    return shown(5, rows)


@valid
def dialect_ends() -> Valid:
    """Every rare draw as a logarithm and as an angle of either normal: the least, the greatest, and others."""
    places = [(*rare(k, RARE_TOO), j) for k in RARE_TOO for j in (1, 9)]
    return shown(5, (by_4(d, seed, position - j, ONE, 16) for seed, position, j in places for d in NORMALS))


@valid
def dialect_zero() -> Valid:
    """A draw of 24 zero bits: as the logarithm's 0, whose numbers are +0.0, as an angle, and for uniform."""
    seed, at = rare(0)
    ends = [(d, scale, low) for d in UNIFORMS for scale in (ONE, 1) for low in (0, MINUS, TWO)]
    uniform = [by_4(d, seed, at - 1, scale, 3, low=low) for d, scale, low in ends]
    return shown(5, [*zero_rows(by_4, NORMALS), *uniform])


# --- arithmetic ---------------------------------------------------------------------------------------------


@valid
def dialect_rounded_twice() -> Valid:
    """Uniform numbers of which some are others if they are rounded once."""
    pairs = ((0x3E99999A, 0xBE19999A), (0x40490FDB, 0xBFC90FDB), (0x3DCCCCCD, 0x3F8CCCCD), (SCALE, LOW))
    rows = []
    for i, (scale, low) in enumerate(pairs):
        rows += [by_4(d, 166, i, scale, 200, low=low) for d in (UNIFORM_TWICE, UNIFORM)]
        demand((rows[-1][1] != rows[-2][1]).any(), "rounding once makes no difference")
    return shown(5, rows)


@valid
def dialect_cancelled() -> Valid:
    """Rounded twice, what becomes 0 is +0.0: where product and low cancel, and where the product rounds to 0."""
    seed, position = rare(1 << 23)
    rows = [by_4(UNIFORM_TWICE, seed, position - 3, ONE, 8), by_4(UNIFORM_TWICE, 168, 0, 1, 24, low=MINUS | 1)]
    rows.append(by_4(UNIFORM_TWICE, 168, 1, 1, 24, low=MINUS))
    half, tiny, nothing = ([int(value) for value in values] for _, values in rows)
    demand(half[3] == 0 and {0, MINUS | 1} <= set(tiny) and {0, 1} <= set(nothing), "no zeros")
    demand((elements(UNIFORM, 168, 0, 1, 24, low=MINUS | 1) == MINUS).any(), "rounded once there is no -0.0")
    return shown(5, rows)


@valid
def dialect_minus_zero() -> Valid:
    """Numbers below 0 that round to -0.0, beside ones above it that round to +0.0: of either normal, and of uniform."""
    rows = [by_4(UNIFORM, 169, 0, 1, 24, low=MINUS | 1)] + [by_4(d, 169, 3, 1, 40) for d in NORMALS]
    demand(all(MINUS in values and (i == 0 or 0 in values) for i, (_, values) in enumerate(rows)), "not both zeros")
    return shown(5, rows)


@valid
def dialect_scales() -> Valid:
    """Scales 1/3, the least, subnormal and normal ones; the largest of which no element is infinite."""
    largest = [by_4(d, 170, 9, LARGEST, 24, low=0) for d in UNIFORMS]
    return shown(5, scale_rows(by_4, FOUR, 170) + largest + [by_4(d, 170, 9, 0x7E000000, 24) for d in NORMALS])


# --- steps --------------------------------------------------------------------------------------------------

UP, DOWN, MOST_DOWN, MOST_UP = 2, 1, WORD, WORD - 1
EXTREMES = {0: MOST_DOWN, 1: MOST_UP, 2: MOST_DOWN - 2, 3: MOST_UP - 2, 18: 3, 19: 4}


def into_each_other(one: int, other: int, seed: int, scale: int, length: int, low: int, least: int) -> Iterator[Made]:
    """Yield each of two distributions as steps of the other, of which there are more than `least`, up and down."""
    ours, theirs = (elements(d, seed, 9, scale, length, low=low) for d in (one, other))
    for distribution, old, new in ((one, ours, theirs), (other, theirs, ours)):
        steps = {int(i): step_to(int(old[i]), int(new[i])) for i in np.flatnonzero(old != new)}
        demand(len(steps) > least and UP in steps.values() and DOWN in steps.values(), "hardly any steps")
        made = by_4(distribution, seed, 9, scale, length, steps, low)
        demand((made[1] == new).all(), "not what the other makes")
        yield made


def reaching(d: int, offset: int, length: int, wanted: dict[int, int], seed: int = 171, scale: int = HALF) -> Made:
    """Return a prototype whose steps make these elements."""
    values = elements(d, seed, offset, scale, length, low=LOW_HALF)
    steps = {i: step_to(int(values[i]), bits) for i, bits in wanted.items()}
    row, made = by_4(d, seed, offset, scale, length, steps)
    demand(all(made[i] == bits for i, bits in wanted.items()), "the steps lead elsewhere")
    return row, made


def plain(d: int, seed: int, offset: int) -> Array:
    """Return twenty elements of scale 1, without steps."""
    values = elements(d, seed, offset, ONE, 20, low=LOW_HALF)
    demand((values & MINUS).any() and not (values & MINUS).all(), "elements of one sign only")
    return values


@valid
def step_by_one() -> Valid:
    """A last place more and less: of the first and the last element, of one, of two neighbours, and of all."""
    each: tuple[dict[int, int], ...] = (
        {0: UP, 19: DOWN},
        {3: DOWN, 4: UP},
        {7: UP},
        {i: UP - i % 2 for i in range(20)},
    )
    rows = []
    for d, steps in ((d, steps) for d in FOUR for steps in each):
        rows.append(by_4(d, 172, 1, ONE, 20, steps))
        differences = (rows[-1][1].astype("<i8") - plain(d, 172, 1))[list(steps)]
        demand(set(differences.tolist()) <= {1, -1}, "not by one")
    return shown(5, rows)


@valid
def step_ends() -> Valid:
    """The least and the greatest steps, 2^32 - 1 of them half of all patterns away; beyond 2^32 and below 0."""
    rows = []
    for d in FOUR:
        rows.append(by_4(d, 173, 2, ONE, 20, EXTREMES))
        demand(rows[-1][1][0] == plain(d, 173, 2)[0] ^ np.uint32(MINUS), "not half of all away")
        rows += [by_4(d, 173, 2, ONE, 20, dict.fromkeys(range(20), step)) for step in (MOST_DOWN, MOST_UP)]
    return shown(5, rows)


@valid
def step_around_zero() -> Valid:
    """Steps of +0.0: one less is the NaN of all bits, one more the least number; and to +0.0, from both sides."""
    seed, position = rare(0)
    each: tuple[dict[int, int], ...] = ({5: DOWN}, {5: UP, 13: DOWN}, {5: MOST_DOWN}, {13: MOST_UP})
    rows: list[Made] = [by_4(NORMAL_OF_C, seed, position - 5, ONE, 16, steps) for steps in each]
    demand(rows[0][1][5] == WORD and rows[1][1][5] == 1 and rows[2][1][5] == MINUS, "no +0.0 was there")
    rows.append(reaching(NORMAL, 0, 20, dict.fromkeys(range(20), 0)))
    demand({i % 2 for i in rows[-1][0].patches.values() if isinstance(i, int)} == {0, 1}, "from one side only")
    return shown(5, rows)


@valid
def step_to_special() -> Valid:
    """Steps to NaN, -0.0, +0.0, infinity and the NaN of all bits; of what is made again, and of all elements."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 18: WORD, 19: MINUS}
    rows = [reaching(d, 3, 20, some) for d in FOUR]
    rows += [reaching(d, 1, 500, {499: WORD, 200: 1, 128: MINUS, 129: 0x7F800001}) for d in FOUR]
    return shown(5, [*rows, reaching(NORMAL_OF_C, 2, 16, {i: i for i in range(16)})])


@valid
def step_sizes() -> Valid:
    """Steps of one to five bytes, the least and the greatest of each; gaps of one, two and three."""
    sizes = [1, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 21) - 1, 1 << 21, (1 << 28) - 1, 1 << 28, WORD]
    rows = [by_4(d, 174, 0, ONE, 300, {127 + 2 * i: step for i, step in enumerate(sizes)}) for d in FOUR]
    places = (0, 128, 257, 257 + 16384, 257 + 16384 + 16385)
    rows.append(by_4(UNIFORM_TWICE, 174, 0, SCALE, places[-1] + 1, dict(zip(places, sizes, strict=False)), LOW))
    return shown(5, rows)


@valid
def step_thousands() -> Valid:
    """6,000 steps in 10,000 elements: of a last place, of more, and of anything."""
    sizes = (1, 2, 1, 2, 3, 4, 200, 40000, WORD)
    draws = enumerate(drawing.draws(175, 0, 10000))
    steps = {i: min(sizes[x % 9], x | 1) for i, x in draws if x >> 16 & 255 < 154}
    demand(5900 < len(steps) < 6300, "more or less")
    return shown(5, [by_4(UNIFORM, 175, 700, SCALE, 10000, steps, LOW)])


@valid
def step_from_dialect_to_dialect() -> Valid:
    """What one dialect makes as steps of another, and the other way round; for which a step of one byte is enough."""
    pairs = (UNIFORMS, NORMALS)
    return shown(5, (row for pair in pairs for row in into_each_other(*pair, 176, SCALE, 1001, LOW, 100)))


# --- layers, tasks, deltas ----------------------------------------------------------------------------------


@valid
def dialect_layers() -> Valid:
    """Layers with zero = zero and negated, phase not 0, scaled; what steps make +0.0 is idle, -0.0 is not."""
    rows = [reaching(d, 7, 20, {3: 0, 4: MINUS, 19: 0}) for d in FOUR]
    rows += [by_4(UNIFORM, 169, 0, 1, 24, low=MINUS | 1), by_4(UNIFORM_TWICE, 171, 8, ONE, 5, {4: UP})]
    return fill_layers(Builder(), rows).done(5)


@valid
def dialect_prefixes() -> Valid:
    """One long prototype, of which each layer shows only as many elements from the beginning as it has, or none."""
    steps = {2: UP, 16: DOWN, 99: WORD}
    rows = [by_4(d, 177, 0, 0x3D4CCCCD, 100, steps) for d in (UNIFORM_TWICE, NORMAL_OF_C)]
    return prefixes(*rows, shapes=SHAPES).done(5)


@valid
def dialect_of_one_seed() -> Valid:
    """Generators 3 and 4 of one seed, one after the other, overlapping and the same; second prototypes of each other.

    The greatest offset is one of generator 4.
    """
    rows: list[Made] = [by_3(drawing.NORMAL, 178, 40, ONE, 20), by_4(NORMAL_OF_C, 178, 40, ONE, 20)]
    rows += [by_4(NORMAL, 178, 40, ONE, 20, {7: UP}), by_4(UNIFORM_TWICE, 178, 0, ONE, 40)]
    rows += [by_3(drawing.UNIFORM_SIGNS, 178, 690, ONE, 9), by_4(NORMAL_OF_C, 178, 700, ONE, 17)]
    return of_one_seed([*rows, by_3(drawing.UNIFORM, 178, 30, ONE, 40)]).done(5)


@valid
def dialect_beside_others() -> Valid:
    """Generators 1 to 4 of the same seed, and values, in one file; each is another's second prototype."""
    rows: list[Made] = [generated(numbers.NORMAL, 180, 3, ONE, 16), by_4(NORMAL_OF_C, 180, 3, ONE, 16)]
    rows += [arranged(numbers.NORMAL, 180, 3, ONE, 31, 16, 5), by_3(drawing.UNIFORM, 180, 3, ONE, 16, {4: TWO})]
    return beside_values([*rows, by_4(UNIFORM_TWICE, 180, 5, ONE, 16, {4: TWO})]).done(5)


@valid
def dialect_tasks() -> Valid:
    """Two tasks of different prototypes, and what both have in common."""
    rows = [by_4(NORMAL_OF_C, 181, 0, ONE, 16, {0: UP}), by_4(NORMAL_OF_C, 181, 500, ONE, 16)]
    return two_tasks([*rows, by_4(UNIFORM_TWICE, 182, 9, ONE, 4)], 5)


HELD = [by_4(NORMAL_OF_C, 183, 5, HALF, 20, {2: UP, 3: WORD}), by_4(UNIFORM_TWICE, 183, 30, ONE, 9)]
case(
    "dialect_of_one_seed_before",
    "A prototype of generator 4 and one of generator 3 of the same seed, whose draws are more.",
)(lambda: shown(5, [by_4(NORMAL_OF_C, 179, 0, ONE, 20), by_3(drawing.UNIFORM, 179, 1300, ONE, 5)]))
case("dialect_delta_base", "A base of two prototypes that are made by generator 4.")(lambda: shown(5, HELD))
case("delta_dialect", "A delta of minor 3 upon a base of minor 5: xor with prototypes that generator 4 makes.")(
    lambda: upon("dialect_delta_base", xor_of(HELD))
)
case(
    "delta_dialect_too",
    "A delta of minor 5, which also has a prototype of generator 4 of its own, of the seed of the base.",
)(lambda: since(5, upon("dialect_delta_base", xor_of(HELD, by_4(NORMAL_OF_C, 183, 6, HALF, 17, {16: DOWN})))))
