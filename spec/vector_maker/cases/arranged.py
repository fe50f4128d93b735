"""The vectors for generator 2, arranged values: section 8.7 of the specification, with 3, 4.5, 4.7, 7 and 8.4."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import numpy as np
from writer import numbers
from writer.coders import u
from writer.ids import CONSTANT
from writer.numbers import NORMAL, SIGNED_CONSTANT, UNIFORM
from writer.writer import File, Generator, Mask, mask

from cases.content import HALF, INFINITY, LARGEST, MINUS, NAN, ONE, TWO, Array, all_ones, negated, tile, times
from cases.files import Builder, layered, pattern, show
from cases.generators import generated
from cases.rows import LIMIT, MANIFEST, PAYLOAD, Row, edited, minor, of, put, whole
from cases.valid import Valid, again, case, demand, since, valid

ALL = (SIGNED_CONSTANT, UNIFORM, NORMAL)


def arranged(
    distribution: int,
    seed: int,
    stream: int,
    scale: int,
    length: int,
    period: int,
    zeros: int = 0,
    patches: dict[int, int] | None = None,
) -> tuple[Generator, Array]:
    """Return generator 2 and its elements as bits."""
    values = numbers.arranged(distribution, seed, stream, scale, length, period, zeros, patches)
    generator = Generator(length, distribution, seed, stream, scale, patches or {}, numbers.digest(values))
    generator.generator, generator.period, generator.zeros = 2, period, zeros
    return generator, values


def sizes(
    seed: int, stream: int, scale: int, *rows: tuple[int, int] | tuple[int, int, int]
) -> list[tuple[Generator, Array]]:
    """Return prototypes of every distribution, of each length, period and number of zeros."""
    return [arranged(d, seed, stream, scale, *row) for d in ALL for row in rows]


case(
    "minor_1_without_its_ids",
    "Minor 1 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since(1, again("generator_layers")))
case("arranged_known_answers", "The known answers of section 8.7.")(
    lambda: show(*(arranged(UNIFORM, *row[:2], ONE, *row[2:5]) for row in numbers.ARRANGED_KNOWN), minor=1)
)
case("arranged_permuted", "Permuted only: 12 values at 37 places, at 36, and at 13; every distribution.")(
    lambda: show(*sizes(42, 7, HALF, (37, 12), (36, 12), (13, 12)), minor=1)
)
case("arranged_both", "Zeros and a permutation; every distribution.")(
    lambda: show(*sizes(43, 9, ONE, (50, 20, 7), (40, 20, 19), (3, 2, 1)), minor=1)
)
case("arranged_one_value", "Period 1: one value at all places; as it is made, and patched.")(
    lambda: show(*sizes(44, 10, TWO, (2, 1), (9, 1)), arranged(NORMAL, 44, 10, TWO, 5, 1, 0, {0: NAN}), minor=1)
)
case("arranged_long", "More than 1,000 elements; of 1,500 and of 7 values.")(
    lambda: show(arranged(NORMAL, 46, 2, HALF, 2100, 1500, 300), arranged(UNIFORM, 46, 3, HALF, 1100, 7, 2), minor=1)
)


@valid
def arranged_zeros() -> Valid:
    """Zeros only, length = period: one zero, some, all but one; of two values one; of products that are +0.0, -0.0."""
    more = arranged(NORMAL, 1, 1, ONE, 2, 2, 1), arranged(NORMAL, 1, 4, 1, 60, 60, 20)
    return show(*sizes(42, 8, ONE, *((23, 23, zeros) for zeros in (1, 9, 22))), *more, minor=1)


@valid
def arranged_patches() -> Valid:
    """Patches of the values, not of the places; the first becomes zero with its NaN; -0.0, NaN and +0.0 stay."""
    patches = {0: NAN, 1: MINUS, 2: NAN, 3: 0, 7: INFINITY, 15: ONE}
    zeroed = numbers.order(45, 19 ^ 1 << 63, 16)[:5]
    demand(patches.keys() & set(zeroed) == {0}, "another patch becomes zero, or none")
    rows = [arranged(d, 45, 19, HALF, length, 16, 5, patches) for d in ALL for length in (16, 41)]
    return show(*rows, arranged(UNIFORM, 45, 1, HALF, 8, 2, 0, {0: NAN, 1: MINUS}), minor=1)


@valid
def arranged_ties() -> Valid:
    """Two equal words: the smaller number is the last of the zeros; the smaller number stands before the other."""
    seed, n = 7, 1100
    for stream, bit, pair in ((20588, 1 << 63, [486, 818]), (1475, 1 << 62, [388, 525])):
        order = numbers.order(seed, stream ^ bit, n)
        at = order.index(pair[0])
        equal = len({numbers.word(seed, stream ^ bit, i) for i in pair}) == 1 and order[at : at + 2] == pair
        demand(equal and (bit == 1 << 62 or at == 526), "no equal words, or not where the zeros end")
    return show(arranged(UNIFORM, 7, 20588, ONE, n, n, 527), arranged(UNIFORM, 7, 1475, ONE, n, 900), minor=1)


@valid
def arranged_wide() -> Valid:
    """Seed and stream above 2^32; bits 62 and 63 of the stream 00, 01, 10 and 11."""
    streams = [0x123456789ABCDEF0 | top << 62 for top in range(4)] + [2**64 - 1]
    return show(*(arranged(NORMAL, 0xFEDCBA9876543210, stream, ONE, 20, 9, 3) for stream in streams), minor=1)


@valid
def arranged_largest_scale() -> Valid:
    """The largest scale: what generator 1 would make at 5 and 7 is infinite, but only three values are made."""
    beyond = numbers.elements(NORMAL, 5, 4, LARGEST, 9)
    demand(INFINITY in (beyond & ~np.uint32(MINUS)), "nothing is infinite beyond the period")
    return show(arranged(NORMAL, 5, 4, LARGEST, 9, 3), arranged(UNIFORM, 5, 4, LARGEST, 9, 3, 1), minor=1)


@valid
def arranged_layers() -> Valid:
    """Layers with zero = zero and negated over prototypes with zeros, which are idle; phase not 0; scaled."""
    build = Builder()
    for i, (length, period, zeros) in enumerate(((10, 10, 4), (17, 6, 2), (17, 6, 0))):
        generator, made = arranged(NORMAL, 47, i, ONE, length, period, zeros)
        build.file.prototypes.append(generator)
        for phase, scale in ((0, None), (length - 1, None), (3, 0x3E99999A)):
            a = tile(made, 30, phase) if scale is None else times(tile(made, 30, phase), scale)
            for zero in (0, 1):
                b = negated(a) if zero else None
                build.layer((5, 6), pattern(30), a, b, prototype=i, phase=phase, zero=zero, scale=scale)
    return build.done(1)


@valid
def arranged_scaled_nan() -> Valid:
    """A patch of NaN that becomes zero does not stand in the way of scaling."""
    patched = numbers.order(48, 5 ^ 1 << 63, 8)[1]
    generator, made = arranged(UNIFORM, 48, 5, ONE, 20, 8, 3, {patched: NAN})
    build = Builder()
    build.file.prototypes.append(generator)
    build.layer((4, 5), pattern(20), times(made, 0x3E99999A), scale=0x3E99999A)
    return build.done(1)


@valid
def arranged_beside_generator_1() -> Valid:
    """Generators 1 and 2 in one file, of the same seed and stream; each is the other's second prototype."""
    rows = [generated(NORMAL, 49, 3, ONE, 12), arranged(NORMAL, 49, 3, ONE, 12, 12, 5)]
    rows.append(arranged(NORMAL, 49, 3, ONE, 31, 12, 5, {4: TWO}))
    build = Builder()
    build.file.prototypes += [generator for generator, _ in rows]
    for n, i, phase, j, second_phase in ((24, 0, 0, 1, 0), (40, 2, 2, 0, 7), (33, 1, 11, 2, 30)):
        a, b = tile(rows[i][1], n, phase), tile(rows[j][1], n, second_phase)
        fields = {"prototype": i, "phase": phase, "second": j, "second_phase": second_phase}
        build.layer((n,), pattern(n), a, b, zero=2, **fields)
    return build.done(1)


# --- invalid ------------------------------------------------------------------------------------------------


def of_sizes(length: int, period: int, zeros: int) -> File:
    """Return a valid file of one prototype of these sizes."""
    return layered(arranged(UNIFORM, 50, 1, ONE, length, period, zeros), minor=1)


def manifests() -> Iterator[Row]:
    """Yield ids, and fields of the row beyond their legal range (sections 3 and 4.5)."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(name, MANIFEST, reason, file)

    def field(name: str, reason: str, **fields: object) -> Row:
        return row(name, reason, edited(of_sizes(12, 8, 3), put("prototypes", 0, **fields)))

    yield row("arranged_minor_0", "3: generator 2 in a file of minor 0", edited(of_sizes(12, 8, 3), minor(0)))
    yield field("generator_3_minor_1", "4.5: unknown generator 3, in a row like that of 2", generator=3)
    plain = edited(layered(generated(UNIFORM, 50, 1, ONE, 12), minor=1), put("prototypes", 0, generator=3))
    yield row("generator_3_like_1", "4.5: unknown generator 3, in a row like that of 1", plain)
    missing = of("generator_patches", minor(1), put("prototypes", 0, generator=2))
    reason = "4.5: period and zeros are missing; what follows does not stand for them"
    yield row("generator_2_as_1", reason, missing)
    yield field("arranged_period_zero", "4.5: period 0", period=0, zeros=0)
    yield field("arranged_period_above_length", "4.5: period length + 1", period=13)
    yield field("arranged_period_huge", "4.5: a period of 2^62", period=1 << 62)
    yield field("arranged_period_not_minimal", "1: a period that is not minimal", period=b"\x88\x00")
    yield field("arranged_zeros_not_minimal", "1: a number of zeros that is not minimal", zeros=b"\x83\x00")
    for name, reason, sizes in (
        ("zeros_of_period", "as many zeros as values", (12, 8, 8)),
        ("zeros_of_both", "as many zeros as values and elements", (12, 12, 12)),
        ("zeros_above_period", "more zeros than values, fewer than elements", (12, 8, 9)),
    ):
        yield row(f"arranged_{name}", f"4.5: {reason}", of_sizes(*sizes))
    yield field("arranged_zeros_huge", "4.5: 2^62 zeros", zeros=1 << 62)
    yield row("arranged_nothing", "4.5: period = length and no zeros", of_sizes(12, 12, 0))
    yield row("arranged_nothing_of_one", "4.5: period = length = 1 and no zeros", of_sizes(1, 1, 0))
    yield field("arranged_patch_at_period", "4.5: a patch at index period, below length", patches={8: ONE})
    yield field("arranged_patch_before_length", "4.5: a patch at index length - 1", patches={0: ONE, 11: ONE})
    yield field("arranged_length_above_2_48", "4.5: length above 2^48", length=(1 << 48) + 1)
    stream_and_scale = (1).to_bytes(8, "little") + ONE.to_bytes(4, "little")
    for name, last in (("period", u(130)), ("half_of_period", u(130)[:1]), ("zeros", u(130) + u(3))):
        file = of_sizes(200, 130, 3)
        end = file.manifest().index(stream_and_scale) + len(stream_and_scale) + len(last)
        reason = f"4: the manifest ends after {name.replace('_', ' ')}"
        yield row(f"arranged_ends_after_{name}", reason, edited(file, whole(edit_manifest=itemgetter(slice(end)))))


def limits() -> Iterator[Row]:
    """Yield lengths that are too much, whatever the period (section 4.7)."""
    for name, period, zeros in (("permuted", 4, 0), ("zeros", 1 << 40, 1), ("both", 1 << 39, 1 << 38)):
        file = layered(arranged(UNIFORM, 50, 2, ONE, 8, 4), n=4, minor=1)
        edited(file, put("prototypes", 0, length=1 << 40, period=period, zeros=zeros))
        yield Row(f"arranged_2_40_{name}", LIMIT, "4.7: a prototype of 2^40 elements in a tiny file", file)
    file = layered(arranged(UNIFORM, 50, 2, ONE, 30, 4), n=6, minor=1)
    yield Row("arranged_max_bytes", LIMIT, "4.7: 24 bytes of layer and 120 of prototype", file, 143)


def payloads() -> Iterator[Row]:
    """Yield wrong digests, infinite elements, masks and scales (sections 7 and 8)."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"arranged_{name}", PAYLOAD, reason, file)

    def made(length: int = 30, zeros: int = 5, patches: dict[int, int] | None = None) -> tuple[Generator, Array]:
        return arranged(NORMAL, 51, 3, ONE, length, 12, zeros, {2: TWO} if patches is None else patches)

    zeroed = made(12)[1]
    for name, reason, wrong in (
        ("digest", "8.6: the digest of elements with other lowest bits", made()[1] ^ np.uint32(1)),
        ("digest_of_period", "8.7: the digest of the values, not of all elements", zeroed),
        (
            "digest_of_generator_1",
            "8.7: the digest of what generator 1 makes",
            numbers.elements(NORMAL, 51, 3, ONE, 12, {2: TWO}),
        ),
        ("digest_unpermuted", "8.7: the digest of the values repeated in order", tile(zeroed, 30)),
        ("digest_without_patches", "8.6: the digest of the elements without patches", made(patches={})[1]),
        ("digest_without_zeros", "8.7: the digest of the elements before zeros", made(zeros=0)[1]),
    ):
        file = layered(made(), minor=1)
        yield row(name, reason, edited(file, put("prototypes", 0, digest=numbers.digest(wrong))))
    infinite = np.flatnonzero(numbers.elements(NORMAL, 5, 7, LARGEST, 8) & ~np.uint32(MINUS) == INFINITY).tolist()
    order = numbers.order(5, 7 ^ 1 << 63, 8)
    demand(len(infinite) == 2 and set(infinite) <= set(order[:4]), "not all infinite elements are zeroed")
    for name, length, patches in (
        ("zeroed_8", 8, {}),
        ("zeroed_20", 20, {}),
        ("patched", 20, dict.fromkeys(infinite, ONE)),
    ):
        reason = "8.4: " + ("infinite elements that are patched and become zero" if patches else "")
        reason += "" if patches else "elements that are infinite, all of which become zero"
        file = layered(arranged(NORMAL, 5, 7, LARGEST, length, 8, 4, patches), minor=1)
        yield row(f"infinite_{name}", reason, file)
    for name, length in (("zeros", 8), ("both", 20)):
        for zero, what, reason in (
            (0, "not_idle", "7: a bit for every element although some are idle"),
            (1, "negated", "7: with negated zeros an arranged zero is idle, but has a bit"),
        ):
            file = layered(arranged(SIGNED_CONSTANT, 52, 1, ONE, length, 8, 3), minor=1)
            file.masks, file.entries[0].zero = [mask(all_ones(length))], zero
            yield row(f"mask_{what}_{name}", reason, file)
    file = layered(arranged(NORMAL, 52, 2, ONE, 20, 8), minor=1)
    file.masks = [Mask(CONSTANT, 19, 19)]
    yield row("mask_too_idle", "7: a bit fewer than elements, none of which is idle", file)
    stays = numbers.order(48, 5 ^ 1 << 63, 8)[3]
    generator, values = arranged(UNIFORM, 48, 5, ONE, 20, 8, 3, {stays: NAN})
    file = layered((generator, values), n=values.tolist().index(NAN), scale=b"\0\0\0\x40", minor=1)
    yield row("scaled_nan", "7: a NaN that does not become zero, and that the layer does not reach", file)


def arranged_rows() -> Iterator[Row]:
    """Yield every invalid vector of this module."""
    yield from (*manifests(), *limits(), *payloads())
