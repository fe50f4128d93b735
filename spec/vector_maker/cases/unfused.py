"""The valid vectors for generator 4 with nothing fused, distribution 5 (sections 4.5 and 8.9), and for its steps.

Few elements are others than those of distribution 3: seeds and offsets were searched for, and every case demands that
its elements are what it is there for.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from writer import dialects
from writer import drawn as drawing
from writer.dialects import NORMAL, NORMAL_OF_C, NORMAL_UNFUSED, UNIFORM_TWICE, elements, multiply_then_add
from writer.drawn import fma
from writer.numbers import WORD

from cases.content import HALF, INFINITY, MINUS, NAN, ONE
from cases.dialects import DOWN, EXTREMES, UP, into_each_other, plain, reaching
from cases.drawn import of_one_seed
from cases.draws import (
    FIFTIETH,
    LENGTHS,
    RARE_TOO,
    SCALES,
    SEEDS,
    TURNS,
    by_3,
    by_4,
    fill_layers,
    minus_and_plus_zero,
    prefixes,
    rare,
    remade,
    shown,
    xor_of,
    zero_rows,
)
from cases.files import Builder, Made
from cases.valid import Valid, case, demand, since, upon, valid


def unfused(seed: int, offset: int, length: int, steps: dict[int, int] | None = None, scale: int = ONE) -> Made:
    """Return a prototype of distribution 5 and its elements."""
    return by_4(NORMAL_UNFUSED, seed, offset, scale, length, steps)


def others(seed: int, offset: int, length: int = 16, scale: int = ONE, than: int = NORMAL) -> set[int]:
    """Return the indices of the elements that another distribution makes otherwise."""
    made = elements(NORMAL_UNFUSED, seed, offset, scale, length)
    return set(np.flatnonzero(made != elements(than, seed, offset, scale, length)).tolist())


case("unfused_lengths", "Multiples of 16, and lengths after which the last 16 are made again.")(
    lambda: shown(5, (unfused(188, i, n) for i, n in enumerate(LENGTHS)))
)
case("unfused_offsets", "Offsets around those at which MT19937 makes its next 624 numbers, 250,000 and 1,000,000.")(
    lambda: shown(5, (unfused(190, offset, 20) for offset in (*TURNS, 250000, 1000000)))
)
case("unfused_seeds", "Seeds 0, 1, 5489, 2^31 and 2^32 - 1.")(
    lambda: shown(5, (unfused(seed, 0, 20) for seed in SEEDS))
)
case(
    "unfused_scales", "Scales 1/3, the least, subnormal and normal ones, and one of which elements are nearly infinite."
)(lambda: shown(5, (unfused(192, i, 24, scale=scale) for i, scale in enumerate((*SCALES, 0x7E000000)))))
case(
    "unfused_infinite_remade",
    "Numbers whose product with the scale is infinite, all of which are made again, and are no elements then.",
)(lambda: shown(5, [remade(unfused(6, 0, 20, scale=0x7EFFFFFF), dialects.sixteen_unfused)]))
case("unfused_ends", "Every rare draw as a logarithm and as an angle: the least, the greatest, and others.")(
    lambda: shown(5, (unfused(rare(k, RARE_TOO)[0], RARE_TOO[k][1] - j, 16) for k in RARE_TOO for j in (1, 9)))
)
case(
    "unfused_from_dialect_to_dialect",
    "What is made with nothing fused as steps of each other normal, and the other way round.",
)(
    lambda: shown(
        5,
        (
            row
            for other in (NORMAL, NORMAL_OF_C)
            for row in into_each_other(NORMAL_UNFUSED, other, 194, FIFTIETH, 701, 0, 1)
        ),
    )
)


@valid
def unfused_known_answer() -> Valid:
    """The known answers of section 8.9 with nothing fused; of each, one element told is another with distribution 3."""
    known, length = dialects.KNOWN_UNFUSED, dialects.UNFUSED_LENGTH
    for _, seed, offset, first, text in known:
        demand(others(seed, offset, length) & set(range(first, first + len(text.split()))), "none is another")
    return shown(5, (unfused(*place, length) for place in dict.fromkeys(row[1:3] for row in known)))


@valid
def unfused_long() -> Valid:
    """1,003 numbers of scale 0.02; some are others with distribution 3, and many more with that of the C library."""
    demand(4 < len(others(189, 5, 1003, FIFTIETH)) < 60, "as many are others")
    demand(100 < len(others(189, 5, 1003, FIFTIETH, NORMAL_OF_C)) < 900, "no dialects")
    return shown(5, [unfused(189, 5, 1003, scale=FIFTIETH)])


@valid
def unfused_remade() -> Valid:
    """Elements of the last 16 that are others than those of distribution 3 only because they are made again."""
    indices = others(189, 34, 37)
    demand(indices and min(indices) >= 37 - 16, "not of the last 16")
    demand(not others(189, 34, 32), "others before they are made again")
    return shown(5, [unfused(189, 34, 37)])


# --- log, sin and cos ---------------------------------------------------------------------------------------

# Positions of draws of seed 187. V there is another logarithm with nothing fused, one of each of these exponents e.
LOGARITHMS = {0: 4669, -1: 2104, -2: 6608, -3: 29831}
# V there is another sine and the same cosine, or the other way round: of each n.
SINES = {0: 565, 2: 403, 4: 311, 6: 233, 8: 258}
COSINES = {0: 11739, 2: 160, 4: 2977, 6: 212, 8: 6336}


def parts(position: int) -> tuple[bool, bool, bool]:
    """Return whether log(1 - V), and sin and cos of the angle of V, are others with nothing fused, of seed 187."""
    v = drawing.fraction(drawing.draws(187, position, 1)[0])
    t = drawing.rounded(drawing.TWO_PI * v)
    made = [(drawing.logarithm(1 - v, add), *drawing.sine_and_cosine(t, add)) for add in (fma, multiply_then_add)]
    log, sine, cosine = (a != b for a, b in zip(*made, strict=True))
    return log, sine, cosine


def eighths(position: int) -> int:
    """Return n of the angle of a draw of seed 187."""
    t = drawing.rounded(drawing.TWO_PI * drawing.fraction(drawing.draws(187, position, 1)[0]))
    q = int(drawing.rounded(t * drawing.FOUR_BY_PI))
    return q + q % 2


@valid
def unfused_logarithms() -> Valid:
    """Elements that are others than those of distribution 3 for a logarithm, of exponents 0 to -3: two for each."""
    rows = []
    for i, (e, position) in enumerate(LOGARITHMS.items()):
        v = drawing.fraction(drawing.draws(187, position, 1)[0])
        demand(1 <= (1 - v) / drawing.SQRT_HALF / Fraction(2) ** e < 2, "another exponent")
        demand(parts(position)[0] and parts(position + 8)[1:] == (False, False), "not for the logarithm alone")
        demand({i, i + 8} <= others(187, position - i), "the elements are the same")
        rows.append(unfused(187, position - i, 16))
    return shown(5, rows)


def turned(places: dict[int, int], of_sine: bool) -> Valid:
    """Return elements that are others for the sine of an angle alone, or for the cosine, with every n."""
    rows = []
    for i, (n, position) in enumerate(places.items()):
        demand(eighths(position) == n, "another n")
        demand(not parts(position - 8)[0] and parts(position)[1:] == (of_sine, not of_sine), "for something else")
        indices = others(187, position - 8 - i)
        demand((i + 8 in indices) == of_sine and (i in indices) != of_sine, "the elements are the same")
        rows.append(unfused(187, position - 8 - i, 16))
    return shown(5, rows)


case("unfused_sines", "Elements that are others than those of distribution 3 for a sine: n of 0, 2, 4, 6 and 8.")(
    lambda: turned(SINES, True)
)
case("unfused_cosines", "Elements that are others than those of distribution 3 for a cosine: n of 0, 2, 4, 6 and 8.")(
    lambda: turned(COSINES, False)
)

# Which fma of log, or of sin and cos, from 1 on in the order of the text; seed and position of a draw; an element.
# The tenth of log and the first two of sin and cos are exact products: fused or not they give the same.
EACH_OF_LOG = dict(enumerate(((2179, 842), (2096, 853), (273, 111), (734, 90), (234, 960), (206, 682)), 1))
EACH_OF_LOG |= {7: (189, 737), 8: (197, 577), 9: (186, 266)}
EACH_OF_TURNS = {3: (1861, 784, 0), 4: (2027, 444, 0), 5: (210, 65, 0), 6: (186, 445, 8), 7: (1305, 598, 8)}
EACH_OF_TURNS |= {8: (189, 904, 0), 9: (186, 30, 8)}


class AllBut:
    """A multiply-add that fuses one call of so many, again and again, and no other."""

    def __init__(self, which: int, of: int) -> None:
        self.which, self.of, self.calls = which, of, 0

    def __call__(self, a: Fraction, b: Fraction, c: Fraction) -> Fraction:
        """Return a × b + c."""
        self.calls = self.calls % self.of + 1
        return fma(a, b, c) if self.calls == self.which else multiply_then_add(a, b, c)


@valid
def unfused_each() -> Valid:
    """Of each fma of log, sin and cos that is not exact: an element that is another if it alone is fused."""
    rows = []
    for which, (seed, offset) in EACH_OF_LOG.items():
        numbers = drawing.sixteen(drawing.draws(seed, offset, 16), AllBut(which, 10), multiply_then_add)
        rows.append(unfused(seed, offset, 16))
        demand(drawing.signed(numbers[0]) != rows[-1][1][0], "it is the same")
    for which, (seed, position, element) in EACH_OF_TURNS.items():
        numbers = drawing.sixteen(drawing.draws(seed, position - 8, 16), multiply_then_add, AllBut(which, 9))
        rows.append(unfused(seed, position - 8, 16))
        demand(drawing.signed(numbers[element]) != rows[-1][1][element], "it is the same")
    return shown(5, rows)


# --- zero, steps, and what is made of it --------------------------------------------------------------------

case(
    "unfused_zero",
    "A draw of 24 zero bits, as the logarithm's 0, whose numbers are +0.0, and as an angle; in the last 16, too.",
)(lambda: shown(5, zero_rows(by_4, [NORMAL_UNFUSED])))


@valid
def unfused_minus_zero() -> Valid:
    """The last fma is one operation: numbers below 0 that round to -0.0, beside ones above it that round to +0.0."""
    row = unfused(191, 3, 40, scale=1)
    demand(minus_and_plus_zero(row[1]), "not both zeros")
    return shown(5, [row])


@valid
def unfused_steps() -> Valid:
    """Steps of 1 and 2 at the ends, of neighbours and of all, of 3 and 4, and the greatest two; of all sizes."""
    sizes = (1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455, 268435456)
    some: list[dict[int, int]] = [{0: UP, 19: DOWN}, {3: DOWN, 4: UP}, {i: UP - i % 2 for i in range(20)}]
    rows = [unfused(193, 1, 20, steps) for steps in [*some, EXTREMES, dict(enumerate(sizes))]]
    demand(rows[3][1][0] == plain(NORMAL_UNFUSED, 193, 1)[0] ^ np.uint32(MINUS), "not half of all away")
    return shown(5, rows)


@valid
def unfused_to_special() -> Valid:
    """Steps to NaN, -0.0, +0.0, infinity, 1 and the NaN of all bits; of all elements of a prototype to +0.0."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 18: WORD, 19: MINUS}
    wanted = ((20, some), (17, dict.fromkeys(range(17), 0)))
    return shown(5, (reaching(NORMAL_UNFUSED, 3, n, elements, 193, ONE) for n, elements in wanted))


@valid
def unfused_layers() -> Valid:
    """Layers with zero = zero and negated, phase not 0, scaled, and of the first elements only."""
    row = unfused(193, 7, 20, {3: UP, 19: WORD}, HALF)
    return prefixes(row, shapes=((3, 2), (1,), (0,), (17,)), build=fill_layers(Builder(), [row])).done(5)


@valid
def unfused_of_one_seed() -> Valid:
    """All normals of one seed, overlapping and the same, of both generators; each is another's second prototype."""
    rows: list[Made] = [by_3(drawing.NORMAL, 195, 40, ONE, 20), unfused(195, 40, 20)]
    rows += [by_4(d, 195, 40, ONE, 20) for d in (NORMAL, NORMAL_OF_C)]
    rows += [unfused(195, 700, 17), by_4(UNIFORM_TWICE, 195, 0, ONE, 40), unfused(195, 41, 20, {7: UP})]
    return of_one_seed(rows).done(5)


HELD = [unfused(196, 5, 20, {2: UP, 3: WORD}), unfused(196, 30, 17)]
case("unfused_delta_base", "A base of two prototypes that are made with nothing fused.")(lambda: shown(5, HELD))
case("delta_unfused", "A delta of minor 5 upon that: xor with what it makes, and another prototype of the same seed.")(
    lambda: since(5, upon("unfused_delta_base", xor_of(HELD, unfused(196, 6, 17, {16: DOWN}))))
)
