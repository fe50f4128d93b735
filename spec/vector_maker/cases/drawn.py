"""The invalid vectors for generator 3, drawn values: sections 3, 4.5, 4.7, 6.2, 7, 8.4, 8.6 and 8.8.

Every row is one defect of a file that is valid without it. To add a vector, add a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from writer import drawn as drawing
from writer import numbers
from writer.coders import CONSTANT, RAW, D
from writer.delta import XOR, differ, xor_payload
from writer.drawn import KNOWN, NORMAL, NORMAL_SIGNS, UNIFORM, UNIFORM_SIGNS
from writer.writer import Block, Drawn, File, Generator, Mask, Values, mask, tiled

from cases.arranged import arranged
from cases.delta_blocks import noise
from cases.delta_damaged import one_xor, upon_invalid
from cases.delta_masks import upon
from cases.generators import generated
from cases.kit import (
    BAD_SCALES,
    LIMIT,
    MANIFEST,
    MINOR_4,
    PAYLOAD,
    VALID,
    Array,
    Row,
    Valid,
    case,
    demand,
    expect,
    of,
    one,
    put,
    since_4,
    valid,
    whole,
)
from cases.shapes import HALF, MINUS, ONE, TWO, Builder, negated, tile, times, u4

NAN, INFINITY, LARGEST, SMALLEST_NORMAL = 0x7FC12345, 0x7F800000, 0x7F7FFFFF, 0x00800000
ALL = (UNIFORM, NORMAL, UNIFORM_SIGNS, NORMAL_SIGNS)


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


def low_bits(seed: int, position: int) -> int:
    """x(position) mod 2^24."""
    return drawing.draws(seed, position, 1)[0] % (1 << 24)


case(
    "minor_4_without_its_ids",
    "Minor 4 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since_4(VALID["generator_layers"][1]()))
case("minor_4_with_ids_of_2", "Minor 4, and of the ids only some that came with minors 1 and 2.")(
    lambda: since_4(VALID["grouped_users"][1]())
)
case("drawn_known_answers", "The known answers of section 8.8.")(
    lambda: show_drawn(
        *(
            drawn(*row, ONE, 20)
            for row in dict.fromkeys((distribution, seed, offset) for distribution, seed, offset, _, _ in KNOWN)
        )
    )
)
case(
    "drawn_uniform", "Uniform numbers of many lengths, one among them; some of (-1/2, 1/2), of (0, 1), and of (2, 3)."
)(
    lambda: show_drawn(
        *(
            drawn(UNIFORM, 70, i, ONE, n, low=(HALF | MINUS, 0, TWO)[i % 3])
            for i, n in enumerate((1, 2, 15, 16, 17, 20, 31, 32, 300))
        )
    )
)
case("drawn_normal", "Normal numbers: multiples of 16, and lengths after which the last 16 are made again.")(
    lambda: show_drawn(*(drawn(NORMAL, 71, i, ONE, n) for i, n in enumerate((16, 17, 20, 31, 32, 33, 47, 48, 100))))
)
case("drawn_normal_long", "1,000 normal numbers of scale 0.02.")(
    lambda: show_drawn(drawn(NORMAL, 72, 5, 0x3CA3D70A, 1000))
)
case("drawn_signs", "Signs of uniform, of 1 number and more, and of normal, of 16 and more.")(
    lambda: show_drawn(
        *[drawn(UNIFORM_SIGNS, 73, i, HALF, n) for i, n in enumerate((1, 15, 16, 17, 31, 32, 200))],
        *(drawn(NORMAL_SIGNS, 73, i, HALF, n) for i, n in enumerate((16, 17, 20, 31, 32, 200))),
    )
)
case(
    "drawn_offsets",
    "Offsets around those at which MT19937 makes its next 624 numbers, and 100,000; every distribution.",
)(
    lambda: show_drawn(
        *(
            drawn(d, 74, offset, ONE, 20)
            for offset in (0, 1, 226, 227, 228, 396, 397, 608, 623, 624, 625, 1247, 1248, 100000)
            for d in ALL
        )
    )
)
case("drawn_seeds", "Seeds 0, 1, 5489, 2^31 and 2^32 - 1; every distribution.")(
    lambda: show_drawn(*(drawn(d, seed, 0, ONE, 20) for seed in (0, 1, 5489, 1 << 31, (1 << 32) - 1) for d in ALL))
)


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


case(
    "drawn_ends",
    "Every rare draw as a logarithm and as an angle: the least, the greatest, eighths of a turn, and beside them.",
)(
    lambda: show_drawn(
        *(drawn(NORMAL, rare(k)[0], rare(k)[1] - j, ONE, 16) for k, j in [(k, j) for k in RARE for j in (1, 9)])
    )
)


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


@valid
def drawn_patches() -> Valid:
    """Patches of NaN, -0.0, +0.0 and infinity, the first and last element, and of what is made again; all patched."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 19: MINUS}
    rows = [drawn(d, 79, 3, HALF, 20, some) for d in ALL]
    rows += [drawn(d, 79, 1, HALF, 500, {499: 0xFFFFFFFF, 200: 1, 128: MINUS}) for d in ALL]
    return show_drawn(*rows, drawn(NORMAL, 79, 2, ONE, 16, {i: i for i in range(16)}))


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


case("drawn_two_seeds", "Two seeds in turn, the greatest offset that of the second and of the first.")(
    lambda: show_drawn(
        *(
            drawn(NORMAL, seed, offset, ONE, length)
            for seed, offset, length in [(83, 0, 20), (84, 700, 17), (83, 1300, 20), (84, 0, 16)]
        )
    )
)


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


HELD = [drawn(NORMAL, 88, 5, HALF, 20, {2: NAN}), drawn(UNIFORM, 88, 30, ONE, 9)]


case("drawn_delta_base", "A base of two prototypes that are made by generator 3.")(lambda: show_drawn(*HELD))


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


case("delta_drawn", "A delta of minor 3 upon a base of minor 4: xor with prototypes that generator 3 makes.")(
    lambda: upon("drawn_delta_base", xor_of(HELD))
)


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


NAMES = {UNIFORM: "uniform", NORMAL: "normal", UNIFORM_SIGNS: "uniform_signs", NORMAL_SIGNS: "normal_signs"}
MOST_DRAWS = 1 << 40


def layers(*rows: tuple[Drawn, Array], n: int | None = None, scale: bytes | None = None) -> File:
    """A file of a layer for each prototype, as long as that or n elements long, whose mask is all ones."""
    file = File(prototypes=[prototype for prototype, _ in rows], header=MINOR_4)
    for i, (_, made) in enumerate(rows):
        values = made if n is None else tile(made, n)
        ones = int(np.count_nonzero(values))
        file.masks.append(Mask(CONSTANT, ones, ones))
        file.entries.append(tiled(f"w{i}", (len(values),), i, i, scale=scale))
    return file


def plain(distribution: int, length: int = 20, offset: int = 2) -> File:
    """A valid file of one prototype of seed 90."""
    return layers(drawn(distribution, 90, offset, ONE, length))


def edited(distribution: int, /, **fields: Any) -> File:
    """That file with other fields in the row."""
    file = plain(distribution)
    put("prototypes", 0, **fields)(file)
    return file


def ids() -> Iterator[Row]:
    """Sections 3 and 4.5: versions, generators and distributions."""
    for minor in range(4):
        for distribution, name in NAMES.items():
            file = plain(distribution)
            file.header = {"minor": minor}
            reason = f"3: generator 3 in a file of minor {minor}"
            yield Row(f"drawn_minor_{minor}_{name}", MANIFEST, reason, file)
    for distribution, name in NAMES.items():
        for generator in (0, 1, 2, 4, 255):
            known = "unknown generator" if generator not in (1, 2) else "in the row of generator 3 stands"
            file = edited(distribution, generator=generator)
            yield Row(f"drawn_generator_{generator}_{name}", MANIFEST, f"4.5: {known} {generator}", file)
        for other in (0, 5, 255):
            file = edited(distribution, distribution=other)
            yield Row(f"drawn_distribution_{other}_{name}", MANIFEST, f"4.5: unknown distribution {other}", file)
    for generator in (0, 4, 255):
        file = of("generator_layers", put("prototypes", 0, generator=generator), whole(header=MINOR_4))
        yield Row(f"generator_{generator}_minor_4", MANIFEST, f"4.5: unknown generator {generator} in minor 4", file)
    for distribution in (0, 4):
        file = of("generator_layers", put("prototypes", 0, distribution=distribution), whole(header=MINOR_4))
        reason = f"4.5: unknown distribution {distribution} of generator 1 in minor 4"
        yield Row(f"generator_1_distribution_{distribution}", MANIFEST, reason, file)
    for base in ("generator_patches", "arranged_patches"):
        file = of(base, put("prototypes", 0, generator=3), whole(header=MINOR_4))
        reason = "4.5: generator 3 in a row of another, which goes on otherwise"
        yield Row(f"drawn_as_{base}", MANIFEST, reason, file)


def fields() -> Iterator[Row]:
    """Section 4.5: the fields of the row."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"drawn_{name}", MANIFEST, f"4.5: {reason}", file)

    for distribution in (NORMAL, NORMAL_SIGNS):
        for length in (1, 15):
            file = edited(distribution, length=length)
            yield row(f"length_{length}_{NAMES[distribution]}", f"length {length} of a normal distribution", file)
    for distribution, name in NAMES.items():
        yield row(f"length_zero_{name}", "length 0", edited(distribution, length=0))
        beyond = edited(distribution, offset=MOST_DRAWS - 20 - 16 + 1)
        yield row(f"draws_above_2_40_{name}", "offset + length + 16 is 2^40 + 1", beyond)
    yield row("offset_2_40", "an offset of 2^40", edited(UNIFORM, offset=MOST_DRAWS))
    yield row("offset_2_63", "an offset of 2^63 - 1", edited(UNIFORM, offset=(1 << 63) - 1))
    yield row("offset_above_2_63", "an offset of ten bytes", edited(UNIFORM, offset=b"\x80" * 9 + b"\x01"))
    yield row("offset_not_minimal", "an offset that is not minimal", edited(UNIFORM, offset=b"\x82\x00"))
    for offset in (0, 2):
        file = edited(NORMAL, length=MOST_DRAWS - 15 - offset, offset=offset)
        yield row(f"length_and_{offset}_above_2_40", f"length and an offset of {offset} are above 2^40 - 16", file)
    yield row("length_2_48", "a length of 2^48", edited(UNIFORM, length=1 << 48))
    for distribution, name in NAMES.items():
        for what, scale in BAD_SCALES.items():
            yield row(f"scale_{what}_{name}", f"scale is {what.replace('_', ' ')}", edited(distribution, scale=scale))
    lows = {"infinity": INFINITY, "minus_infinity": INFINITY | MINUS, "nan": 0x7FC00000, "minus_nan": 0xFFC00000}
    for what, low in (lows | {"signalling_nan": 0x7F800001, "largest_nan": 0xFFFFFFFF}).items():
        yield row(f"low_{what}", f"low is {what.replace('_', ' ')}", edited(UNIFORM, low=low))
    yield row("low_missing", "no low for the uniform distribution", edited(UNIFORM, low=None))
    for distribution in (NORMAL, UNIFORM_SIGNS, NORMAL_SIGNS):
        yield row(f"low_of_{NAMES[distribution]}", "low for another distribution", edited(distribution, low=HALF))
    for distribution, name in NAMES.items():
        yield row(f"patch_at_length_{name}", "a patch at index length", edited(distribution, patches={20: ONE}))
    yield row("patch_in_last_draws", "a patch below length + 16", edited(NORMAL, patches={3: ONE, 35: ONE}))
    yield row("patch_huge", "a patch at 2^62", edited(UNIFORM, patches={0: ONE}, gaps=[1 << 62]))
    yield row("patch_not_minimal", "a gap that is not minimal", edited(UNIFORM, patches={3: ONE}, gaps=[b"\x83\x00"]))
    for distribution, parts in (
        (UNIFORM, (("seed", 4), ("half_of_seed", 2), ("offset", 6), ("half_of_offset", 5), ("scale", 10), ("low", 14))),
        (NORMAL, (("scale", 10), ("half_of_scale", 8))),
    ):
        for name, size in parts:
            file = plain(distribution, 20, 300)
            end = file.manifest().index((90).to_bytes(4, "little") + b"\xac\x02") + size
            file.edit_manifest = itemgetter(slice(end))
            reason = f"the manifest ends after {name.replace('_', ' ')}"
            yield row(f"ends_after_{name}_{NAMES[distribution]}", reason, file)
    unused = plain(NORMAL)
    unused.prototypes.append(drawn(NORMAL, 90, 40, ONE, 20)[0])
    yield row("unused", "a prototype that no layer uses", unused)


def limits() -> Iterator[Row]:
    """Section 4.7: elements of prototypes and layers, and once the draws of the prototype that has most of them."""
    for distribution, name in NAMES.items():
        file = edited(distribution, offset=MOST_DRAWS - 20 - 16)
        yield Row(f"drawn_2_40_{name}", LIMIT, "4.7: offset + length + 16 is 2^40 in a tiny file", file)
        file = layers(drawn(distribution, 91, 624, ONE, 20), n=6)
        most = 4 * (6 + 20 + 624 + 20 + 16)
        reason = "4.7: 24 bytes of layer, 80 of prototype, 2640 of draws"
        yield Row(f"drawn_max_bytes_{name}", LIMIT, reason, file, most - 1)
    long = edited(UNIFORM, length=1 << 39)
    yield Row("drawn_2_39", LIMIT, "4.7: a prototype of 2^39 elements in a tiny file", long)
    rows = [drawn(UNIFORM, 91, 0, ONE, 20), drawn(NORMAL, 91, 700, ONE, 16), drawn(NORMAL, 91, 690, ONE, 17)]
    reason = "4.7: 212 bytes each of layers and prototypes, 2928 of draws of one seed"
    yield Row("drawn_max_bytes_offsets", LIMIT, reason, layers(*rows), 2 * 212 + 4 * 732 - 1)
    file = of("drawn_beside_others")
    elements = 4 * (16 + 16 + 31 + 16 + 3) + 4 * 5 * 33
    demand(len(file.prototypes) == 5 and len(file.entries) == 5, "another file")
    reason = "4.7: beside other generators: 988 bytes of layers and prototypes, 140 of draws"
    yield Row("drawn_max_bytes_others", LIMIT, reason, file, elements + 4 * 35 - 1)
    reason = "4.7: of task a 80 bytes, of all prototypes 144, and 2244 of the draws of two seeds, one of them of task b"
    yield Row("drawn_max_bytes_task", LIMIT, reason, of("drawn_tasks"), 80 + 144 + 4 * (532 + 29) - 1, "a")
    row = Row("drawn_2_40_normal", LIMIT, "", edited(NORMAL, offset=MOST_DRAWS - 20 - 16))
    yield upon_invalid("drawn_2_40", row, one_xor(D.FLOAT32, 20))


def payloads() -> Iterator[Row]:
    """Sections 7 and 8."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"drawn_{name}", PAYLOAD, reason, file)

    def with_digest(distribution: int, wrong: Array, *, length: int = 20, low: int = HALF | MINUS) -> File:
        """A prototype of seed 92 from draw 5 on, patched, with the digest of other values."""
        prototype, made = drawn(distribution, 92, 5, 0x3E99999A, length, {2: TWO}, low)
        wrong[2] = TWO
        demand(numbers.digest(wrong) != prototype.digest, "the digest is right")
        prototype.digest = numbers.digest(wrong)
        return layers((prototype, made))

    def values(distribution: int, seed: int = 92, offset: int = 5, length: int = 20) -> Array:
        return drawing.elements(distribution, seed, offset, 0x3E99999A, length, low=HALF | MINUS)

    for distribution, name in NAMES.items():
        wrong = with_digest(distribution, values(distribution) ^ np.uint32(1))
        yield row(f"digest_{name}", "8.6: the digest of elements with other lowest bits", wrong)
        wrong = with_digest(distribution, values(distribution, offset=0))
        yield row(f"digest_offset_0_{name}", "8.8: the digest of what is drawn from offset 0", wrong)
        wrong = with_digest(distribution, values(distribution, seed=93))
        yield row(f"digest_seed_{name}", "8.8: the digest of what is drawn by another seed", wrong)
        prototype, made = drawn(distribution, 92, 5, ONE, 20, {2: TWO})
        prototype.digest = numbers.digest(drawing.elements(distribution, 92, 5, ONE, 20, low=HALF | MINUS))
        file = layers((prototype, made))
        yield row(f"digest_without_patches_{name}", "8.6: the digest of the elements without patches", file)
    scale = drawing.number(0x3E99999A)
    first = [drawing.signed(x * scale) for x in drawing.normal_numbers(92, 5, 20, remade=False)]
    wrong = with_digest(NORMAL, np.array(first, "<u4"))
    yield row("digest_not_remade", "8.8: the digest of elements of which the last 16 are not made again", wrong)
    u = [drawing.fraction(x) for x in drawing.draws(92, 5, 200)]
    twice = np.array([drawing.signed(drawing.rounded(x * scale) - drawing.HALF) for x in u], "<u4")
    wrong = with_digest(UNIFORM, twice, length=200)
    yield row("digest_rounded_twice", "8.8: the digest of products and sums that are each rounded", wrong)
    prototype, made = drawn(NORMAL, rare(0)[0], rare(0)[1], ONE, 16)
    demand(made[0] == 0, "not +0.0")
    other = made.copy()
    other[0] = MINUS
    prototype.digest = numbers.digest(other)
    yield row("digest_minus_zero", "8.8: the digest of -0.0 where the number is 0", layers((prototype, made)))
    for name, bits in (("above", ONE), ("below", ONE | MINUS)):
        seed, position = rare(1 << 23)
        prototype, made = drawn(UNIFORM_SIGNS, seed, position, ONE, 3)
        demand(made[0] == 0, "the middle is not 0")
        other = made.copy()
        other[0] = bits
        prototype.digest = numbers.digest(other)
        file = layers((prototype, made))
        yield row(f"digest_middle_{name}", f"8.8: the digest of a sign where k is 2^23, as if it were {name}", file)

    infinite = {
        "uniform": (UNIFORM, LARGEST, 0x7F000000),
        "uniform_rounded": (UNIFORM, 0x73800000, LARGEST),
        "normal": (NORMAL, LARGEST, 0),
    }
    for name, (distribution, size, low) in infinite.items():
        prototype, made = drawn(distribution, 94, 7, size, 20, low=low)
        reached = made & ~np.uint32(MINUS) == INFINITY
        demand(reached.any() and not reached.all(), "no element or every one is infinite")
        yield row(f"infinite_{name}", "8.4: elements that are infinite", layers((prototype, made)))
        patches = {int(i): ONE for i in np.flatnonzero(reached)}
        file = layers(drawn(distribution, 94, 7, size, 20, patches, low))
        yield row(f"infinite_patched_{name}", "8.4: elements that are infinite, all of which are patched", file)
    for last in (False, True):
        file = infinite_part(last=last)
        where = "is made again" if last else "is made once"
        yield row(f"infinite_{'last' if last else 'first'}", f"8.4: only an element that {where} is infinite", file)

    seed, position = rare(1 << 23)
    for zero in (0, 1):
        prototype, made = drawn(UNIFORM_SIGNS, seed, position - 2, HALF, 9)
        file = layers((prototype, made))
        file.masks, file.entries[0].zero = [Mask(CONSTANT, 9, 9)], zero
        yield row(f"mask_not_idle_{zero}", "7: a bit for an element that has no sign", file)
    prototype, made = drawn(UNIFORM, 77, 0, 1, 24, low=MINUS | 1)
    file = layers((prototype, made))
    active = int(np.count_nonzero(made & ~np.uint32(MINUS)))
    demand(active < 24 and made.all(), "no -0.0")
    file.masks = [Mask(CONSTANT, active, active)]
    yield row("mask_idle_minus_zero", "7: no bits for elements of -0.0", file)
    for distribution in ALL:
        prototype, made = drawn(distribution, 92, 5, ONE, 20, {18: NAN})
        file = layers((prototype, made), n=17, scale=b"\0\0\0\x40")
        yield row(f"scaled_nan_{NAMES[distribution]}", "7: a patch of NaN, which the scaled layer does not reach", file)


def infinite_part(*, last: bool) -> File:
    """A normal prototype of 17 elements whose only infinite ones are the first, or among the others."""
    scale = 0x7EFFFFFF
    for seed in range(1000):
        made = drawing.elements(NORMAL, seed, 0, scale, 17) & ~np.uint32(MINUS) == INFINITY
        first = [drawing.signed(x * drawing.number(scale)) & ~MINUS for x in drawing.normal_numbers(seed, 0, 16)]
        if made[0] != last and made[1:].any() == last and (not last or INFINITY not in first):
            return layers(drawn(NORMAL, seed, 0, scale, 17))
    raise AssertionError("no such seed")


def drawn_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*ids(), *fields(), *limits(), *payloads())
