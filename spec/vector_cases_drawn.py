"""The valid vectors for generator 3, drawn values: section 8.8 of the specification, with 3, 4.5, 6.2, 7 and 8.4.

Seeds and offsets of rare draws were searched for; every case demands that they are what it is there for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import vector_drawn as drawing
import vector_numbers as numbers
from vector_cases_arranged import arranged, demand
from vector_cases_delta_blocks import noise
from vector_cases_delta_masks import upon
from vector_cases_generators import generated
from vector_cases_layers import HALF, MINUS, ONE, TWO, Builder, negated, tile, times, u4
from vector_cases_valid import VALID, Array, Valid, expect, one, valid
from vector_coders import CONSTANT, RAW, D
from vector_delta import XOR, differ, xor_payload
from vector_drawn import KNOWN, NORMAL, NORMAL_SIGNS, UNIFORM, UNIFORM_SIGNS
from vector_writer import Block, Drawn, File, Generator, Mask, Values, mask, tiled

NAN, INFINITY, LARGEST, SMALLEST_NORMAL = 0x7FC12345, 0x7F800000, 0x7F7FFFFF, 0x00800000
ALL = (UNIFORM, NORMAL, UNIFORM_SIGNS, NORMAL_SIGNS)
MINOR_4 = {"minor": 4}


def drawn(
    distribution: int,
    seed: int,
    offset: int,
    scale: int,
    length: int,
    patches: dict[int, int] | None = None,
    low: int = HALF | MINUS,
) -> tuple[Drawn, Array]:
    """Generator 3 and its elements as bits; low goes to the uniform distribution only."""
    values = drawing.elements(distribution, seed, offset, scale, length, patches, low=low)
    told = low if distribution == UNIFORM else None
    return Drawn(length, distribution, seed, offset, scale, told, patches or {}, numbers.digest(values)), values


def show_drawn(*made: tuple[Drawn | Generator, Array]) -> Valid:
    """A layer for each prototype, in a file of version 1.4; the bits of a mask are all ones."""
    build = Builder()
    for i, (prototype, values) in enumerate(made):
        build.file.prototypes.append(prototype)
        build.layer((len(values),), np.ones(len(values), dtype=np.bool_), values, prototype=i)
    return since_4(build.done())


def since_4(case: Valid) -> Valid:
    """The case as a file of version 1.4."""
    case.file.header = MINOR_4
    return case


def low_bits(seed: int, position: int) -> int:
    """x(position) mod 2^24."""
    return drawing.draws(seed, position, 1)[0] % (1 << 24)


# --- sections 3 and 8.8: draws and lengths ------------------------------------------------------------------


@valid
def minor_4_without_its_ids() -> Valid:
    """Minor 4 although nothing in the file came with it: higher than need be, which is no error."""
    return since_4(VALID["generator_layers"]())


@valid
def minor_4_with_ids_of_2() -> Valid:
    """Minor 4, and of the ids only some that came with minors 1 and 2."""
    return since_4(VALID["grouped_users"]())


@valid
def drawn_known_answers() -> Valid:
    """The known answers of section 8.8."""
    rows = dict.fromkeys((distribution, seed, offset) for distribution, seed, offset, _, _ in KNOWN)
    return show_drawn(*(drawn(*row, ONE, 20) for row in rows))


@valid
def drawn_uniform() -> Valid:
    """Uniform numbers of many lengths, one among them; some of (-1/2, 1/2), of (0, 1), and of (2, 3)."""
    lengths = (1, 2, 15, 16, 17, 20, 31, 32, 300)
    lows = (HALF | MINUS, 0, TWO)
    return show_drawn(*(drawn(UNIFORM, 70, i, ONE, n, low=lows[i % 3]) for i, n in enumerate(lengths)))


@valid
def drawn_normal() -> Valid:
    """Normal numbers: multiples of 16, and lengths after which the last 16 are made again."""
    return show_drawn(*(drawn(NORMAL, 71, i, ONE, n) for i, n in enumerate((16, 17, 20, 31, 32, 33, 47, 48, 100))))


@valid
def drawn_normal_long() -> Valid:
    """1,000 normal numbers of scale 0.02."""
    return show_drawn(drawn(NORMAL, 72, 5, 0x3CA3D70A, 1000))


@valid
def drawn_signs() -> Valid:
    """Signs of uniform, of 1 number and more, and of normal, of 16 and more."""
    rows = [drawn(UNIFORM_SIGNS, 73, i, HALF, n) for i, n in enumerate((1, 15, 16, 17, 31, 32, 200))]
    return show_drawn(*rows, *(drawn(NORMAL_SIGNS, 73, i, HALF, n) for i, n in enumerate((16, 17, 20, 31, 32, 200))))


@valid
def drawn_offsets() -> Valid:
    """Offsets around those at which MT19937 makes its next 624 numbers, and 100,000; every distribution."""
    offsets = (0, 1, 226, 227, 228, 396, 397, 608, 623, 624, 625, 1247, 1248, 100000)
    return show_drawn(*(drawn(d, 74, offset, ONE, 20) for offset in offsets for d in ALL))


@valid
def drawn_seeds() -> Valid:
    """Seeds 0, 1, 5489, 2^31 and 2^32 - 1; every distribution."""
    return show_drawn(*(drawn(d, seed, 0, ONE, 20) for seed in (0, 1, 5489, 1 << 31, (1 << 32) - 1) for d in ALL))


# --- rare draws ---------------------------------------------------------------------------------------------

# x(position) mod 2^24 of these seeds and positions.
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


def rare(k: int) -> tuple[int, int]:
    """Seed and position of a draw that is k modulo 2^24."""
    seed, position = RARE[k]
    demand(low_bits(seed, position) == k, "another draw")
    return seed, position


@valid
def drawn_middle() -> Valid:
    """Draws of which 24 bits are 2^23: no sign, +0.0, and low + scale / 2; of 2^23 - 1 and 2^23 + 1: signs."""
    rows = []
    for k in ((1 << 23) - 1, 1 << 23, (1 << 23) + 1):
        seed, position = rare(k)
        for distribution in (UNIFORM_SIGNS, UNIFORM):
            row, values = drawn(distribution, seed, position - 3, ONE, 8)
            demand((values[3] == 0) == (k == 1 << 23), "the middle is not 0, or something else is")
            rows.append((row, values))
    return show_drawn(*rows)


@valid
def drawn_zero() -> Valid:
    """A draw of 24 zero bits: as the logarithm's 0, whose numbers and signs are +0.0, as an angle, and for uniform."""
    seed, position = rare(0)
    rows = []
    for distribution in (NORMAL, NORMAL_SIGNS):
        for j in (0, 5):
            row, values = drawn(distribution, seed, position - j, ONE, 16)
            demand(values[j] == 0 and values[j + 8] == 0, "numbers that are not +0.0")
            rows.append((row, values))
        row, values = drawn(distribution, seed, position - 10, ONE, 32)
        demand(values[10] == 0 and values[2] != 0, "a sine that is not +0.0")
        rows.append((row, values))
        row, values = drawn(distribution, seed, position - 20, ONE, 20)  # only in the last 16
        demand(values[4] == 0 and values[12] == 0, "last numbers that are not +0.0")
        rows.append((row, values))
    uniform = [drawn(UNIFORM, seed, position - 1, scale, 3, low=low) for scale in (ONE, 1) for low in (0, MINUS, TWO)]
    return show_drawn(*rows, *uniform, drawn(UNIFORM_SIGNS, seed, position, ONE, 1))


@valid
def drawn_ends() -> Valid:
    """Every rare draw as a logarithm and as an angle: the least, the greatest, eighths of a turn, and beside them."""
    places = [(k, j) for k in RARE for j in (1, 9)]
    return show_drawn(*(drawn(NORMAL, rare(k)[0], rare(k)[1] - j, ONE, 16) for k, j in places))


# --- arithmetic ---------------------------------------------------------------------------------------------


@valid
def drawn_rounded_once() -> Valid:
    """Uniform numbers of which some are others if product and sum are each rounded."""
    rows = []
    for i, (scale, low) in enumerate(((0x3E99999A, 0xBE19999A), (0x40490FDB, 0xBFC90FDB), (0x3DCCCCCD, 0x3F8CCCCD))):
        row, values = drawn(UNIFORM, 75, i, scale, 60, low=low)
        u = [drawing.fraction(x) for x in drawing.draws(75, i, 60)]
        size, least = drawing.number(scale), drawing.number(low)
        twice = [drawing.signed(drawing.rounded(x * size) + least) for x in u]
        demand(values.tolist() != twice, "rounding twice makes no difference")
        rows.append((row, values))
    return show_drawn(*rows)


@valid
def drawn_low() -> Valid:
    """Low of +0.0, -0.0, the same size as scale, subnormal, largest of either sign, and with a scale far below it."""
    largest = LARGEST | MINUS
    pairs = [(ONE, 0), (ONE, MINUS), (ONE, ONE), (ONE, ONE | MINUS), (3, 1), (3, MINUS | 2), (0x00812345, 0x80812345)]
    pairs += [(ONE, LARGEST), (LARGEST, largest), (LARGEST, 1), (0x73000000, LARGEST), (1, ONE), (ONE, 0x4B800000)]
    return show_drawn(*(drawn(UNIFORM, 76, i, scale, 24, low=low) for i, (scale, low) in enumerate(pairs)))


@valid
def drawn_minus_zero() -> Valid:
    """Numbers below 0 that round to -0.0, beside ones above it that round to +0.0."""
    rows = [drawn(UNIFORM, 77, 0, 1, 24, low=MINUS | 1), drawn(UNIFORM, 77, 1, 1, 24, low=0)]
    rows += [drawn(UNIFORM, 77, 2, 1, 24, low=MINUS), drawn(NORMAL, 77, 3, 1, 40)]
    for i, both in ((0, False), (3, True)):
        found = set(rows[i][1].tolist())
        demand(MINUS in found and (0 in found or not both), "no zeros of these signs")
    demand(not any((rows[i][1] & MINUS).any() for i in (1, 2)), "a sign")
    return show_drawn(*rows)


@valid
def drawn_scales() -> Valid:
    """Scales 1/3, the least, subnormal and normal ones; the largest of which no element is infinite."""
    scales = (0x3EAAAAAB, 1, 3, 0x007FFFFF, SMALLEST_NORMAL, 0x00812345)
    rows = [drawn(d, 78, i, scale, 24, low=0) for d in ALL for i, scale in enumerate(scales)]
    rows += [drawn(d, 78, 9, LARGEST, 24, low=0) for d in (UNIFORM, UNIFORM_SIGNS, NORMAL_SIGNS)]
    return show_drawn(*rows, drawn(NORMAL, 78, 9, 0x7E000000, 24))


@valid
def drawn_infinite_remade() -> Valid:
    """Numbers whose product with the scale is infinite, all of which are made again, and are no elements then."""
    seed, scale, length = 10, 0x7EFFFFFF, 20
    row, values = drawn(NORMAL, seed, 0, scale, length)
    first = drawing.normal_numbers(seed, 0, length, remade=False)
    products = [drawing.signed(value * drawing.number(scale)) & ~MINUS for value in first]
    demand(INFINITY in products and INFINITY not in (values & ~np.uint32(MINUS)), "nothing infinite is made again")
    return show_drawn((row, values))


# --- section 4.5: patches -----------------------------------------------------------------------------------


@valid
def drawn_patches() -> Valid:
    """Patches of NaN, -0.0, +0.0 and infinity, the first and last element, and of what is made again; all patched."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 19: MINUS}
    rows = [drawn(d, 79, 3, HALF, 20, some) for d in ALL]
    rows += [drawn(d, 79, 1, HALF, 500, {499: 0xFFFFFFFF, 200: 1, 128: MINUS}) for d in ALL]
    return show_drawn(*rows, drawn(NORMAL, 79, 2, ONE, 16, {i: i for i in range(16)}))


# --- section 7: layers --------------------------------------------------------------------------------------


def pattern(n: int) -> Array:
    """A choice of ones and zeros."""
    return np.asarray(np.arange(n) * 5 % 7 < 4)


def fill_layers(build: Builder, rows: Iterable[tuple[Drawn, Array]]) -> None:
    """Prototypes, and of each layers with zero = zero and negated, phase not 0, scaled."""
    for i, (prototype, made) in enumerate(rows):
        build.file.prototypes.append(prototype)
        for phase, scale in ((0, None), (len(made) - 1, None), (3, 0x3E99999A)):
            a = tile(made, 30, phase) if scale is None else times(tile(made, 30, phase), scale)
            for zero in (0, 1):
                b = negated(a) if zero else None
                build.layer((5, 6), pattern(30), a, b, prototype=i, phase=phase, zero=zero, scale=scale)


@valid
def drawn_layers() -> Valid:
    """Layers with zero = zero and negated, phase not 0, scaled; signs without a sign and -0.0 are idle or are not."""
    build = Builder()
    seed, position = rare(1 << 23)
    rows = [drawn(UNIFORM_SIGNS, seed, position - 2, HALF, 10), drawn(UNIFORM, 77, 0, 1, 24, low=MINUS | 1)]
    rows += [drawn(NORMAL, 80, 7, ONE, 20, {3: 0, 4: MINUS}), drawn(UNIFORM, 80, 8, ONE, 5)]
    fill_layers(build, rows)
    return since_4(build.done())


@valid
def drawn_prefixes() -> Valid:
    """One long prototype, of which each layer shows only as many elements from the beginning as it has, or none."""
    build = Builder()
    for i, distribution in enumerate((UNIFORM, NORMAL)):
        prototype, made = drawn(distribution, 81, 0, 0x3D4CCCCD, 100)
        build.file.prototypes.append(prototype)
        for shape in ((3, 2), (17,), (1,), (0,), (99,)):
            n = int(np.prod(shape))
            build.layer(shape, pattern(n), made[:n], prototype=i)
    return since_4(build.done())


@valid
def drawn_offsets_of_one_seed() -> Valid:
    """Prototypes of one seed one after the other, overlapping and the same; second prototypes of each other."""
    build = Builder()
    places = (
        (NORMAL, 40, 20),
        (UNIFORM, 0, 40),
        (NORMAL, 0, 40),
        (NORMAL, 30, 20),
        (NORMAL, 40, 20),
        (UNIFORM, 700, 9),
    )
    rows = [drawn(distribution, 82, offset, ONE, length) for distribution, offset, length in places]
    for i, (prototype, made) in enumerate(rows):
        build.file.prototypes.append(prototype)
        j = (i + 2) % len(rows)
        a, b = tile(made, 30, 1), tile(rows[j][1], 30, 4)
        build.layer((30,), pattern(30), a, b, prototype=i, phase=1, zero=2, second=j, second_phase=4)
    return since_4(build.done())


@valid
def drawn_two_seeds() -> Valid:
    """Two seeds in turn, the greatest offset that of the second and of the first."""
    rows = [(83, 0, 20), (84, 700, 17), (83, 1300, 20), (84, 0, 16)]
    return show_drawn(*(drawn(NORMAL, seed, offset, ONE, length) for seed, offset, length in rows))


@valid
def drawn_beside_others() -> Valid:
    """Generators 1, 2 and 3 of the same seed, and values, in one file; each is another's second prototype."""
    build = Builder()
    rows: list[tuple[Drawn | Generator, Array]] = [generated(numbers.NORMAL, 85, 3, ONE, 16)]
    rows += [drawn(NORMAL, 85, 3, ONE, 16), arranged(numbers.NORMAL, 85, 3, ONE, 31, 16, 5)]
    rows += [drawn(UNIFORM, 85, 3, ONE, 16, {4: TWO})]
    build.file.prototypes += [prototype for prototype, _ in rows]
    held = [made for _, made in rows] + [u4(ONE, 0, MINUS)]
    build.prototype(held[-1])
    for i, made in enumerate(held):
        j = (i + 1) % len(held)
        build.layer((33,), pattern(33), tile(made, 33), tile(held[j], 33), prototype=i, zero=2, second=j)
    return since_4(build.done())


@valid
def drawn_tasks() -> Valid:
    """Two tasks of different prototypes, and what both have in common."""
    rows = [drawn(NORMAL, 86, 0, ONE, 16), drawn(NORMAL, 86, 500, ONE, 16), drawn(UNIFORM_SIGNS, 87, 9, ONE, 4)]
    file = File(tasks=["a", "b"], prototypes=[prototype for prototype, _ in rows])
    file.masks = [mask(np.ones(len(made), np.bool_)) for _, made in rows]
    file.entries = [tiled("w", (len(made),), i, i, task=(i + 1) % 3) for i, (_, made) in enumerate(rows)]
    w = [expect("w", D.FLOAT32, (len(made),), made) for _, made in rows]
    file.entries[2].name = "common"
    common = expect("common", D.FLOAT32, (4,), rows[2][1])
    return since_4(Valid(file, {"a": [w[0], common], "b": [w[1], common]}))


# --- section 6.2: deltas ------------------------------------------------------------------------------------

HELD = [drawn(NORMAL, 88, 5, HALF, 20, {2: NAN}), drawn(UNIFORM, 88, 30, ONE, 9)]


@valid
def drawn_delta_base() -> Valid:
    """A base of two prototypes that are made by generator 3."""
    return show_drawn(*HELD)


def xor_of(held: Sequence[tuple[Drawn, Array]]) -> Valid:
    """Prototypes of values that are xored with those that are made of the base, and layers that show them."""
    file, expected = File(), []
    new = [np.frombuffer(noise(made.nbytes, f"drawn {i}"), "<u4") for i, (_, made) in enumerate(held)]
    differences = b"".join(differ(old.tobytes(), values.tobytes()) for (_, old), values in zip(held, new, strict=True))
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1, 2), RAW, differences))]
    for i, values in enumerate(new):
        active = int(np.count_nonzero(values))
        file.prototypes.append(Values(len(values), 0))
        file.masks.append(Mask(CONSTANT, active, active))
        file.entries.append(tiled(f"w{i}", (len(values),), i, i))
        expected.append(expect(f"w{i}", D.FLOAT32, (len(values),), values))
    return one(file, *expected)


@valid
def delta_drawn() -> Valid:
    """A delta of minor 3 upon a base of minor 4: xor with prototypes that generator 3 makes."""
    return upon("drawn_delta_base", xor_of(HELD))


@valid
def delta_drawn_too() -> Valid:
    """A delta of minor 4, which also has a prototype of generator 3 of its own, of the seed of the base."""
    case = xor_of(HELD)
    prototype, made = drawn(NORMAL, 88, 6, HALF, 17)
    case.file.prototypes.append(prototype)
    case.file.masks.append(Mask(CONSTANT, 17, 17))
    case.file.entries.append(tiled("own", (17,), 2, 2))
    case.networks[""].append(expect("own", D.FLOAT32, (17,), made))
    return since_4(upon("drawn_delta_base", case))
