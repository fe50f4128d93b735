"""The valid vectors for sections 4.5 to 4.6, 7 and 8: prototypes, layers, generators, aliases and tasks.

The content is made from plain arrays of bit patterns (`u4` for float32 and so on), never read from the file.
"""

from __future__ import annotations

import numpy as np
from writer.coders import CONSTANT, RAW, D
from writer.writer import Block, File, Mask, Values, kept, mask, tiled

from cases.kit import Valid, expect, keep, one, valid
from cases.shapes import HALF, MINUS, ONE, TWO, Builder, choose, negated, tile, times, u4


@valid
def kept_layers() -> Valid:
    """Kept layers; one keeps values +0.0 and -0.0, one is 0-d, one has no elements; two share a mask."""
    values = u4(ONE, 0, MINUS, TWO)
    file = File(masks=[mask("10110010"), mask("1"), mask("")])
    file.blocks.append(Block(D.FLOAT32, RAW, values.tobytes() * 2 + u4(HALF).tobytes()))
    file.entries = [kept("a", (2, 4), 0), kept("b", (8,), 0), kept("c", (), 1), kept("d", (0, 3), 2)]
    full = keep("10110010", values)
    return one(
        file,
        expect("a", D.FLOAT32, (2, 4), full),
        expect("b", D.FLOAT32, (8,), full),
        expect("c", D.FLOAT32, (), u4(HALF)),
        expect("d", D.FLOAT32, (0, 3), b""),
    )


@valid
def tile_simple() -> Valid:
    """One tiled layer of one prototype: nothing unusual."""
    build = Builder()
    values = u4(ONE, TWO, HALF, 0xC0400000)
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
        choice = np.arange(n) % 3 != 1
        build.layer((n,), choice, tile(values, n, phase), phase=phase)
    build.layer((), "1", values[1:2], phase=1)
    build.layer((2, 2), "0110", tile(values[3:4], 4), prototype=1)
    return build.done()


@valid
def masks_shared() -> Valid:
    """Masks shared by a partial prototype, kept and tiled layers."""
    file = File(masks=[mask("0110"), mask("1101")])
    file.blocks = [Block(D.UINT8, RAW, bytes([1, 2, 7, 8, 9, 4, 5, 6, 7]))]
    file.prototypes = [Values(4, 0, presence=0), Values(3, 0)]
    file.entries = [tiled("t", (2, 2), 0, 1), kept("k", (4,), 0), tiled("s", (4,), 1, 1, 2), kept("j", (1, 4), 0)]
    file.entries.append(tiled("p", (8,), 1, 0))  # the prototype is 0 1 2 0, so four positions are active
    return one(
        file,
        expect("t", D.UINT8, (2, 2), bytes([0, 8, 9, 0])),
        expect("k", D.UINT8, (4,), bytes([0, 4, 5, 0])),
        expect("s", D.UINT8, (4,), bytes([9, 7, 0, 9])),
        expect("j", D.UINT8, (1, 4), bytes([0, 6, 7, 0])),
        expect("p", D.UINT8, (8,), bytes([0, 1, 2, 0, 0, 0, 2, 0])),
    )


@valid
def idle_zeros() -> Valid:
    """Prototype elements +0.0 are idle and have no bit in the mask; -0.0 and NaN are not idle."""
    build = Builder()
    values = u4(ONE, 0, MINUS, 0x7FC00000, 0)
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
    file = File(masks=[mask("110"), mask("1011")])
    expected = []
    maskable = [d for d in D if d not in (D.BOOL, D.COMPLEX128, D.FLOAT8_E8M0FNU, D.FLOAT4_E2M1FN_X2)]
    sizes = (1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8, 4, 8, 1, 1, 1, 1)
    for i, (dtype, size) in enumerate(zip(maskable, sizes, strict=True)):
        values = [bytes([i + 1]) * size, bytes(size), bytes([0x80 | i]) * size]
        more = [bytes(size - 1) + b"\x11", bytes([0x7F]) * size]
        file.blocks.append(Block(dtype, RAW, b"".join(values + more)))
        file.prototypes.append(Values(3, i))
        file.entries += [kept(f"k{i}", (3,), 0, i), tiled(f"w{i}", (6,), 1, i)]
        expected.append(expect(f"k{i}", dtype, (3,), b"".join([*more, bytes(size)])))
        layer = [values[0], bytes(size), bytes(size), values[0], bytes(size), values[2]]
        expected.append(expect(f"w{i}", dtype, (6,), b"".join(layer)))
    return one(file, *expected)


NEGATED = {D.FLOAT16: "<u2", D.BFLOAT16: "<u2", D.FLOAT32: "<u4", D.FLOAT64: "<u8"}


@valid
def zero_negated() -> Valid:
    """Zero = negated in every dtype that allows it: +0.0 is idle, -0.0 becomes +0.0, NaN changes its sign."""
    build = Builder()
    for dtype, code in NEGATED.items():
        build.dtype = dtype
        width = np.dtype(code).itemsize * 8
        values = np.array([1, 0, 1 << (width - 1), (1 << (width - 1)) - 1, 0x3C00 << (width - 16)], dtype=code)
        index = build.prototype(values)
        a = tile(values, 12, 3)
        build.layer((3, 4), "101100111000", a, negated(a), prototype=index, phase=3, zero=1)
    return build.done()


@valid
def zero_second() -> Valid:
    """Zero = second prototype: other length and phase; equal bits (NaN too) are idle, +0.0 and -0.0 not."""
    build = Builder()
    first, second = u4(ONE, 0, 0x7FC00001, 0), u4(TWO, MINUS, 0x7FC00001, 0, ONE, 0)
    build.prototype(first)
    build.prototype(second)
    choice = np.arange(24) % 5 < 2
    build.layer((2, 12), choice, tile(first, 24), tile(second, 24), zero=2, second=1)
    a, b = tile(first, 24, 1), tile(second, 24, 5)
    build.layer((24,), choice, a, b, phase=1, zero=2, second=1, second_phase=5)
    a, b = tile(second, 7, 2), tile(second, 7, 4)
    build.layer((7,), "1001101", a, b, prototype=1, phase=2, zero=2, second=1, second_phase=4)
    return build.done()


@valid
def zero_second_same() -> Valid:
    """Zero = second prototype which is the first at the same phase: all is idle, no bit is stored."""
    build = Builder(D.INT16)
    values = np.array([5, 0, 0xFFFF], dtype="<u2")
    build.prototype(values)
    a = tile(values, 8, 1)
    build.layer((8,), "10101010", a, a, phase=1, zero=2, second_phase=1)
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
