"""The invalid vectors for generator 3, drawn values: sections 3, 4.5, 4.7, 6.2, 7, 8.4, 8.6 and 8.8.

Every row is one defect of a file that is valid without it. To add a vector, add a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np
import vector_drawn as drawing
import vector_numbers as numbers
from vector_cases_arranged import demand
from vector_cases_delta_damaged import one_xor, upon_invalid
from vector_cases_drawn import ALL, INFINITY, LARGEST, MINOR_4, NAN, drawn, rare
from vector_cases_invalid import BAD_SCALES, LIMIT, MANIFEST, PAYLOAD, Row, of, put, whole
from vector_cases_layers import HALF, MINUS, ONE, TWO, tile
from vector_cases_valid import Array
from vector_coders import CONSTANT, D
from vector_drawn import NORMAL, NORMAL_SIGNS, UNIFORM, UNIFORM_SIGNS
from vector_writer import Drawn, File, Mask, tiled

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
