"""The valid vectors for generator 4 with nothing fused, distribution 5 (sections 4.5 and 8.9), and for its steps.

Few elements are others than those of distribution 3: seeds and offsets were searched for, and every case demands that
its elements are what it is there for.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from writer import dialects
from writer import drawn as drawing
from writer.coders import CONSTANT, D
from writer.dialects import NORMAL, NORMAL_OF_C, NORMAL_UNFUSED, UNIFORM_TWICE, elements, multiply_then_add
from writer.drawn import MultiplyAdd, fma
from writer.numbers import WORD
from writer.writer import Dialect, Drawn, Mask, tiled

from cases import drawn as drawn_cases
from cases.delta_masks import upon
from cases.dialects import RARE_TOO, dialect, found, show_dialects
from cases.drawn import INFINITY, LARGEST, NAN, RARE, SMALLEST_NORMAL, fill_layers, pattern, xor_of
from cases.kit import Array, Valid, case, demand, expect, since_5, valid
from cases.shapes import HALF, MINUS, ONE, Builder, tile
from cases.steps import DOWN, MOST_DOWN, MOST_UP, UP, into_each_other

FIFTIETH = 0x3CA3D70A


def unfused(
    seed: int, offset: int, length: int, steps: dict[int, int] | None = None, scale: int = ONE
) -> tuple[Dialect, Array]:
    """A prototype of distribution 5 and its elements."""
    return dialect(NORMAL_UNFUSED, seed, offset, scale, length, steps)


def others(seed: int, offset: int, length: int = 16, scale: int = ONE, than: int = NORMAL) -> list[int]:
    """The indices of the elements that another distribution makes otherwise."""
    made = elements(NORMAL_UNFUSED, seed, offset, scale, length)
    return [int(i) for i in np.flatnonzero(made != elements(than, seed, offset, scale, length))]


@valid
def unfused_known_answer() -> Valid:
    """The known answers of section 8.9 with nothing fused; of each, one element told is another with distribution 3."""
    length = dialects.UNFUSED_LENGTH
    for _, seed, offset, first, text in dialects.KNOWN_UNFUSED:
        told = range(first, first + len(text.split()))
        demand(any(i in told for i in others(seed, offset, length)), "none is another")
    places = dict.fromkeys((seed, offset) for _, seed, offset, _, _ in dialects.KNOWN_UNFUSED)
    return show_dialects(*(unfused(seed, offset, length) for seed, offset in places))


case("unfused_lengths", "Multiples of 16, and lengths after which the last 16 are made again.")(
    lambda: show_dialects(*(unfused(188, i, n) for i, n in enumerate((16, 17, 20, 31, 32, 33, 47, 48, 100))))
)


@valid
def unfused_long() -> Valid:
    """1,003 numbers of scale 0.02; some are others with distribution 3, and many more with that of the C library."""
    demand(4 < len(others(189, 5, 1003, FIFTIETH)) < 60, "as many are others")
    demand(100 < len(others(189, 5, 1003, FIFTIETH, NORMAL_OF_C)) < 900, "no dialects")
    return show_dialects(unfused(189, 5, 1003, scale=FIFTIETH))


case("unfused_offsets", "Offsets around those at which MT19937 makes its next 624 numbers, 250,000 and 1,000,000.")(
    lambda: show_dialects(
        *(
            unfused(190, offset, 20)
            for offset in (0, 1, 226, 227, 228, 396, 397, 608, 623, 624, 625, 1247, 1248, 250000, 1000000)
        )
    )
)
case("unfused_seeds", "Seeds 0, 1, 5489, 2^31 and 2^32 - 1.")(
    lambda: show_dialects(*(unfused(seed, 0, 20) for seed in (0, 1, 5489, 1 << 31, WORD)))
)


@valid
def unfused_remade() -> Valid:
    """Elements of the last 16 that are others than those of distribution 3 only because they are made again."""
    offset, length = 34, 37
    first, again = (drawing.sixteen(drawing.draws(189, offset + at, 16)) for at in (16, length))
    demand(first[8:] != again[8:], "made again they are the same")
    indices = others(189, offset, length)
    demand(bool(indices) and min(indices) >= length - 16, "not of the last 16")
    demand(not others(189, offset, length - length % 16), "others before they are made again")
    return show_dialects(unfused(189, offset, length))


# Positions of draws of seed 187. V there is another logarithm with nothing fused, one of each of these exponents e.
LOGARITHMS = {0: 4669, -1: 2104, -2: 6608, -3: 29831}
# V there is another sine and the same cosine, or the other way round: of each n.
SINES = {0: 565, 2: 403, 4: 311, 6: 233, 8: 258}
COSINES = {0: 11739, 2: 160, 4: 2977, 6: 212, 8: 6336}


def parts(position: int) -> tuple[bool, bool, bool]:
    """Whether log(1 - V), and sin and cos of the angle of V are others with nothing fused, of a draw of seed 187."""
    v = drawing.fraction(drawing.draws(187, position, 1)[0])
    log, log_too = (drawing.logarithm(1 - v, add) for add in (fma, multiply_then_add))
    t = drawing.rounded(drawing.TWO_PI * v)
    (sine, cosine), (sine_too, cosine_too) = (drawing.sine_and_cosine(t, add) for add in (fma, multiply_then_add))
    return log != log_too, sine != sine_too, cosine != cosine_too


def eighths(position: int) -> int:
    """n of the angle of a draw of seed 187."""
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
        demand({i, i + 8} <= set(others(187, position - i)), "the elements are the same")
        rows.append(unfused(187, position - i, 16))
    return show_dialects(*rows)


def turned(places: dict[int, int], of_sine: bool) -> Valid:
    """Elements that are others for the sine of an angle alone, or for the cosine, with every n."""
    rows = []
    for i, (n, position) in enumerate(places.items()):
        demand(eighths(position) == n, "another n")
        demand(not parts(position - 8)[0] and parts(position)[1:] == (of_sine, not of_sine), "for something else")
        indices = set(others(187, position - 8 - i))
        demand((i + 8 in indices) == of_sine and (i in indices) != of_sine, "the elements are the same")
        rows.append(unfused(187, position - 8 - i, 16))
    return show_dialects(*rows)


case("unfused_sines", "Elements that are others than those of distribution 3 for a sine: n of 0, 2, 4, 6 and 8.")(
    lambda: turned(SINES, True)
)
case("unfused_cosines", "Elements that are others than those of distribution 3 for a cosine: n of 0, 2, 4, 6 and 8.")(
    lambda: turned(COSINES, False)
)


# Which fma of log, or of sin and cos, from 1 on in the order of the text; seed and position of a draw; an element.
# The tenth of log and the first two of sin and cos are exact products: fused or not they give the same.
EACH_OF_LOG = {
    1: (2179, 842, 0),
    2: (2096, 853, 0),
    3: (273, 111, 0),
    4: (734, 90, 0),
    5: (234, 960, 0),
    6: (206, 682, 0),
    7: (189, 737, 0),
    8: (197, 577, 0),
    9: (186, 266, 0),
}


EACH_OF_TURNS = {
    3: (1861, 784, 0),
    4: (2027, 444, 0),
    5: (210, 65, 0),
    6: (186, 445, 8),
    7: (1305, 598, 8),
    8: (189, 904, 0),
    9: (186, 30, 8),
}


class AllBut:
    """A multiply-add that fuses one call of so many, again and again, and no other."""

    def __init__(self, which: int, of: int) -> None:
        self.which, self.of, self.calls = which, of, 0

    def __call__(self, a: Fraction, b: Fraction, c: Fraction) -> Fraction:
        """a × b + c."""
        self.calls = self.calls % self.of + 1
        return fma(a, b, c) if self.calls == self.which else multiply_then_add(a, b, c)


@valid
def unfused_each() -> Valid:
    """Of each fma of log, sin and cos that is not exact: an element that is another if it alone is fused."""
    rows = []
    for table, of, ahead in ((EACH_OF_LOG, 10, 0), (EACH_OF_TURNS, 9, 8)):
        for which, (seed, position, element) in table.items():
            offset = position - ahead
            but: tuple[MultiplyAdd, MultiplyAdd] = (multiply_then_add, AllBut(which, of))
            x = drawing.draws(seed, offset, 16)
            numbers = drawing.sixteen(x, *(but if ahead else but[::-1]))
            row, values = unfused(seed, offset, 16)
            demand(drawing.signed(numbers[element]) != values[element], "it is the same")
            rows.append((row, values))
    return show_dialects(*rows)


case("unfused_ends", "Every rare draw as a logarithm and as an angle: the least, the greatest, and others.")(
    lambda: show_dialects(
        *(
            unfused(seed, position - j, 16)
            for (seed, position), j in [
                (place, j) for k, place in RARE_TOO.items() for j in (1, 9) if found(k, *place) >= 0
            ]
        )
    )
)


@valid
def unfused_zero() -> Valid:
    """A draw of 24 zero bits, as the logarithm's 0, whose numbers are +0.0, and as an angle; in the last 16, too."""
    seed, position = RARE[0]
    rows = [unfused(seed, position - j, n) for j, n in ((0, 16), (5, 16), (10, 32), (20, 20))]
    zeros = [set(np.flatnonzero(values == 0).tolist()) for _, values in rows]
    demand(zeros == [{0, 8}, {5, 13}, {10}, {4, 12}], "numbers that are not +0.0, or others that are")
    return show_dialects(*rows)


@valid
def unfused_minus_zero() -> Valid:
    """The last fma is one operation: numbers below 0 that round to -0.0, beside ones above it that round to +0.0."""
    row, values = unfused(191, 3, 40, scale=1)
    demand({0, MINUS} <= set(values.tolist()), "not both zeros")
    return show_dialects((row, values))


case(
    "unfused_scales", "Scales 1/3, the least, subnormal and normal ones, and one of which elements are nearly infinite."
)(
    lambda: show_dialects(
        *(
            unfused(192, i, 24, scale=scale)
            for i, scale in enumerate((0x3EAAAAAB, 1, 3, 0x007FFFFF, SMALLEST_NORMAL, 0x00812345, 0x7E000000))
        )
    )
)


@valid
def unfused_infinite_remade() -> Valid:
    """Numbers whose product with the scale is infinite, all of which are made again, and are no elements then."""
    seed, scale, length = 6, 0x7EFFFFFF, 20
    row, values = unfused(seed, 0, length, scale=scale)
    first = drawing.normal_numbers(seed, 0, length, dialects.sixteen_unfused, remade=False)
    products = [drawing.signed(value * drawing.number(scale)) & ~MINUS for value in first]
    demand(INFINITY in products and INFINITY not in (values & ~np.uint32(MINUS)), "nothing infinite is made again")
    demand(max(values & ~np.uint32(MINUS)) <= LARGEST, "not finite")
    return show_dialects((row, values))


@valid
def unfused_steps() -> Valid:
    """Steps of 1 and 2 at the ends, of neighbours and of all, of 3 and 4, and the greatest two; of all sizes."""
    some: Iterable[dict[int, int]] = (
        {0: UP, 19: DOWN},
        {3: DOWN, 4: UP},
        {i: UP - i % 2 for i in range(20)},
        {0: MOST_DOWN, 1: MOST_UP, 2: MOST_DOWN - 2, 3: MOST_UP - 2, 18: 3, 19: 4},
        dict(enumerate((1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455, 268435456))),
    )
    rows = [unfused(193, 1, 20, steps) for steps in some]
    old = elements(NORMAL_UNFUSED, 193, 1, ONE, 20)
    demand(rows[3][1][0] == old[0] ^ np.uint32(MINUS), "not half of all away")
    demand((old & MINUS).any() and not (old & MINUS).all(), "elements of one sign only")
    return show_dialects(*rows)


@valid
def unfused_to_special() -> Valid:
    """Steps to NaN, -0.0, +0.0, infinity, 1 and the NaN of all bits; of all elements of a prototype to +0.0."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 18: WORD, 19: MINUS}
    rows = []
    for length, wanted in ((20, some), (17, dict.fromkeys(range(17), 0))):
        old = elements(NORMAL_UNFUSED, 193, 3, ONE, length)
        row, made = unfused(193, 3, length, {i: dialects.step_to(int(old[i]), bits) for i, bits in wanted.items()})
        demand(all(made[i] == bits for i, bits in wanted.items()), "the steps lead elsewhere")
        rows.append((row, made))
    return show_dialects(*rows)


@valid
def unfused_from_dialect_to_dialect() -> Valid:
    """What is made with nothing fused as steps of each other normal, and the other way round."""
    rows: list[tuple[Dialect, Array]] = []
    for other in (NORMAL, NORMAL_OF_C):
        rows += into_each_other(NORMAL_UNFUSED, other, 194, FIFTIETH, 701, 0, 1)
    return show_dialects(*rows)


@valid
def unfused_layers() -> Valid:
    """Layers with zero = zero and negated, phase not 0, scaled, and of the first elements only."""
    build = Builder()
    prototype, made = unfused(193, 7, 20, {3: UP, 19: WORD}, HALF)
    fill_layers(build, [(prototype, made)])
    for shape in ((3, 2), (1,), (0,), (17,)):
        n = int(np.prod(shape))
        build.layer(shape, pattern(n), made[:n])
    return since_5(build.done())


@valid
def unfused_of_one_seed() -> Valid:
    """All normals of one seed, overlapping and the same, of both generators; each is another's second prototype."""
    build = Builder()
    rows: list[tuple[Drawn, Array]] = [drawn_cases.drawn(drawing.NORMAL, 195, 40, ONE, 20), unfused(195, 40, 20)]
    rows += [dialect(d, 195, 40, ONE, 20) for d in (NORMAL, NORMAL_OF_C)]
    rows += [unfused(195, 700, 17), dialect(UNIFORM_TWICE, 195, 0, ONE, 40), unfused(195, 41, 20, {7: UP})]
    for i, (prototype, made) in enumerate(rows):
        build.file.prototypes.append(prototype)
        j = (i + 2) % len(rows)
        a, b = tile(made, 30, 1), tile(rows[j][1], 30, 4)
        build.layer((30,), pattern(30), a, b, prototype=i, phase=1, zero=2, second=j, second_phase=4)
    return since_5(build.done())


HELD = [unfused(196, 5, 20, {2: UP, 3: WORD}), unfused(196, 30, 17)]


case("unfused_delta_base", "A base of two prototypes that are made with nothing fused.")(lambda: show_dialects(*HELD))


@valid
def delta_unfused() -> Valid:
    """A delta of minor 5 upon that: xor with what it makes, and another prototype of the same seed."""
    case = xor_of(HELD)
    prototype, made = unfused(196, 6, 17, {16: DOWN})
    case.file.prototypes.append(prototype)
    case.file.masks.append(Mask(CONSTANT, 17, 17))
    case.file.entries.append(tiled("own", (17,), 2, 2))
    case.networks[""].append(expect("own", D.FLOAT32, (17,), made))
    return since_5(upon("unfused_delta_base", case))
