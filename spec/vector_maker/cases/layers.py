"""The valid vectors for sections 4.2, 4.5, 4.6 and 7 of the specification: prototypes, layers, aliases and tasks.

Below them the invalid ones of section 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from writer.coders import SIZES, D
from writer.ids import CONSTANT, RAW
from writer.writer import Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.content import HALF, MINUS, ONE, TWO, Array, choose, keep, negated, tile, times, u4
from cases.files import Builder
from cases.rows import PAYLOAD, Row, edited, of, put
from cases.valid import Valid, expect, one, same, valid


@valid
def kept_layers() -> Valid:
    """Kept layers; one keeps values +0.0 and -0.0, one is 0-d, one has no elements; two share a mask."""
    values = u4(ONE, 0, MINUS, TWO)
    file = File(masks=[mask("10110010"), mask("1"), mask("")])
    file.blocks.append(Block(D.FLOAT32, RAW, values.tobytes() * 2 + u4(HALF).tobytes()))
    file.entries = [kept("a", (2, 4), 0), kept("b", (8,), 0), kept("c", (), 1), kept("d", (0, 3), 2)]
    full = keep("10110010", values)
    return same(file, D.FLOAT32, ("a", (2, 4), full), ("b", (8,), full), ("c", (), u4(HALF)), ("d", (0, 3), b""))


@valid
def tile_simple() -> Valid:
    """One tiled layer of one prototype: nothing unusual."""
    build, values = Builder(), u4(ONE, TWO, HALF, 0xC0400000)
    build.prototype(values)
    build.layer((2, 3), "101101", tile(values, 6))
    return build.done()


@valid
def tile_many() -> Valid:
    """Layers over one prototype: phases that are not 0, a longer prototype, 0-d, empty, length 1."""
    build = Builder(D.BFLOAT16)
    values = np.array([0x3F80, 0x4000, 0xBF80, 0x7FC0, 0x0001], dtype="<u2")
    build.prototype(values)
    build.prototype(values[3:4])
    for n, phase in ((12, 0), (12, 3), (3, 1), (2, 4), (1, 2), (0, 4)):
        build.layer((n,), np.arange(n) % 3 != 1, tile(values, n, phase), phase=phase)
    build.layer((), "1", values[1:2], phase=1)
    build.layer((2, 2), "0110", tile(values[3:4], 4), prototype=1)
    return build.done()


@valid
def masks_shared() -> Valid:
    """Masks shared by a partial prototype, kept and tiled layers."""
    file = File(masks=[mask("0110"), mask("1101")], prototypes=[Values(4, 0, presence=0), Values(3, 0)])
    file.blocks = [Block(D.UINT8, RAW, bytes([1, 2, 7, 8, 9, 4, 5, 6, 7]))]
    file.entries = [tiled("t", (2, 2), 0, 1), kept("k", (4,), 0), tiled("s", (4,), 1, 1, 2), kept("j", (1, 4), 0)]
    file.entries.append(tiled("p", (8,), 1, 0))  # the prototype is 0 1 2 0, so four positions are active
    layers = {"t": [0, 8, 9, 0], "k": [0, 4, 5, 0], "s": [9, 7, 0, 9], "j": [0, 6, 7, 0], "p": [0, 1, 2, 0, 0, 0, 2, 0]}
    shapes: dict[str, tuple[int, ...]] = {"t": (2, 2), "k": (4,), "s": (4,), "j": (1, 4), "p": (8,)}
    return same(file, D.UINT8, *((name, shapes[name], bytes(layer)) for name, layer in layers.items()))


@valid
def idle_zeros() -> Valid:
    """Prototype elements +0.0 are idle and have no bit in the mask; -0.0 and NaN are not idle."""
    build, values = Builder(), u4(ONE, 0, MINUS, 0x7FC00000, 0)
    build.prototype(values)
    build.prototype(u4(0, 0))
    build.layer((11,), "10110010101", tile(values, 11))
    build.layer((9,), "000000111", tile(values, 9, 2), phase=2)
    build.layer((3,), "101", tile(u4(0), 3), prototype=1)
    return build.done()


@valid
def partial_prototypes() -> Valid:
    """Partial prototypes: some, none and all elements stored; a stored element may be +0.0."""
    file = File(masks=[mask("01101"), Mask(CONSTANT, 3, 0), Mask(CONSTANT, 2, 2)])
    file.blocks = [Block(D.FLOAT32, RAW, u4(ONE, 0, TWO, HALF, MINUS).tobytes()), Block(D.FLOAT64, RAW, b"")]
    file.prototypes = [Values(5, 0, presence=0), Values(3, 1, presence=1), Values(2, 0, presence=2)]
    prototypes = [u4(0, ONE, 0, 0, TWO), np.zeros(3, dtype="<u8"), u4(HALF, MINUS)]
    expected = []
    for i, (values, dtype) in enumerate(zip(prototypes, (D.FLOAT32, D.FLOAT64, D.FLOAT32), strict=True)):
        stored, full = choose("1110111", tile(values, 7))
        file.masks.append(mask(stored))
        file.entries.append(tiled(f"w{i}", (7,), 3 + i, i))
        expected.append(expect(f"w{i}", dtype, (7,), full))
    return one(file, *expected)


@valid
def maskable_dtypes() -> Valid:
    """Tiled and kept layers of every maskable dtype, one prototype element of each all-zero bits."""
    file, expected = File(masks=[mask("110"), mask("1011")]), []
    maskable = [d for d in D if d not in (D.BOOL, D.COMPLEX128, D.FLOAT8_E8M0FNU, D.FLOAT4_E2M1FN_X2)]
    for i, dtype in enumerate(maskable):
        size = SIZES[dtype]
        zero, a, c = bytes(size), bytes([i + 1]) * size, bytes([0x80 | i]) * size
        more = [bytes(size - 1) + b"\x11", bytes([0x7F]) * size]
        file.blocks.append(Block(dtype, RAW, b"".join([a, zero, c, *more])))
        file.prototypes.append(Values(3, i))
        file.entries += [kept(f"k{i}", (3,), 0, i), tiled(f"w{i}", (6,), 1, i)]
        expected.append(expect(f"k{i}", dtype, (3,), b"".join([*more, zero])))
        expected.append(expect(f"w{i}", dtype, (6,), b"".join([a, zero, zero, a, zero, c])))
    return one(file, *expected)


@valid
def zero_negated() -> Valid:
    """Zero = negated in every dtype that allows it: +0.0 is idle, -0.0 becomes +0.0, NaN changes its sign."""
    build = Builder()
    for build.dtype in (D.FLOAT16, D.BFLOAT16, D.FLOAT32, D.FLOAT64):
        top = 8 * SIZES[build.dtype] - 1
        values = np.array([1, 0, 1 << top, (1 << top) - 1, 0x3C00 << top - 15], dtype=f"<u{SIZES[build.dtype]}")
        index, a = build.prototype(values), tile(values, 12, 3)
        build.layer((3, 4), "101100111000", a, negated(a), prototype=index, phase=3, zero=1)
    return build.done()


@valid
def zero_second() -> Valid:
    """Zero = second prototype: other length and phase; equal bits (NaN too) are idle, +0.0 and -0.0 not."""
    build = Builder()
    first, second = u4(ONE, 0, 0x7FC00001, 0), u4(TWO, MINUS, 0x7FC00001, 0, ONE, 0)
    build.prototype(first)
    build.prototype(second)
    choice, more = np.arange(24) % 5 < 2, {"zero": 2, "second": 1}
    build.layer((2, 12), choice, tile(first, 24), tile(second, 24), **more)
    build.layer((24,), choice, tile(first, 24, 1), tile(second, 24, 5), phase=1, second_phase=5, **more)
    more |= {"prototype": 1, "phase": 2, "second_phase": 4}
    build.layer((7,), "1001101", tile(second, 7, 2), tile(second, 7, 4), **more)
    return build.done()


@valid
def zero_second_same() -> Valid:
    """Zero = second prototype which is the first at the same phase: all is idle, no bit is stored."""
    build = Builder(D.INT16)
    values = np.array([5, 0, 0xFFFF], dtype="<u2")
    build.prototype(values)
    build.layer((8,), "10101010", tile(values, 8, 1), tile(values, 8, 1), phase=1, zero=2, second_phase=1)
    return build.done()


@valid
def scaled() -> Valid:
    """Scaled layers: rounding, subnormal products, underflow to +0.0 (idle) and to -0.0 (not idle)."""
    build = Builder()
    values = u4(ONE, 0x3FFFFFFF, 0xBF800001, 0x00800001, 0x00000003, 0x80000001, 0, MINUS, 0x3F7FFFFF)
    build.prototype(values)
    for scale in (0x3DCCCCCD, 0x3F000000, 0x00000001, 0x00800000, 0x3EAAAAAB, ONE):
        build.layer((3, 6), "110111101011110111", times(tile(values, 18, 2), scale), phase=2, scale=scale)
    return build.done()


@valid
def scaled_zero() -> Valid:
    """Scaled layers with zero = negated and second: idle is decided after scaling."""
    build = Builder()
    first, second = u4(ONE, 0x00000001, 0x80000001, 0), u4(0x3F800001, 0x00000002, TWO)
    build.prototype(first)
    build.prototype(second)
    a = times(tile(first, 12), 0x3E800000)
    build.layer((12,), "110111101010", a, negated(a), zero=1, scale=0x3E800000)
    a, b = times(tile(first, 12, 1), 0x00800000), times(tile(second, 12, 2), 0x00800000)
    build.layer((12,), "011010111001", a, b, phase=1, zero=2, second=1, second_phase=2, scale=0x00800000)
    return build.done()


# --- sections 4.2 and 4.6: aliases and tasks ----------------------------------------------------------------


@valid
def aliases() -> Valid:
    """Aliases of a tensor, a kept and a tiled layer, two of the same target."""
    file = File(masks=[mask("011"), mask("10101")], prototypes=[Values(2, 0)])
    file.blocks = [Block(D.INT8, RAW, bytes([9, 8, 1, 2, 3, 4]))]
    file.entries = [tensor("t", (2,)), alias("t2", 0), kept("k", (3, 1), 0), tiled("w", (5,), 1)]
    file.entries += [alias("w2", 3), alias("k2", 2), alias("a t", 0)]
    t, k, w = ((2,), bytes([1, 2])), ((3, 1), bytes([0, 3, 4])), ((5,), bytes([9, 0, 9, 0, 9]))
    rows = (("t", *t), ("t2", *t), ("k", *k), ("w", *w), ("w2", *w), ("k2", *k), ("a t", *t))
    return same(file, D.INT8, *rows)


@valid
def tasks() -> Valid:
    """Two tasks: own masks over one prototype, own tensors, same names, aliases within a task."""
    file = File(tasks=["französisch", "de"], masks=[mask("0101"), mask("001101"), mask("110011"), mask("111111")])
    values, head = u4(ONE, TWO, HALF), u4(0x41200000, 0x41A00000)
    file.blocks = [Block(D.FLOAT32, RAW, b"".join(x.tobytes() for x in (values, u4(5), head, head[:1], u4(6, 7))))]
    file.prototypes = [Values(3, 0)]
    file.entries = [tiled("w", (2, 3), 1, task=2), tensor("common", (1,)), tiled("w", (6,), 2, task=1)]
    file.entries += [tensor("head", (2,), task=1), alias("tied", 3, task=1), tensor("tied", (), task=2)]
    file.entries += [alias("common again", 1, task=2), kept("k", (4,), 0), tiled("all", (6,), 3, 0, 1)]
    file.entries.append(alias("common too", 1))

    def network(*rows: tuple[str, tuple[int, ...], Array]) -> Any:
        common = (("k", (4,), u4(0, 6, 0, 7)), ("all", (6,), tile(values, 6, 1)), ("common too", (1,), u4(5)))
        return same(file, D.FLOAT32, *rows, *common).networks[""]

    full = [choose(choice, tile(values, 6))[1] for choice in ("110011", "001101")]
    french = network(("common", (1,), u4(5)), ("w", (6,), full[0]), ("head", (2,), head), ("tied", (2,), head))
    german = [("w", (2, 3), full[1]), ("common", (1,), u4(5)), ("tied", (), head[:1]), ("common again", (1,), u4(5))]
    return Valid(file, {"französisch": french, "de": network(*german)})


@valid
def tasks_single() -> Valid:
    """One task and nothing but an entry of every task."""
    file = File(tasks=["only"], blocks=[Block(D.BOOL, RAW, b"\x01")], entries=[tensor("flag", ())])
    return Valid(file, {"only": [expect("flag", D.BOOL, (), b"\x01")]})


@valid
def tasks_empty() -> Valid:
    """Tasks without any entry; a task name of 1,024 bytes."""
    return Valid(File(tasks=["a", "b" * 1024]), {"a": [], "b" * 1024: []})


@valid
def tasks_apart() -> Valid:
    """Tasks of which one has no entries of its own and one has nothing in common with the other."""
    file = File(tasks=["none", "x", "y"], blocks=[Block(D.UINT8, RAW, bytes([1, 2]))])
    file.entries = [tensor("a", (), task=2), tensor("a", (1,), task=3)]
    x, y = expect("a", D.UINT8, (), b"\x01"), expect("a", D.UINT8, (1,), b"\x02")
    return Valid(file, {"none": [], "x": [x], "y": [y]})


# --- invalid: section 7 -------------------------------------------------------------------------------------

DOUBLE = b"\0\0\0\x40"


def over(values: list[int], choice: str, zero: int = 0, scale: bytes | None = None) -> File:
    """Return a layer of eight elements over a prototype."""
    file = File(masks=[mask(choice)], blocks=[Block(D.FLOAT32, RAW, u4(*values).tobytes())])
    file.prototypes = [Values(len(values), 0)]
    file.entries = [tiled("w", (8,), 0, zero=zero, scale=scale)]
    return file


def layer_rows() -> Iterator[Row]:
    """Yield masks that are not as long as there are positions that are not idle, and scaled values beyond range."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(name, PAYLOAD, reason, file)

    short = put("masks", 0, length=5, ones=3, payload=b"\x0d")
    yield row("tiled_mask_short", "7: a mask of one bit too few", of("tile_simple", short))
    zeros, tiny = [ONE, 0, TWO, HALF], b"\x01\0\0\0"
    for name, reason, file in (
        ("not_idle", "a bit for every element although two are idle", over(zeros, "10111011")),
        ("too_idle", "one bit fewer than there are positions that are not idle", over(zeros, "10110")),
        ("minus_zero", "-0.0 is not idle, but has no bit", over([ONE, MINUS, TWO, HALF], "101101")),
        ("negated", "with negated zeros +0.0 is idle, but has a bit", over(zeros, "10111011", 1)),
        (
            "underflow",
            "0.25 x 2^-149 is +0.0, so it is idle, but has a bit",
            over([0x3E800000, TWO], "10101010", 0, tiny),
        ),
    ):
        yield row(f"tiled_mask_{name}", f"7: {reason}", file)
    long = of("zero_second_same", put("masks", 0, coder=CONSTANT, length=1, ones=1, payload=b""))
    yield row("second_mask_long", "7: a bit more than there are positions where the two prototypes differ", long)
    infinite = "7: a scaled value is infinite"
    for name, value, scale, reason in (
        ("infinity", 0x7F800000, DOUBLE, "7: infinity in the prototype of a scaled layer"),
        ("minus_infinity", 0xFF800000, DOUBLE, "7: minus_infinity in the prototype of a scaled layer"),
        ("nan", 0x7FC00000, DOUBLE, "7: nan in the prototype of a scaled layer"),
        ("overflow", 0x7F7FFFFF, DOUBLE, infinite),
        ("overflow_negative", 0xFF000000, DOUBLE, infinite),
        ("overflow_rounding", 0x7F7FFFFF, b"\x01\0\x80\x3f", "8.4: a scaled value is infinite only after rounding"),
    ):
        yield row(f"scaled_{name}", reason, over([ONE, value], "1" * 8, 0, scale))
    for name, value in (("infinity", 0x7F800000), ("overflow", 0x7F7FFFFF)):
        reason = f"7: {name} in an element that the layer does not reach"
        yield row(f"scaled_{name}_out_of_reach", reason, over([ONE] * 9 + [value], "1" * 8, 0, DOUBLE))
        second = edited(over([ONE, TWO, value], "0" * 8, 2, DOUBLE), put("entries", 0, second=1))
        second.prototypes = [Values(1, 0), Values(2, 0)]
        yield row(f"scaled_{name}_second", f"7: {name} in the scaled second prototype", second)
