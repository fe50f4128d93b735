"""The invalid vectors for generator 4, dialects: sections 3, 4.5, 4.7, 6.2, 7, 8.4, 8.6 and 8.9.

Every row is one defect of a file that is valid without it. To add a vector, add a row. Those of steps are in
`vector_cases_steps_damaged`.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np
from writer import dialects, numbers
from writer import drawn as drawing
from writer.coders import CONSTANT, D
from writer.dialects import (
    LOW,
    NORMAL,
    NORMAL_OF_C,
    NORMAL_UNFUSED,
    SCALE,
    UNIFORM,
    UNIFORM_TWICE,
    elements,
    multiply_then_add,
)
from writer.writer import Drawn, File, Mask

from cases.delta_damaged import one_xor, upon_invalid
from cases.dialects import dialect
from cases.drawn import INFINITY, LARGEST, MOST_DRAWS, NAN, RARE, drawn, layers
from cases.kit import BAD_SCALES, LIMIT, MANIFEST, MINOR_5, PAYLOAD, Array, Row, demand, of, put, whole
from cases.shapes import HALF, MINUS, ONE

NAMES = {
    UNIFORM: "uniform",
    UNIFORM_TWICE: "uniform_twice",
    NORMAL: "normal",
    NORMAL_OF_C: "normal_of_c",
    NORMAL_UNFUSED: "normal_unfused",
}


BY_SIXTEENS = (NORMAL, NORMAL_OF_C, NORMAL_UNFUSED)
SEED = 90  # of the prototype that the rows are defects of


def file_since_5(*rows: tuple[Drawn, Array], **fields: Any) -> File:
    """A file of version 1.5 of a layer for each prototype, whose mask is all ones."""
    file = layers(*rows, **fields)
    file.header = MINOR_5
    return file


def plain(distribution: int, length: int = 20, offset: int = 2) -> File:
    """A valid file of one prototype."""
    return file_since_5(dialect(distribution, SEED, offset, ONE, length))


def edited(distribution: int, /, **fields: Any) -> File:
    """That file with other fields in the row."""
    file = plain(distribution)
    put("prototypes", 0, **fields)(file)
    return file


def cut(file: File, after: int, by: int | None = None) -> File:
    """The file without what is `after` bytes behind the beginning of the seed: `by` bytes, or all."""
    at = file.manifest().index(SEED.to_bytes(4, "little") + b"\2") + after
    if by is None:
        file.edit_manifest = itemgetter(slice(at))
    else:
        file.edit_manifest = lambda plain: plain[:at] + plain[at + by :]
    return file


def ids() -> Iterator[Row]:
    """Sections 3 and 4.5: versions, generators and distributions."""
    for minor in range(5):
        for distribution, name in NAMES.items():
            file = plain(distribution)
            file.header = {"minor": minor}
            reason = f"3: generator 4 in a file of minor {minor}"
            yield Row(f"dialect_minor_{minor}_{name}", MANIFEST, reason, file)
    for distribution, name in NAMES.items():
        for generator in (0, 1, 2, 5, 255):
            known = "unknown generator" if generator not in (1, 2) else "in the row of generator 4 stands"
            file = edited(distribution, generator=generator)
            yield Row(f"dialect_generator_{generator}_{name}", MANIFEST, f"4.5: {known} {generator}", file)
        for other in (0, 6, 9, 255):
            file = edited(distribution, distribution=other)
            yield Row(f"dialect_distribution_{other}_{name}", MANIFEST, f"4.5: unknown distribution {other}", file)
    for generator in (0, 5, 255):
        file = of("generator_layers", put("prototypes", 0, generator=generator), whole(header=MINOR_5))
        yield Row(f"generator_{generator}_minor_5", MANIFEST, f"4.5: unknown generator {generator} in minor 5", file)
    for table, coder in (("masks", 9), ("blocks", 7)):
        file = of("generator_layers", put(table, 0, coder=coder), whole(header=MINOR_5))
        reason = f"4.3, 4.4: unknown coder {coder} of {table} in minor 5"
        yield Row(f"coder_{coder}_of_{table}_minor_5", MANIFEST, reason, file)
    for generator in (1, 2, 3):
        base = ("generator_layers", "arranged_layers", "drawn_known_answers")[generator - 1]
        for distribution in (0, 5, 9):
            file = of(base, put("prototypes", 0, distribution=distribution), whole(header=MINOR_5))
            reason = f"4.5: unknown distribution {distribution} of generator {generator} in minor 5"
            yield Row(f"generator_{generator}_distribution_{distribution}_minor_5", MANIFEST, reason, file)
    file = edited(NORMAL_UNFUSED, generator=3)
    yield Row("dialect_generator_3_normal_unfused", MANIFEST, "4.5: unknown distribution 5 of generator 3", file)
    for base in ("generator_patches", "arranged_patches"):
        file = of(base, put("prototypes", 0, generator=4), whole(header=MINOR_5))
        reason = "4.5: generator 4 in a row of another, which goes on otherwise"
        yield Row(f"dialect_as_{base}", MANIFEST, reason, file)
    file = file_since_5(dialect(UNIFORM, SEED, 2, ONE, 20, {3: 2, 4: 1}))
    put("prototypes", 0, generator=3)(file)
    yield Row("dialect_steps_of_generator_3", MANIFEST, "4.5: generator 3, where steps stand instead of bits", file)


def fields() -> Iterator[Row]:
    """Section 4.5: the fields of the row, up to the patches."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"dialect_{name}", MANIFEST, f"4.5: {reason}", file)

    for distribution in BY_SIXTEENS:
        for length in (1, 15):
            file = edited(distribution, length=length)
            yield row(f"length_{length}_{NAMES[distribution]}", f"length {length} of a normal distribution", file)
    for distribution, name in NAMES.items():
        yield row(f"length_zero_{name}", "length 0", edited(distribution, length=0))
        beyond = edited(distribution, offset=MOST_DRAWS - 20 - 16 + 1)
        yield row(f"draws_above_2_40_{name}", "offset + length + 16 is 2^40 + 1", beyond)
    yield row("offset_2_40", "an offset of 2^40", edited(UNIFORM_TWICE, offset=MOST_DRAWS))
    yield row("offset_2_63", "an offset of 2^63 - 1", edited(NORMAL_OF_C, offset=(1 << 63) - 1))
    yield row("offset_above_2_63", "an offset of ten bytes", edited(UNIFORM, offset=b"\x80" * 9 + b"\x01"))
    yield row("offset_not_minimal", "an offset that is not minimal", edited(UNIFORM, offset=b"\x82\x00"))
    for offset in (0, 2):
        file = edited(NORMAL_OF_C, length=MOST_DRAWS - 15 - offset, offset=offset)
        yield row(f"length_and_{offset}_above_2_40", f"length and an offset of {offset} are above 2^40 - 16", file)
    yield row("length_2_48", "a length of 2^48", edited(UNIFORM_TWICE, length=1 << 48))
    for distribution, name in NAMES.items():
        for what, scale in BAD_SCALES.items():
            yield row(f"scale_{what}_{name}", f"scale is {what.replace('_', ' ')}", edited(distribution, scale=scale))
    lows = {"infinity": INFINITY, "minus_infinity": INFINITY | MINUS, "nan": 0x7FC00000, "minus_nan": 0xFFC00000}
    for distribution in (UNIFORM, UNIFORM_TWICE):
        name = NAMES[distribution]
        for what, low in (lows | {"signalling_nan": 0x7F800001, "largest_nan": 0xFFFFFFFF}).items():
            file = edited(distribution, low=low)
            yield row(f"low_{what}_{name}", f"low is {what.replace('_', ' ')}", file)
        yield row(f"low_missing_{name}", "no low for a uniform distribution", edited(distribution, low=None))
    for distribution in BY_SIXTEENS:
        file = edited(distribution, low=HALF)
        yield row(f"low_of_{NAMES[distribution]}", "low for a normal distribution", file)
    for distribution, parts in (
        (UNIFORM_TWICE, (("seed", 4), ("offset", 5), ("half_of_scale", 7), ("scale", 9), ("half_of_low", 11))),
        (UNIFORM_TWICE, (("low", 13), ("patches", 14), ("half_of_digest", 16))),
        (NORMAL_OF_C, (("offset", 5), ("scale", 9), ("patches", 10), ("half_of_digest", 12), ("digest", 14))),
        (NORMAL_UNFUSED, (("offset", 5), ("scale", 9), ("patches", 10), ("half_of_digest", 12), ("digest", 14))),
    ):
        for name, size in parts:
            reason = f"the manifest ends after {name.replace('_', ' ')}"
            yield row(f"ends_after_{name}_{NAMES[distribution]}", reason, cut(plain(distribution), size))
    yield row("low_cut", "a low of three bytes", cut(plain(UNIFORM_TWICE), 9, 1))
    unused = plain(NORMAL_UNFUSED)
    unused.prototypes.append(dialect(NORMAL_UNFUSED, SEED, 40, ONE, 20)[0])
    yield row("unused_unfused", "a prototype with nothing fused that no layer uses", unused)
    unused = plain(NORMAL_OF_C)
    unused.prototypes.append(dialect(NORMAL_OF_C, SEED, 40, ONE, 20)[0])
    yield row("unused", "a prototype that no layer uses", unused)


def limits() -> Iterator[Row]:
    """Section 4.7: elements of prototypes and layers, and once the draws of the prototype that has most of them."""
    for distribution, name in NAMES.items():
        file = edited(distribution, offset=MOST_DRAWS - 20 - 16)
        yield Row(f"dialect_2_40_{name}", LIMIT, "4.7: offset + length + 16 is 2^40 in a tiny file", file)
        file = file_since_5(dialect(distribution, 91, 624, ONE, 20), n=6)
        most = 4 * (6 + 20 + 624 + 20 + 16)
        reason = "4.7: 24 bytes of layer, 80 of prototype, 2640 of draws"
        yield Row(f"dialect_max_bytes_{name}", LIMIT, reason, file, most - 1)
    long = edited(UNIFORM_TWICE, length=1 << 39)
    yield Row("dialect_2_39", LIMIT, "4.7: a prototype of 2^39 elements in a tiny file", long)
    for which, third, fourth in (("drawn", 700, 690), ("dialect", 690, 700)):
        rows: list[tuple[Drawn, Array]] = [drawn(drawing.UNIFORM, 91, 0, ONE, 20)]
        rows += [drawn(drawing.NORMAL, 91, third, ONE, 16), dialect(NORMAL_OF_C, 91, fourth, ONE, 17)]
        m = max(third + 32, fourth + 33)
        reason = f"4.7: 212 bytes each of layers and prototypes, {4 * m} of draws of one seed of generators 3 and 4"
        limit = 2 * 212 + 4 * m - 1
        yield Row(f"dialect_max_bytes_most_{which}", LIMIT, reason, file_since_5(*rows), limit)
    file = of("dialect_beside_others")
    held = 4 * (16 + 16 + 31 + 16 + 16 + 3) + 4 * 6 * 33
    demand(len(file.prototypes) == 6 and len(file.entries) == 6, "another file")
    reason = "4.7: beside other generators: 1184 bytes of layers and prototypes, 148 of draws of generators 3 and 4"
    yield Row("dialect_max_bytes_others", LIMIT, reason, file, held + 4 * 37 - 1)
    reason = "4.7: of task a 80 bytes, of all prototypes 144, and 2244 of the draws of two seeds, one of them of task b"
    yield Row("dialect_max_bytes_task", LIMIT, reason, of("dialect_tasks"), 80 + 144 + 4 * (532 + 29) - 1, "a")
    row = Row("dialect_2_40_normal_of_c", LIMIT, "", edited(NORMAL_OF_C, offset=MOST_DRAWS - 20 - 16))
    yield upon_invalid("dialect_2_40", row, one_xor(D.FLOAT32, 20))


def with_digest_of(right: tuple[Drawn, Array], wrong: Array) -> File:
    """A prototype with the digest of other values."""
    prototype, made = right
    demand(numbers.digest(wrong) != prototype.digest, "the digest is right")
    prototype.digest = numbers.digest(wrong)
    return file_since_5((prototype, made))


def digests() -> Iterator[Row]:
    """Section 8.6: a digest that is wrong, of what a decoder may make instead."""

    def row(name: str, reason: str, right: tuple[Drawn, Array], wrong: Array) -> Row:
        return Row(f"dialect_digest_{name}", PAYLOAD, reason, with_digest_of(right, wrong))

    def made(distribution: int, seed: int = 92, offset: int = 5, length: int = 20) -> Array:
        return elements(distribution, seed, offset, SCALE, length, low=LOW)

    def right(distribution: int, length: int = 20) -> tuple[Drawn, Array]:
        return dialect(distribution, 92, 5, SCALE, length, low=LOW)

    for distribution, name in NAMES.items():
        wrong = made(distribution) ^ np.uint32(1)
        yield row(name, "8.6: the digest of elements with other lowest bits", right(distribution), wrong)
        wrong = made(distribution, offset=0)
        yield row(f"offset_0_{name}", "8.8: the digest of what is drawn from offset 0", right(distribution), wrong)
        wrong = made(distribution, seed=93)
        yield row(f"seed_{name}", "8.8: the digest of what is drawn by another seed", right(distribution), wrong)
    others = {UNIFORM: UNIFORM_TWICE, UNIFORM_TWICE: UNIFORM, NORMAL: NORMAL_OF_C, NORMAL_OF_C: NORMAL}
    for distribution, other in (others | {NORMAL_UNFUSED: NORMAL}).items():
        reason = "8.9: the digest of what the other dialect makes"
        wrong = made(other, length=200)
        yield row(f"other_dialect_{NAMES[distribution]}", reason, right(distribution, 200), wrong)
    for one, other in ((NORMAL, NORMAL_UNFUSED), (NORMAL_OF_C, NORMAL_UNFUSED), (NORMAL_UNFUSED, NORMAL_OF_C)):
        wrong = made(other, length=200)
        name = f"{NAMES[one]}_as_{NAMES[other]}"
        yield row(name, "8.9: the digest of what another dialect makes", right(one, 200), wrong)
    size = drawing.number(SCALE)
    for distribution, name in ((NORMAL_OF_C, ""), (NORMAL_UNFUSED, "_unfused")):
        numbers_once = drawing.normal_numbers(92, 5, 20, dialects.SIXTEENS[distribution], remade=False)
        first = np.array([drawing.signed(x * size) for x in numbers_once], "<u4")
        reason = "8.8: the digest of elements of which the last 16 are not made again"
        yield row(f"not_remade{name}", reason, right(distribution), first)
    halves = {"log": (drawing.fma, multiply_then_add), "turns": (multiply_then_add, drawing.fma)}
    for name, (of_log, of_turns) in halves.items():
        offset = {"log": 4669, "turns": 555}[name]  # of seed 187, where draws are that show it
        prototype = dialect(NORMAL_UNFUSED, 187, offset, ONE, 16)
        mixed = drawing.sixteen(drawing.draws(187, offset, 16), of_log, of_turns)
        wrong = np.array([drawing.signed(x) for x in mixed], "<u4")
        yield row(f"fused_{name}", f"8.9: the digest where {name} is fused and the rest is not", prototype, wrong)
    prototype = dialect(NORMAL_UNFUSED, 191, 3, 1, 40)
    wrong = np.where(prototype[1] == MINUS, np.uint32(0), prototype[1])
    yield row("last_unfused", "8.9: the digest where +0.0 is added to rounded products", prototype, wrong)
    x = drawing.draws(92, 5, 160)
    wrong = np.concatenate([by_binary32(x[i : i + 16]) for i in range(0, 160, 16)])
    yield row("product_in_binary32", "8.9: the digest where t is a product in binary32", right(NORMAL_OF_C, 160), wrong)
    seed, position = RARE[0]
    for distribution in BY_SIXTEENS:
        zero = dialect(distribution, seed, position, ONE, 16)
        demand(zero[1][0] == 0, "not +0.0")
        wrong = zero[1].copy()
        wrong[0] = MINUS
        reason = "8.8: the digest of -0.0 where the number is 0"
        yield row(f"minus_zero_{NAMES[distribution]}", reason, zero, wrong)
    seed, position = RARE[1 << 23]
    half = dialect(UNIFORM_TWICE, seed, position, ONE, 3)
    demand(half[1][0] == 0, "not +0.0")
    wrong = half[1].copy()
    wrong[0] = MINUS
    yield row("minus_zero_uniform_twice", "8.9: the digest of -0.0 where the sum is 0", half, wrong)


def by_binary32(x: list[int]) -> Array:
    """The elements of sixteen draws if t were a product in binary32, as in section 8.8."""
    v = [drawing.fraction(draw) for draw in x]
    made = []
    for j in range(16):
        r = drawing.root(drawing.rounded(-2 * dialects.ln(1 - v[j % 8])))
        sine, cosine = dialects.sine_and_cosine(drawing.rounded(drawing.TWO_PI * v[j % 8 + 8]))
        made.append(drawing.signed(drawing.rounded(r * (sine if j > 7 else cosine)) * drawing.number(SCALE)))
    return np.array(made, "<u4")


def infinite() -> Iterator[Row]:
    """Section 8.4: elements that are infinite before patches, also where a step makes them finite."""
    kinds = {
        "uniform": (UNIFORM, LARGEST, 0x7F000000),
        "uniform_twice": (UNIFORM_TWICE, LARGEST, 0x7F000000),
        "uniform_twice_rounded": (UNIFORM_TWICE, 0x73800000, LARGEST),
        "normal": (NORMAL, LARGEST, 0),
        "normal_of_c": (NORMAL_OF_C, LARGEST, 0),
        "normal_unfused": (NORMAL_UNFUSED, LARGEST, 0),
    }
    for name, (distribution, size, low) in kinds.items():
        prototype, made = dialect(distribution, 94, 7, size, 20, low=low)
        reached = made & ~np.uint32(MINUS) == INFINITY
        demand(reached.any() and not reached.all(), "no element or every one is infinite")
        file = file_since_5((prototype, made))
        yield Row(f"dialect_infinite_{name}", PAYLOAD, "8.4: elements that are infinite", file)
        steps = {int(i): 1 for i in np.flatnonzero(reached)}
        file = file_since_5(dialect(distribution, 94, 7, size, 20, steps, low))
        reason = "8.4: elements that are infinite, all of which are patched by one step"
        yield Row(f"dialect_infinite_patched_{name}", PAYLOAD, reason, file)
    scale = 0x7EFFFFFF
    for last, seed in ((False, 89), (True, 1)):
        for distribution, name in ((NORMAL_OF_C, ""), (NORMAL_UNFUSED, "_unfused")):
            prototype, made = dialect(distribution, seed, 0, scale, 17)
            reached = made & ~np.uint32(MINUS) == INFINITY
            demand(reached[0] != last and reached[1:].any() == last, "others are infinite")
            where = "is made again" if last else "is made once"
            reason = f"8.4: only an element that {where} is infinite"
            file = file_since_5((prototype, made))
            yield Row(f"dialect_infinite_{'last' if last else 'first'}{name}", PAYLOAD, reason, file)


def layered() -> Iterator[Row]:
    """Section 7: masks of what steps made, and scaled layers of it."""
    row = dialect(UNIFORM_TWICE, 92, 5, ONE, 20)
    step = dialects.step_to(int(row[1][4]), 0)
    prototype, made = dialect(UNIFORM_TWICE, 92, 5, ONE, 20, {4: step})
    demand(made[4] == 0, "not +0.0")
    for zero in (0, 1):
        file = file_since_5((prototype, made))
        file.masks, file.entries[0].zero = [Mask(CONSTANT, 20, 20)], zero
        yield Row(f"dialect_mask_not_idle_{zero}", PAYLOAD, "7: a bit for an element that a step made +0.0", file)
    for distribution in NAMES:
        values = elements(distribution, 92, 5, ONE, 20, low=HALF | MINUS)
        steps = {18: dialects.step_to(int(values[18]), NAN)}
        file = file_since_5(dialect(distribution, 92, 5, ONE, 20, steps), n=17, scale=b"\0\0\0\x40")
        reason = "7: a step to a NaN, which the scaled layer does not reach"
        yield Row(f"dialect_scaled_nan_{NAMES[distribution]}", PAYLOAD, reason, file)


def dialect_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*ids(), *fields(), *limits(), *digests(), *infinite(), *layered())
