"""The valid vectors for generator 3, drawn values: section 8.8 of the specification, with 3, 4.5, 6.2, 7 and 8.4."""

from __future__ import annotations

from writer import drawn as drawing
from writer import numbers
from writer.drawn import KNOWN, NORMAL, NORMAL_SIGNS, UNIFORM, UNIFORM_SIGNS

from cases.arranged import arranged
from cases.content import HALF, INFINITY, LARGEST, MINUS, NAN, ONE, TWO, u4
from cases.draws import (
    FIFTIETH,
    RARE,
    by_3,
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
from cases.files import Builder, Made, seconds
from cases.generators import generated
from cases.valid import Valid, again, case, demand, since, upon, valid

ALL = (UNIFORM, NORMAL, UNIFORM_SIGNS, NORMAL_SIGNS)
NORMALS = (NORMAL, NORMAL_SIGNS)

case(
    "minor_4_without_its_ids",
    "Minor 4 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since(4, again("generator_layers")))
case("minor_4_with_ids_of_2", "Minor 4, and of the ids only some that came with minors 1 and 2.")(
    lambda: since(4, again("grouped_users"))
)
case("drawn_known_answers", "The known answers of section 8.8.")(
    lambda: shown(4, (by_3(*row, ONE, 20) for row in dict.fromkeys(known[:3] for known in KNOWN)))
)
case(
    "drawn_uniform", "Uniform numbers of many lengths, one among them; some of (-1/2, 1/2), of (0, 1), and of (2, 3)."
)(lambda: shown(4, uniform_lengths(by_3, [UNIFORM], 70)))
case("drawn_normal", "Normal numbers: multiples of 16, and lengths after which the last 16 are made again.")(
    lambda: shown(4, lengths(by_3, [NORMAL], 71))
)
case("drawn_normal_long", "1,000 normal numbers of scale 0.02.")(
    lambda: shown(4, [by_3(NORMAL, 72, 5, FIFTIETH, 1000)])
)
case(
    "drawn_offsets",
    "Offsets around those at which MT19937 makes its next 624 numbers, and 100,000; every distribution.",
)(lambda: shown(4, offsets(by_3, ALL, 74, 100000)))
case("drawn_seeds", "Seeds 0, 1, 5489, 2^31 and 2^32 - 1; every distribution.")(lambda: shown(4, seeds(by_3, ALL)))
case(
    "drawn_low",
    "Low of +0.0, -0.0, the same size as scale, subnormal, largest of either sign, and with a scale far below it.",
)(lambda: shown(4, low_rows(by_3, UNIFORM, 76)))
case(
    "drawn_infinite_remade",
    "Numbers whose product with the scale is infinite, all of which are made again, and are no elements then.",
)(lambda: shown(4, [remade(by_3(NORMAL, 10, 0, 0x7EFFFFFF, 20), drawing.sixteen)]))
case("drawn_two_seeds", "Two seeds in turn, the greatest offset that of the second and of the first.")(
    lambda: shown(
        4, (by_3(NORMAL, *row[:2], ONE, row[2]) for row in ((83, 0, 20), (84, 700, 17), (83, 1300, 20), (84, 0, 16)))
    )
)
case(
    "drawn_ends",
    "Every rare draw as a logarithm and as an angle: the least, the greatest, eighths of a turn, and beside them.",
)(lambda: shown(4, (by_3(NORMAL, rare(k)[0], rare(k)[1] - j, ONE, 16) for k in RARE for j in (1, 9))))


@valid
def drawn_signs() -> Valid:
    """Signs of uniform, of 1 number and more, and of normal, of 16 and more."""
    rows = [by_3(UNIFORM_SIGNS, 73, i, HALF, n) for i, n in enumerate((1, 15, 16, 17, 31, 32, 200))]
    return shown(4, rows + [by_3(NORMAL_SIGNS, 73, i, HALF, n) for i, n in enumerate((16, 17, 20, 31, 32, 200))])


@valid
def drawn_middle() -> Valid:
    """Draws of which 24 bits are 2^23: no sign, +0.0, and low + scale / 2; of 2^23 - 1 and 2^23 + 1: signs."""
    rows = []
    for k in ((1 << 23) - 1, 1 << 23, (1 << 23) + 1):
        for distribution in (UNIFORM_SIGNS, UNIFORM):
            rows.append(by_3(distribution, rare(k)[0], rare(k)[1] - 3, ONE, 8))
            demand((rows[-1][1][3] == 0) == (k == 1 << 23), "the middle is not 0, or something else is")
    return shown(4, rows)


@valid
def drawn_zero() -> Valid:
    """A draw of 24 zero bits: as the logarithm's 0, whose numbers and signs are +0.0, as an angle, and for uniform."""
    seed, position = rare(0)
    uniform = [by_3(UNIFORM, seed, position - 1, scale, 3, low=low) for scale in (ONE, 1) for low in (0, MINUS, TWO)]
    return shown(4, [*zero_rows(by_3, NORMALS), *uniform, by_3(UNIFORM_SIGNS, seed, position, ONE, 1)])


@valid
def drawn_rounded_once() -> Valid:
    """Uniform numbers of which some are others if product and sum are each rounded."""
    rows = []
    for i, (scale, low) in enumerate(((0x3E99999A, 0xBE19999A), (0x40490FDB, 0xBFC90FDB), (0x3DCCCCCD, 0x3F8CCCCD))):
        rows.append(by_3(UNIFORM, 75, i, scale, 60, low=low))
        u = [drawing.fraction(x) for x in drawing.draws(75, i, 60)]
        size, least = drawing.number(scale), drawing.number(low)
        twice = [drawing.signed(drawing.rounded(x * size) + least) for x in u]
        demand(rows[-1][1].tolist() != twice, "rounding twice makes no difference")
    return shown(4, rows)


@valid
def drawn_minus_zero() -> Valid:
    """Numbers below 0 that round to -0.0, beside ones above it that round to +0.0."""
    rows = [by_3(UNIFORM, 77, i, 1, 24, low=low) for i, low in enumerate((MINUS | 1, 0, MINUS))]
    rows.append(by_3(NORMAL, 77, 3, 1, 40))
    found = [set(values.tolist()) for _, values in rows]
    demand(MINUS in found[0] and {0, MINUS} <= found[3], "no zeros of these signs")
    demand(max(found[1] | found[2]) < MINUS, "a sign")
    return shown(4, rows)


@valid
def drawn_scales() -> Valid:
    """Scales 1/3, the least, subnormal and normal ones; the largest of which no element is infinite."""
    rows = [by_3(d, 78, 9, LARGEST, 24, low=0) for d in (UNIFORM, UNIFORM_SIGNS, NORMAL_SIGNS)]
    return shown(4, [*scale_rows(by_3, ALL, 78), *rows, by_3(NORMAL, 78, 9, 0x7E000000, 24)])


@valid
def drawn_patches() -> Valid:
    """Patches of NaN, -0.0, +0.0 and infinity, the first and last element, and of what is made again; all patched."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 19: MINUS}
    rows = [by_3(d, 79, 3, HALF, 20, some) for d in ALL]
    rows += [by_3(d, 79, 1, HALF, 500, {499: 0xFFFFFFFF, 200: 1, 128: MINUS}) for d in ALL]
    return shown(4, [*rows, by_3(NORMAL, 79, 2, ONE, 16, {i: i for i in range(16)})])


# --- layers, tasks, deltas ----------------------------------------------------------------------------------


@valid
def drawn_layers() -> Valid:
    """Layers with zero = zero and negated, phase not 0, scaled; signs without a sign and -0.0 are idle or are not."""
    seed, position = rare(1 << 23)
    rows = [by_3(UNIFORM_SIGNS, seed, position - 2, HALF, 10), by_3(UNIFORM, 77, 0, 1, 24, low=MINUS | 1)]
    rows += [by_3(NORMAL, 80, 7, ONE, 20, {3: 0, 4: MINUS}), by_3(UNIFORM, 80, 8, ONE, 5)]
    return fill_layers(Builder(), rows).done(4)


SHAPES = ((3, 2), (17,), (1,), (0,), (99,))
case(
    "drawn_prefixes",
    "One long prototype, of which each layer shows only as many elements from the beginning as it has, or none.",
)(lambda: prefixes(*(by_3(d, 81, 0, 0x3D4CCCCD, 100) for d in (UNIFORM, NORMAL)), shapes=SHAPES).done(4))


def of_one_seed(rows: list[Made]) -> Builder:
    """Return a builder of a layer over each prototype, the one after the next as its second one."""
    build = Builder()
    build.file.prototypes += [prototype for prototype, _ in rows]
    return seconds([made for _, made in rows], 30, 2, 1, 4, build)


@valid
def drawn_offsets_of_one_seed() -> Valid:
    """Prototypes of one seed one after the other, overlapping and the same; second prototypes of each other."""
    places = [(NORMAL, 40, 20), (UNIFORM, 0, 40), (NORMAL, 0, 40), (NORMAL, 30, 20), (NORMAL, 40, 20)]
    return of_one_seed([by_3(d, 82, offset, ONE, n) for d, offset, n in [*places, (UNIFORM, 700, 9)]]).done(4)


def beside_values(rows: list[Made]) -> Builder:
    """Return a builder of layers over prototypes that are made and one of values, each the second one of another."""
    build = Builder()
    build.file.prototypes += [prototype for prototype, _ in rows]
    build.prototype(u4(ONE, 0, MINUS))
    return seconds([made for _, made in rows] + [u4(ONE, 0, MINUS)], 33, 1, 0, 0, build)


@valid
def drawn_beside_others() -> Valid:
    """Generators 1, 2 and 3 of the same seed, and values, in one file; each is another's second prototype."""
    rows: list[Made] = [generated(numbers.NORMAL, 85, 3, ONE, 16), by_3(NORMAL, 85, 3, ONE, 16)]
    rows += [arranged(numbers.NORMAL, 85, 3, ONE, 31, 16, 5), by_3(UNIFORM, 85, 3, ONE, 16, {4: TWO})]
    return beside_values(rows).done(4)


@valid
def drawn_tasks() -> Valid:
    """Two tasks of different prototypes, and what both have in common."""
    rows = [by_3(NORMAL, 86, 0, ONE, 16), by_3(NORMAL, 86, 500, ONE, 16), by_3(UNIFORM_SIGNS, 87, 9, ONE, 4)]
    return two_tasks(rows, 4)


HELD = [by_3(NORMAL, 88, 5, HALF, 20, {2: NAN}), by_3(UNIFORM, 88, 30, ONE, 9)]
case("drawn_delta_base", "A base of two prototypes that are made by generator 3.")(lambda: shown(4, HELD))
case("delta_drawn", "A delta of minor 3 upon a base of minor 4: xor with prototypes that generator 3 makes.")(
    lambda: upon("drawn_delta_base", xor_of(HELD))
)
case(
    "delta_drawn_too",
    "A delta of minor 4, which also has a prototype of generator 3 of its own, of the seed of the base.",
)(lambda: since(4, upon("drawn_delta_base", xor_of(HELD, by_3(NORMAL, 88, 6, HALF, 17)))))
