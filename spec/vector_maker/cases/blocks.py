"""The valid vectors for sections 4.4 and 6 of the specification: blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from writer.coders import (
    CONSTANT,
    GAPS_OF_ONES,
    GAPS_OF_ZEROS,
    PALETTE,
    PLANES,
    RAW,
    SIZES,
    ZSTD,
    ZSTD_MASK,
    D,
    frame,
    palette,
    planes,
    zstd,
)
from writer.writer import Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.kit import Valid, blobs, case, expect, one, valid


@valid
def block_zstd() -> Valid:
    """Blocks by coder 1: frames made by hand, at a low level and with a checksum; constant data."""
    data = np.arange(40, dtype="<i8").tobytes()
    flags = bytes([1, 0, 0, 1, 1])
    return blobs(
        (D.INT64, ZSTD, zstd(data, 1), data),
        (D.INT64, ZSTD, zstd(data, 19, checksum=True), data),
        (D.INT64, ZSTD, frame(bytes(320)), bytes(320)),
        (D.BOOL, ZSTD, frame(flags), flags),
    )


@valid
def block_planes() -> Valid:
    """Every plane method in elements of 1, 2, 4, 8 and 16 bytes, constant planes also by methods 0 and 1."""
    one_byte = bytes(range(9))
    two = np.array([0x0101, 0x0102, 0x01FF], dtype="<u2").tobytes()
    four = np.array([0x3F800000, 0x3F8000FF, 0x3F80AA00], dtype="<u4").tobytes()
    eight = np.array([2**53 + 1, 2**53 + 2**33], dtype="<u8").tobytes()
    sixteen = bytes(16) + bytes(range(8)) + bytes(8)
    return blobs(
        (D.UINT8, PLANES, planes(one_byte, 1, [0]), one_byte),
        (D.INT8, PLANES, planes(one_byte, 1, [1]), one_byte),
        (D.FLOAT8_E5M2, PLANES, planes(b"<<<<", 1, [2]), b"<<<<"),
        (D.BOOL, PLANES, planes(b"\1\1\1", 1, [2]), b"\1\1\1"),
        (D.BFLOAT16, PLANES, planes(two, 2, [1, 2]), two),
        (D.FLOAT32, PLANES, planes(four, 4, [0, 1, 2, 0]), four),
        (D.UINT64, PLANES, planes(eight, 8, [0, 2, 2, 1, 0, 2, 1, 2]), eight),
        (D.COMPLEX128, PLANES, planes(sixteen, 16, [0, 1] * 4 + [2, 0, 1, 2] * 2), sixteen),
    )


def palette_row(dtype: D, numbers: Sequence[int], indices: Sequence[int], method: int) -> tuple[D, int, bytes, bytes]:
    """A block by coder 3 of these values and indices, and its elements."""
    values = [number.to_bytes(SIZES[dtype], "little") for number in numbers]
    return dtype, PALETTE, palette(values, indices, method), b"".join(values[i] for i in indices)


@valid
def block_palette() -> Valid:
    """Palettes of few values by every method; K = 1; K a power of two; values that no index uses."""
    five = [0, 3, 0x80, 0x8000, 0xFFFF]
    order = [4, 0, 1, 2, 3, 3, 1, 0, 4, 4, 2]
    return blobs(
        palette_row(D.FLOAT16, five, order, 0),
        palette_row(D.FLOAT16, five, order, 1),
        palette_row(D.FLOAT16, five, order, 2),
        palette_row(D.FLOAT32, [0x80000000], [0] * 6, 0),
        palette_row(D.BOOL, [0, 1], [0, 1, 1, 0, 1, 1, 1, 0, 1], 0),
        palette_row(D.INT8, [1, 2, 254, 255], [3, 2, 1, 0, 1], 0),
        palette_row(D.UINT8, list(range(256)), [255, 0, 17], 2),
        palette_row(D.UINT8, list(range(256)), [255, 0, 17], 0),
        palette_row(D.INT32, [7, 8, 9], [1, 1, 1], 1),
    )


case("palette_over_256", "Palettes of 257 and 300 values: indices of 9 bits or of two bytes.")(
    lambda: blobs(
        *[
            palette_row(D.UINT16, [3 * i + 1 for i in range(300)], [299, 0, 256, 255, 1, 128, 298], method)
            for method in range(3)
        ],
        palette_row(D.INT16, [255 * i for i in range(257)], [256, 255, 0], 2),
    )
)
case("palette_65536", "A palette of 65,536 values, of which three are used.")(
    lambda: blobs(palette_row(D.UINT16, range(65536), [65535, 0, 0x1234], 0))
)
case("palette_wide", "Palettes of 8 and 16 bytes: ascending as little-endian integers, not as byte strings.")(
    lambda: blobs(
        palette_row(D.FLOAT64, [5, 1 << 8, 1 << 63 | 2, 255 << 56], [3, 1, 0, 2, 2], 0),
        palette_row(D.COMPLEX128, [255, 1 << 64, 1 << 120, (1 << 127) + 1], [3, 1, 0, 2, 2], 2),
    )
)


@valid
def blocks_of_nothing() -> Valid:
    """Blocks of no elements by every coder and method."""
    two = [b"\x01\x00", b"\x02\x00"]
    rows = [(RAW, b""), (ZSTD, frame(b"")), (ZSTD, zstd(b"", checksum=True)), (PLANES, b"\x00\x02\x09")]
    rows += [(PLANES, planes(b"", 2, [1, 0])), (PALETTE, palette(two[:1], [], 0))]
    rows += [(PALETTE, palette(two, [], method)) for method in range(3)]
    return blobs(*((D.UINT16, coder, payload, b"") for coder, payload in rows))


@valid
def block_of_many_users() -> Valid:
    """A block used by prototypes, a kept layer and tensors, whose order in it is not that of the entries."""
    block = np.array([100, 101, 102, 110, 111, 1, 2, 201, 202, 203, 3], dtype="<i2")
    file = File(masks=[mask("0101"), mask("10011"), mask("111011"), mask("10111")])
    file.blocks = [Block(D.INT16, RAW, block.tobytes()), Block(D.INT8, RAW, b"\x2a")]
    file.prototypes = [Values(3, 0), Values(4, 0, presence=0)]
    file.entries = [tensor("a", (2,)), tiled("w", (6,), 2, 0), tensor("x", (), 1), kept("k", (5,), 1)]
    file.entries += [alias("again", 0), tiled("v", (2, 5), 3, 1), tensor("b", (1, 1))]
    v = [0, 110, 0, 0, 0, 110, 0, 111, 0, 110]  # of 0 110 0 111, idle where 0; the mask's bits: 1 0 1 1 1
    return one(
        file,
        expect("a", D.INT16, (2,), np.array([1, 2], dtype="<i2")),
        expect("w", D.INT16, (6,), np.array([100, 101, 102, 0, 101, 102], dtype="<i2")),
        expect("x", D.INT8, (), b"\x2a"),
        expect("k", D.INT16, (5,), np.array([201, 0, 0, 202, 203], dtype="<i2")),
        expect("again", D.INT16, (2,), np.array([1, 2], dtype="<i2")),
        expect("v", D.INT16, (2, 5), np.array(v, dtype="<i2")),
        expect("b", D.INT16, (1, 1), np.array([3], dtype="<i2")),
    )


@valid
def wasteful() -> Valid:
    """What a sensible writer never does: equal blocks and masks unmerged, unsorted, constants at length."""
    same = b"\x01\x00\x00\x00" * 3
    file = File(masks=[mask("111"), mask("111", GAPS_OF_ONES), mask("000", GAPS_OF_ZEROS)])
    file.masks += [Mask(CONSTANT, 3, 3), mask("111", ZSTD_MASK)]
    file.blocks = [
        Block(D.INT32, PALETTE, palette([same[:4], b"\2\0\0\0"], [0, 0, 0], 1)),
        Block(D.INT32, RAW, same),
        Block(D.INT32, PLANES, planes(same * 2, 4, [1, 0, 1, 0])),
        Block(D.INT32, RAW, b""),
        Block(D.INT32, RAW, same[:4]),
    ]
    file.prototypes = [Values(3, 1), Values(1, 4)]
    file.entries = [kept("z", (3,), 0, 2), tensor("a", (3,), 0), kept("m", (3,), 1, 2), kept("e", (3,), 2, 3)]
    file.entries += [tiled("w", (3,), 3, 0), tiled("c", (3,), 4, 1)]
    names = {"z": same, "a": same, "m": same, "e": bytes(12), "w": same, "c": same}
    return one(file, *(expect(name, D.INT32, (3,), data) for name, data in names.items()))
