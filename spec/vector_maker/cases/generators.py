"""The vectors for generator 1: section 8 of the specification, with 4.5 and 7."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from writer import numbers
from writer.writer import Generator

from cases.content import HALF, INFINITY, MINUS, ONE, TWO, Array, negated, tile, times, u4
from cases.files import Builder, layered, show
from cases.rows import PAYLOAD, Row
from cases.valid import Valid, case, valid


def generated(
    distribution: int, seed: int, stream: int, scale: int, length: int, patches: dict[int, int] | None = None
) -> tuple[Generator, Array]:
    """Return a generator and its elements as bits."""
    values = numbers.elements(distribution, seed, stream, scale, length, patches)
    return Generator(length, distribution, seed, stream, scale, patches or {}, numbers.digest(values)), values


case("generator_signed", "Signed constants; 37 elements need ten counters.")(
    lambda: show(generated(1, 42, 0, 0x3D4CCCCD, 37), generated(1, 0, 0, 0x00000001, 9))
)
UNIFORM_SCALES = (ONE, 0x3EAAAAAB, 0x7F7FFFFF, 0x00812345, 0x00000003, 0x00000001)
case("generator_uniform", "Uniform numbers; scales 1, 1/3, the largest, and ones with products subnormal and 0.")(
    lambda: show(*(generated(2, 7, i, scale, 60) for i, scale in enumerate(UNIFORM_SCALES)))
)
NORMAL_SCALES = (ONE, 0x3CA3D70A, 0x00812345, 0x00000003, 0x00000001)
case("generator_normal", "Normal numbers; scales 1, 0.02, and ones with subnormal products and products that are 0.")(
    lambda: show(*(generated(3, 1, i, scale, 60) for i, scale in enumerate(NORMAL_SCALES)))
)
# Streams of which words are at an end of the table, and near it.
TAILS = (0x51B81EA7A, 0x50847873D, 0x519A78588, 0x508BC30C2, 0x50103A4EA, 0x500EF8ABD, 0x5015B0557, 0x5001BED2B)
MIDDLES = (0x508D64F99, 0x50BE0E7B2, 0x50DAB4030, 0x50FA6800E)
case(
    "generator_normal_ends",
    "Both ends of the normal table: x mod 2^31 of 0 (the largest number), of 2^31 - 2 and near them.",
)(lambda: show(*(generated(3, 0x123456789ABCDEF0, stream, ONE, 4) for stream in TAILS + MIDDLES)))


@valid
def generator_wide() -> Valid:
    """Seed and stream above 2^32; 1,030 elements."""
    rows = [generated(kind, 0xFEDCBA9876543210, 0x8000000000000001, ONE, 30) for kind in (1, 2, 3)]
    rows += [generated(3, 2**64 - 1, 2**64 - 1, ONE, 9), generated(3, 1 << 32, 1 << 63, ONE, 9)]
    return show(*rows, generated(3, 5, 6, HALF, 1030))


@valid
def generator_patches() -> Valid:
    """Patches: at the first and last element, side by side, of +0.0, NaN, infinity; all patched."""
    some = {0: 0, 1: 0x7FC12345, 200: INFINITY, 201: MINUS, 499: ONE}
    rows = [generated(kind, 9, 9, HALF, 500, some) for kind in (1, 2, 3)]
    return show(*rows, generated(3, 9, 9, HALF, 3, {0: 1, 1: 2, 2: 3}))


@valid
def generator_layers() -> Valid:
    """Layers over a generated prototype: phase, scaled, negated, and second to a prototype of values."""
    build, values = Builder(), u4(ONE, 0, TWO)
    generator, made = generated(3, 3, 4, ONE, 10, {4: 0})
    build.file.prototypes.append(generator)
    build.prototype(values)
    choice = np.arange(25) % 4 != 2
    build.layer((5, 5), choice, tile(made, 25, 7), phase=7)
    a = times(tile(made, 25), 0x3E99999A)
    build.layer((25,), choice, a, negated(a), zero=1, scale=0x3E99999A)
    a, b = tile(made, 25, 9), tile(values, 25, 1)
    build.layer((25,), choice, a, b, phase=9, zero=2, second=1, second_phase=1)
    build.layer((25,), choice, b, a, prototype=1, phase=1, zero=2, second=0, second_phase=9)
    return build.done()


def generator_rows() -> Iterator[Row]:
    """Yield wrong digests and infinite elements."""

    def row(name: str, reason: str, made: tuple[Generator, Array], digest: int) -> Row:
        made[0].digest = digest
        return Row(name, PAYLOAD, reason, layered(made, minor=0))

    for kind in (1, 2, 3):
        good = generated(kind, 5, 6, ONE, 20)
        yield row(f"digest_{kind}", "8.5: another digest", good, good[0].digest ^ 1)
    plain, patched = generated(3, 5, 6, ONE, 20), generated(3, 5, 6, ONE, 20, {3: TWO})
    reason = "8.5: the digest of the elements without patches"
    yield row("digest_without_patches", reason, patched, plain[0].digest)
    yield row("digest_zero", "8.5: a digest of 0", plain, 0)
    overflow = generated(3, 5, 6, 0x7F7FFFFF, 64)
    yield row("generator_overflow", "8.4: elements that are infinite", overflow, overflow[0].digest)
