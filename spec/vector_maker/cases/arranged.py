"""The vectors for generator 2, arranged values: section 8.7 of the specification, with 3, 4.5, 4.7, 7 and 8.4.

First the valid ones. Below them the invalid ones, each with one defect of a file that is valid without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import numpy as np
from writer import numbers
from writer.coders import CONSTANT, Bits, u
from writer.numbers import NORMAL, SIGNED_CONSTANT, UNIFORM
from writer.writer import File, Generator, Mask, mask, tiled

from cases.generators import generated, show
from cases.kit import (
    LIMIT,
    MANIFEST,
    MINOR_1,
    PAYLOAD,
    VALID,
    Array,
    Row,
    Valid,
    case,
    demand,
    of,
    put,
    since_1,
    valid,
    whole,
)
from cases.shapes import HALF, MINUS, ONE, TWO, Builder, negated, tile, times

NAN, INFINITY, LARGEST = 0x7FC12345, 0x7F800000, 0x7F7FFFFF
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
    """Generator 2 and its elements as bits."""
    values = numbers.arranged(distribution, seed, stream, scale, length, period, zeros, patches)
    generator = Generator(length, distribution, seed, stream, scale, patches or {}, numbers.digest(values))
    generator.generator, generator.period, generator.zeros = 2, period, zeros
    return generator, values


case(
    "minor_1_without_its_ids",
    "Minor 1 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since_1(VALID["generator_layers"][1]()))
case("arranged_known_answers", "The known answers of section 8.7.")(
    lambda: since_1(show(*(arranged(UNIFORM, *row[:2], ONE, *row[2:5]) for row in numbers.ARRANGED_KNOWN)))
)
case("arranged_permuted", "Permuted only: 12 values at 37 places, at 36, and at 13; every distribution.")(
    lambda: since_1(show(*(arranged(d, 42, 7, HALF, *size) for d in ALL for size in ((37, 12), (36, 12), (13, 12)))))
)
case(
    "arranged_zeros",
    "Zeros only, length = period: one zero, some, all but one; of two values one; of products that are +0.0, -0.0.",
)(
    lambda: since_1(
        show(
            *[arranged(d, 42, 8, ONE, 23, 23, zeros) for d in ALL for zeros in (1, 9, 22)],
            arranged(NORMAL, 1, 1, ONE, 2, 2, 1),
            arranged(NORMAL, 1, 4, 1, 60, 60, 20),
        )
    )
)
case("arranged_both", "Zeros and a permutation; every distribution.")(
    lambda: since_1(
        show(*(arranged(d, 43, 9, ONE, *size) for d in ALL for size in ((50, 20, 7), (40, 20, 19), (3, 2, 1))))
    )
)
case("arranged_one_value", "Period 1: one value at all places; as it is made, and patched.")(
    lambda: since_1(
        show(
            *[arranged(d, 44, 10, TWO, length, 1) for d in ALL for length in (2, 9)],
            arranged(NORMAL, 44, 10, TWO, 5, 1, 0, {0: NAN}),
        )
    )
)


@valid
def arranged_patches() -> Valid:
    """Patches of the values, not of the places; the first becomes zero with its NaN; -0.0, NaN and +0.0 stay."""
    patches = {0: NAN, 1: MINUS, 2: NAN, 3: 0, 7: INFINITY, 15: ONE}
    stream = 19
    zeroed = numbers.order(45, stream ^ 1 << 63, 16)[:5]
    demand(patches.keys() & set(zeroed) == {0}, "another patch becomes zero, or none")
    rows = [arranged(d, 45, stream, HALF, length, 16, 5, patches) for d in ALL for length in (16, 41)]
    return since_1(show(*rows, arranged(UNIFORM, 45, 1, HALF, 8, 2, 0, {0: NAN, 1: MINUS})))


case("arranged_long", "More than 1,000 elements; of 1,500 and of 7 values.")(
    lambda: since_1(show(arranged(NORMAL, 46, 2, HALF, 2100, 1500, 300), arranged(UNIFORM, 46, 3, HALF, 1100, 7, 2)))
)


@valid
def arranged_ties() -> Valid:
    """Two equal words: the smaller number is the last of the zeros; the smaller number stands before the other."""
    seed, streams, n = 7, (20588, 1475), 1100
    for stream, bit, pair in ((streams[0], 1 << 63, [486, 818]), (streams[1], 1 << 62, [388, 525])):
        words = {numbers.word(seed, stream ^ bit, i) for i in pair}
        order = numbers.order(seed, stream ^ bit, n)
        at = order.index(pair[0])
        demand(len(words) == 1 and order[at : at + 2] == pair, "no equal words")
        demand(bit == 1 << 62 or at == 526, "the equal words are not where the zeros end")
    return since_1(
        show(arranged(UNIFORM, seed, streams[0], ONE, n, n, 527), arranged(UNIFORM, 7, streams[1], ONE, n, 900))
    )


case("arranged_wide", "Seed and stream above 2^32; bits 62 and 63 of the stream 00, 01, 10 and 11.")(
    lambda: since_1(
        show(
            *(
                arranged(NORMAL, 0xFEDCBA9876543210, stream, ONE, 20, 9, 3)
                for stream in ([0x123456789ABCDEF0 | bits << 62 for bits in range(4)] + [2**64 - 1])
            )
        )
    )
)


@valid
def arranged_largest_scale() -> Valid:
    """The largest scale: what generator 1 would make at 5 and 7 is infinite, but only three values are made."""
    beyond = numbers.elements(NORMAL, 5, 4, LARGEST, 9)
    demand(INFINITY in (beyond & ~np.uint32(MINUS)), "nothing is infinite beyond the period")
    return since_1(show(arranged(NORMAL, 5, 4, LARGEST, 9, 3), arranged(UNIFORM, 5, 4, LARGEST, 9, 3, 1)))


def pattern(n: int) -> Bits:
    """A choice of ones and zeros."""
    return np.asarray(np.arange(n) * 5 % 7 < 4)


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
    return since_1(build.done())


@valid
def arranged_scaled_nan() -> Valid:
    """A patch of NaN that becomes zero does not stand in the way of scaling."""
    patched = numbers.order(48, 5 ^ 1 << 63, 8)[1]
    generator, made = arranged(UNIFORM, 48, 5, ONE, 20, 8, 3, {patched: NAN})
    build = Builder()
    build.file.prototypes.append(generator)
    build.layer((4, 5), pattern(20), times(made, 0x3E99999A), scale=0x3E99999A)
    return since_1(build.done())


@valid
def arranged_beside_generator_1() -> Valid:
    """Generators 1 and 2 in one file, of the same seed and stream; each is the other's second prototype."""
    build = Builder()
    rows = [generated(NORMAL, 49, 3, ONE, 12), arranged(NORMAL, 49, 3, ONE, 12, 12, 5)]
    rows.append(arranged(NORMAL, 49, 3, ONE, 31, 12, 5, {4: TWO}))
    build.file.prototypes += [generator for generator, _ in rows]
    plain, zeros, both = (made for _, made in rows)
    build.layer((24,), pattern(24), tile(plain, 24), tile(zeros, 24), zero=2, second=1)
    a, b = tile(both, 40, 2), tile(plain, 40, 7)
    build.layer((40,), pattern(40), a, b, prototype=2, phase=2, zero=2, second=0, second_phase=7)
    a, b = tile(zeros, 33, 11), tile(both, 33, 30)
    build.layer((33,), pattern(33), a, b, prototype=1, phase=11, zero=2, second=2, second_phase=30)
    return since_1(build.done())


def layer(generator: Generator, values: Array, *, n: int | None = None, scale: bytes | None = None) -> File:
    """A file of one layer, as long as the prototype or n elements long, whose mask is all ones."""
    values = values if n is None else tile(values, n)
    ones = int(np.count_nonzero(values))
    file = File(masks=[Mask(CONSTANT, ones, ones)], prototypes=[generator], header=MINOR_1)
    file.entries = [tiled("w", (len(values),), 0, scale=scale)]
    return file


def manifests() -> Iterator[Row]:
    """Sections 3, 4.5 and 4.7."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(name, MANIFEST, reason, file)

    def of_sizes(length: int, period: int, zeros: int) -> File:
        return layer(*arranged(UNIFORM, 50, 1, ONE, length, period, zeros))

    def edited(**fields: object) -> File:
        file = of_sizes(12, 8, 3)
        put("prototypes", 0, **fields)(file)
        return file

    old = of_sizes(12, 8, 3)
    old.header = {}
    yield row("arranged_minor_0", "3: generator 2 in a file of minor 0", old)
    yield row("generator_3_minor_1", "4.5: unknown generator 3, in a row like that of 2", edited(generator=3))
    plain = layer(*generated(UNIFORM, 50, 1, ONE, 12))
    put("prototypes", 0, generator=3)(plain)
    yield row("generator_3_like_1", "4.5: unknown generator 3, in a row like that of 1", plain)
    yield row(
        "generator_2_as_1",
        "4.5: period and zeros are missing; what follows does not stand for them",
        of("generator_patches", whole(header=MINOR_1), put("prototypes", 0, generator=2)),
    )
    yield row("arranged_period_zero", "4.5: period 0", edited(period=0, zeros=0))
    yield row("arranged_period_above_length", "4.5: period length + 1", edited(period=13))
    yield row("arranged_period_huge", "4.5: a period of 2^62", edited(period=1 << 62))
    yield row("arranged_period_not_minimal", "1: a period that is not minimal", edited(period=b"\x88\x00"))
    yield row("arranged_zeros_not_minimal", "1: a number of zeros that is not minimal", edited(zeros=b"\x83\x00"))
    yield row("arranged_zeros_of_period", "4.5: as many zeros as values", of_sizes(12, 8, 8))
    yield row("arranged_zeros_of_both", "4.5: as many zeros as values and elements", of_sizes(12, 12, 12))
    yield row("arranged_zeros_above_period", "4.5: more zeros than values, fewer than elements", of_sizes(12, 8, 9))
    yield row("arranged_zeros_huge", "4.5: 2^62 zeros", edited(zeros=1 << 62))
    yield row("arranged_nothing", "4.5: period = length and no zeros", of_sizes(12, 12, 0))
    yield row("arranged_nothing_of_one", "4.5: period = length = 1 and no zeros", of_sizes(1, 1, 0))
    yield row("arranged_patch_at_period", "4.5: a patch at index period, below length", edited(patches={8: ONE}))
    yield row("arranged_patch_before_length", "4.5: a patch at index length - 1", edited(patches={0: ONE, 11: ONE}))
    yield row("arranged_length_above_2_48", "4.5: length above 2^48", edited(length=(1 << 48) + 1))
    stream_and_scale = (1).to_bytes(8, "little") + ONE.to_bytes(4, "little")
    for name, last in (("period", u(130)), ("half_of_period", u(130)[:1]), ("zeros", u(130) + u(3))):
        file = of_sizes(200, 130, 3)
        end = file.manifest().index(stream_and_scale) + len(stream_and_scale) + len(last)
        file.edit_manifest = itemgetter(slice(end))
        yield row(f"arranged_ends_after_{name}", f"4: the manifest ends after {name.replace('_', ' ')}", file)


def limits() -> Iterator[Row]:
    """Section 4.7: it is the length that counts, not the period."""
    for name, period, zeros in (("permuted", 4, 0), ("zeros", 1 << 40, 1), ("both", 1 << 39, 1 << 38)):
        file = layer(*arranged(UNIFORM, 50, 2, ONE, 8, 4), n=4)
        put("prototypes", 0, length=1 << 40, period=period, zeros=zeros)(file)
        yield Row(f"arranged_2_40_{name}", LIMIT, "4.7: a prototype of 2^40 elements in a tiny file", file)
    file = layer(*arranged(UNIFORM, 50, 2, ONE, 30, 4), n=6)
    yield Row("arranged_max_bytes", LIMIT, "4.7: 24 bytes of layer and 120 of prototype", file, 143)


def payloads() -> Iterator[Row]:
    """Sections 7 and 8."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"arranged_{name}", PAYLOAD, reason, file)

    def with_digest(values: Array) -> File:
        """Whatever stands at 30 places, of 12 values and 5 zeros, with a digest of other values."""
        generator, made = arranged(NORMAL, 51, 3, ONE, 30, 12, 5, {2: TWO})
        demand(numbers.digest(values) != generator.digest, "the digest is right")
        generator.digest = numbers.digest(values)
        return layer(generator, made)

    patches = {2: TWO}
    plain = numbers.elements(NORMAL, 51, 3, ONE, 12, patches)
    zeroed = numbers.arranged(NORMAL, 51, 3, ONE, 12, 12, 5, patches)
    unpatched = numbers.arranged(NORMAL, 51, 3, ONE, 30, 12, 5)
    right = numbers.arranged(NORMAL, 51, 3, ONE, 30, 12, 5, patches)
    wrong = with_digest(right ^ np.uint32(1))
    yield row("digest", "8.6: the digest of elements with other lowest bits", wrong)
    yield row("digest_of_period", "8.7: the digest of the values, not of all elements", with_digest(zeroed))
    yield row("digest_of_generator_1", "8.7: the digest of what generator 1 makes", with_digest(plain))
    yield row("digest_unpermuted", "8.7: the digest of the values repeated in order", with_digest(tile(zeroed, 30)))
    yield row("digest_without_patches", "8.6: the digest of the elements without patches", with_digest(unpatched))
    without_zeros = numbers.arranged(NORMAL, 51, 3, ONE, 30, 12, 0, patches)
    yield row("digest_without_zeros", "8.7: the digest of the elements before zeros", with_digest(without_zeros))

    infinite = np.flatnonzero(numbers.elements(NORMAL, 5, 7, LARGEST, 8) & ~np.uint32(MINUS) == INFINITY)
    order = numbers.order(5, 7 ^ 1 << 63, 8)
    demand(len(infinite) == 2 and set(infinite.tolist()) <= set(order[:4]), "not all infinite elements are zeroed")
    reason = "8.4: elements that are infinite, all of which become zero"
    for length in (8, 20):
        yield row(f"infinite_zeroed_{length}", reason, layer(*arranged(NORMAL, 5, 7, LARGEST, length, 8, 4)))
    both = arranged(NORMAL, 5, 7, LARGEST, 20, 8, 4, dict.fromkeys(infinite.tolist(), ONE))
    yield row("infinite_patched", "8.4: infinite elements that are patched and become zero", layer(*both))

    for name, (length, period) in {"zeros": (8, 8), "both": (20, 8)}.items():
        file = layer(*arranged(SIGNED_CONSTANT, 52, 1, ONE, length, period, 3))
        file.masks = [mask(np.ones(length, dtype=np.bool_))]
        yield row(f"mask_not_idle_{name}", "7: a bit for every element although some are idle", file)
        file = layer(*arranged(SIGNED_CONSTANT, 52, 1, ONE, length, period, 3))
        file.masks = [mask(np.ones(length, dtype=np.bool_))]
        file.entries[0].zero = 1
        yield row(f"mask_negated_{name}", "7: with negated zeros an arranged zero is idle, but has a bit", file)
    generator, made = arranged(NORMAL, 52, 2, ONE, 20, 8)
    file = layer(generator, made[:-1])
    file.entries[0].dims = (20,)
    yield row("mask_too_idle", "7: a bit fewer than elements, none of which is idle", file)

    stays = numbers.order(48, 5 ^ 1 << 63, 8)[3]
    generator, made = arranged(UNIFORM, 48, 5, ONE, 20, 8, 3, {stays: NAN})
    reached = made.tolist().index(NAN)
    file = layer(generator, made, n=reached, scale=b"\0\0\0\x40")
    yield row("scaled_nan", "7: a NaN that does not become zero, and that the layer does not reach", file)


def arranged_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*manifests(), *limits(), *payloads())
