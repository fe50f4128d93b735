"""The valid vectors for sections 8, 4.2 and 4.6 of the specification: generators, aliases and tasks."""

from __future__ import annotations

import numpy as np
from writer import numbers
from writer.coders import RAW, D
from writer.writer import Block, File, Generator, Values, alias, kept, mask, tensor, tiled

from cases.kit import Array, Valid, case, expect, one, valid
from cases.shapes import HALF, MINUS, ONE, TWO, Builder, choose, negated, tile, times, u4


def generated(
    distribution: int, seed: int, stream: int, scale: int, length: int, patches: dict[int, int] | None = None
) -> tuple[Generator, Array]:
    """A generator and its elements as bits."""
    values = numbers.elements(distribution, seed, stream, scale, length, patches)
    digest = numbers.digest(values)
    return Generator(length, distribution, seed, stream, scale, patches or {}, digest), values


def show(*made: tuple[Generator, Array]) -> Valid:
    """A layer for each generator that is its prototype."""
    build = Builder()
    for i, (generator, values) in enumerate(made):
        build.file.prototypes.append(generator)
        build.layer((len(values),), np.ones(len(values), dtype=np.bool_), values, prototype=i)
    return build.done()


case("generator_signed", "Signed constants; 37 elements need ten counters.")(
    lambda: show(generated(1, 42, 0, 0x3D4CCCCD, 37), generated(1, 0, 0, 0x00000001, 9))
)
case("generator_uniform", "Uniform numbers; scales 1, 1/3, the largest, and ones with products subnormal and 0.")(
    lambda: show(
        *(
            generated(2, 7, i, scale, 60)
            for i, scale in enumerate((ONE, 0x3EAAAAAB, 0x7F7FFFFF, 0x00812345, 0x00000003, 0x00000001))
        )
    )
)
case("generator_normal", "Normal numbers; scales 1, 0.02, and ones with subnormal products and products that are 0.")(
    lambda: show(
        *(
            generated(3, 1, i, scale, 60)
            for i, scale in enumerate((ONE, 0x3CA3D70A, 0x00812345, 0x00000003, 0x00000001))
        )
    )
)


@valid
def generator_wide() -> Valid:
    """Seed and stream above 2^32; 1,030 elements."""
    seed, stream = 0xFEDCBA9876543210, 0x8000000000000001
    rows = [generated(kind, seed, stream, ONE, 30) for kind in (1, 2, 3)]
    rows += [generated(3, 2**64 - 1, 2**64 - 1, ONE, 9), generated(3, 1 << 32, 1 << 63, ONE, 9)]
    return show(*rows, generated(3, 5, 6, HALF, 1030))


TAIL_SEED = 0x123456789ABCDEF0
TAILS = (0x51B81EA7A, 0x50847873D, 0x519A78588, 0x508BC30C2, 0x50103A4EA, 0x500EF8ABD, 0x5015B0557, 0x5001BED2B)
MIDDLES = (0x508D64F99, 0x50BE0E7B2, 0x50DAB4030, 0x50FA6800E)
case(
    "generator_normal_ends",
    "Both ends of the normal table: x mod 2^31 of 0 (the largest number), of 2^31 - 2 and near them.",
)(lambda: show(*(generated(3, TAIL_SEED, stream, ONE, 4) for stream in TAILS + MIDDLES)))
case("generator_patches", "Patches: at the first and last element, side by side, of +0.0, NaN, infinity; all patched.")(
    lambda: show(
        *[
            generated(kind, 9, 9, HALF, 500, {0: 0, 1: 0x7FC12345, 200: 0x7F800000, 201: MINUS, 499: ONE})
            for kind in (1, 2, 3)
        ],
        generated(3, 9, 9, HALF, 3, {0: 1, 1: 2, 2: 3}),
    )
)


@valid
def generator_layers() -> Valid:
    """Layers over a generated prototype: phase, scaled, negated, and second to a prototype of values."""
    build = Builder()
    generator, made = generated(3, 3, 4, ONE, 10, {4: 0})
    values = u4(ONE, 0, TWO)
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


@valid
def aliases() -> Valid:
    """Aliases of a tensor, a kept and a tiled layer, two of the same target."""
    file = File(masks=[mask("011"), mask("10101")])
    file.blocks = [Block(D.INT8, RAW, bytes([9, 8, 1, 2, 3, 4]))]
    file.prototypes = [Values(2, 0)]
    file.entries = [tensor("t", (2,)), alias("t2", 0), kept("k", (3, 1), 0), tiled("w", (5,), 1)]
    file.entries += [alias("w2", 3), alias("k2", 2), alias("a t", 0)]
    t = expect("t", D.INT8, (2,), bytes([1, 2]))
    k = expect("k", D.INT8, (3, 1), bytes([0, 3, 4]))
    w = expect("w", D.INT8, (5,), bytes([9, 0, 9, 0, 9]))
    again = [expect(name, x.dtype, x.shape, x.data) for name, x in (("w2", w), ("k2", k), ("a t", t))]
    return one(file, t, expect("t2", D.INT8, (2,), t.data), k, w, *again)


@valid
def tasks() -> Valid:
    """Two tasks: own masks over one prototype, own tensors, same names, aliases within a task."""
    file = File(tasks=["französisch", "de"], masks=[mask("0101"), mask("001101"), mask("110011"), mask("111111")])
    values = u4(ONE, TWO, HALF)
    head = u4(0x41200000, 0x41A00000)
    file.blocks = [Block(D.FLOAT32, RAW, b"".join(x.tobytes() for x in (values, u4(5), head, head[:1], u4(6, 7))))]
    file.prototypes = [Values(3, 0)]
    file.entries = [
        tiled("w", (2, 3), 1, task=2),
        tensor("common", (1,)),
        tiled("w", (6,), 2, task=1),
        tensor("head", (2,), task=1),
        alias("tied", 3, task=1),
        tensor("tied", (), task=2),
        alias("common again", 1, task=2),
        kept("k", (4,), 0),
        tiled("all", (6,), 3, 0, 1),
        alias("common too", 1),
    ]
    full = [choose("110011", tile(values, 6))[1], choose("001101", tile(values, 6))[1]]
    common = expect("common", D.FLOAT32, (1,), u4(5))
    shared = [
        expect("k", D.FLOAT32, (4,), u4(0, 6, 0, 7)),
        expect("all", D.FLOAT32, (6,), tile(values, 6, 1)),
        expect("common too", D.FLOAT32, (1,), u4(5)),
    ]
    french = [common, expect("w", D.FLOAT32, (6,), full[0]), expect("head", D.FLOAT32, (2,), head)]
    french += [expect("tied", D.FLOAT32, (2,), head), *shared]
    german = [expect("w", D.FLOAT32, (2, 3), full[1]), common, expect("tied", D.FLOAT32, (), head[:1])]
    german += [expect("common again", D.FLOAT32, (1,), u4(5)), *shared]
    return Valid(file, {"französisch": french, "de": german})


case("tasks_single", "One task and nothing but an entry of every task.")(
    lambda: Valid(
        File(tasks=["only"], blocks=[Block(D.BOOL, RAW, b"\x01")], entries=[tensor("flag", ())]),
        {"only": [expect("flag", D.BOOL, (), b"\x01")]},
    )
)
case("tasks_empty", "Tasks without any entry; a task name of 1,024 bytes.")(
    lambda: Valid(File(tasks=["a", "b" * 1024]), {"a": [], "b" * 1024: []})
)


@valid
def tasks_apart() -> Valid:
    """Tasks of which one has no entries of its own and one has nothing in common with the other."""
    file = File(tasks=["none", "x", "y"], blocks=[Block(D.UINT8, RAW, bytes([1, 2]))])
    file.entries = [tensor("a", (), task=2), tensor("a", (1,), task=3)]
    x, y = expect("a", D.UINT8, (), b"\x01"), expect("a", D.UINT8, (1,), b"\x02")
    return Valid(file, {"none": [], "x": [x], "y": [y]})
