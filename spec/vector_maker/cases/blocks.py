"""The vectors for block coders 0 to 3: sections 4.4, 4.8 and 6 of the specification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from writer.coders import SIZES, D, frame, palette, planes, u, zstd
from writer.ids import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, PALETTE, PLANES, RAW, ZSTD, ZSTD_MASK
from writer.writer import Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.files import blobs, blocked
from cases.rows import PAYLOAD, Row, of, put
from cases.valid import Valid, case, expect, one, same, valid

FLAGS = bytes([1, 0, 0, 1, 1])
FORTY = np.arange(40, dtype="<i8").tobytes()
case("block_zstd", "Blocks by coder 1: frames made by hand, at a low level and with a checksum; constant data.")(
    lambda: blobs(
        (D.INT64, ZSTD, zstd(FORTY, 1), FORTY),
        (D.INT64, ZSTD, zstd(FORTY, 19, checksum=True), FORTY),
        (D.INT64, ZSTD, frame(bytes(320)), bytes(320)),
        (D.BOOL, ZSTD, frame(FLAGS), FLAGS),
    )
)


@valid
def block_planes() -> Valid:
    """Every plane method in elements of 1, 2, 4, 8 and 16 bytes, constant planes also by methods 0 and 1."""
    two = np.array([0x0101, 0x0102, 0x01FF], dtype="<u2").tobytes()
    four = np.array([0x3F800000, 0x3F8000FF, 0x3F80AA00], dtype="<u4").tobytes()
    eight = np.array([2**53 + 1, 2**53 + 2**33], dtype="<u8").tobytes()
    sixteen = bytes(16) + bytes(range(8)) + bytes(8)
    rows = (
        (D.UINT8, bytes(range(9)), [0]),
        (D.INT8, bytes(range(9)), [1]),
        (D.FLOAT8_E5M2, b"<<<<", [2]),
        (D.BOOL, b"\1\1\1", [2]),
        (D.BFLOAT16, two, [1, 2]),
        (D.FLOAT32, four, [0, 1, 2, 0]),
        (D.UINT64, eight, [0, 2, 2, 1, 0, 2, 1, 2]),
        (D.COMPLEX128, sixteen, [0, 1] * 4 + [2, 0, 1, 2] * 2),
    )
    return blobs(*((dtype, PLANES, planes(data, SIZES[dtype], methods), data) for dtype, data, methods in rows))


def palette_row(dtype: D, numbers: Sequence[int], indices: Sequence[int], method: int) -> tuple[D, int, bytes, bytes]:
    """Return a block by coder 3 of these values and indices, and its elements."""
    values = [number.to_bytes(SIZES[dtype], "little") for number in numbers]
    return dtype, PALETTE, palette(values, indices, method), b"".join(values[i] for i in indices)


@valid
def block_palette() -> Valid:
    """Palettes of few values by every method; K = 1; K a power of two; values that no index uses."""
    five, order = [0, 3, 0x80, 0x8000, 0xFFFF], [4, 0, 1, 2, 3, 3, 1, 0, 4, 4, 2]
    return blobs(
        *(palette_row(D.FLOAT16, five, order, method) for method in range(3)),
        palette_row(D.FLOAT32, [0x80000000], [0] * 6, 0),
        palette_row(D.BOOL, [0, 1], [0, 1, 1, 0, 1, 1, 1, 0, 1], 0),
        palette_row(D.INT8, [1, 2, 254, 255], [3, 2, 1, 0, 1], 0),
        palette_row(D.UINT8, range(256), [255, 0, 17], 2),
        palette_row(D.UINT8, range(256), [255, 0, 17], 0),
        palette_row(D.INT32, [7, 8, 9], [1, 1, 1], 1),
    )


@valid
def palette_over_256() -> Valid:
    """Palettes of 257 and 300 values: indices of 9 bits or of two bytes."""
    order = [299, 0, 256, 255, 1, 128, 298]
    rows = [palette_row(D.UINT16, [3 * i + 1 for i in range(300)], order, method) for method in range(3)]
    return blobs(*rows, palette_row(D.INT16, [255 * i for i in range(257)], [256, 255, 0], 2))


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
    # v is of 0 110 0 111, idle where 0; the mask's bits: 1 0 1 1 1
    rows: list[tuple[str, tuple[int, ...], list[int]]] = [
        ("a", (2,), [1, 2]),
        ("w", (6,), [100, 101, 102, 0, 101, 102]),
        ("k", (5,), [201, 0, 0, 202, 203]),
    ]
    rows += [("again", (2,), [1, 2]), ("v", (2, 5), [0, 110, 0, 0, 0, 110, 0, 111, 0, 110]), ("b", (1, 1), [3])]
    expected = [expect(name, D.INT16, shape, np.array(values, dtype="<i2")) for name, shape, values in rows]
    expected.insert(2, expect("x", D.INT8, (), b"\x2a"))
    return one(file, *expected)


@valid
def wasteful() -> Valid:
    """What a sensible writer never does: equal blocks and masks unmerged, unsorted, constants at length."""
    one, three = b"\x01\x00\x00\x00", b"\x01\x00\x00\x00" * 3
    file = File(masks=[mask("111"), mask("111", GAPS_OF_ONES), mask("000", GAPS_OF_ZEROS)])
    file.masks += [Mask(CONSTANT, 3, 3), mask("111", ZSTD_MASK)]
    blocks = [(PALETTE, palette([one, b"\2\0\0\0"], [0, 0, 0], 1)), (RAW, three)]
    blocks += [(PLANES, planes(three * 2, 4, [1, 0, 1, 0])), (RAW, b""), (RAW, one)]
    file.blocks = [Block(D.INT32, coder, payload) for coder, payload in blocks]
    file.prototypes = [Values(3, 1), Values(1, 4)]
    file.entries = [kept("z", (3,), 0, 2), tensor("a", (3,), 0), kept("m", (3,), 1, 2), kept("e", (3,), 2, 3)]
    file.entries += [tiled("w", (3,), 3, 0), tiled("c", (3,), 4, 1)]
    return same(file, D.INT32, *((name, (3,), bytes(12) if name == "e" else three) for name in "zamewc"))


# --- invalid ------------------------------------------------------------------------------------------------

PLANE = frame(b"abc")
SIZE = u(len(PLANE))
HEAD = b"\x02\x00\x01"  # of a constant plane, and of a frame
THREE, ORDER = [b"\x01\x00", b"\x02\x00", b"\x00\x01"], [0, 1, 2, 1, 0]
GOOD = palette(THREE, ORDER, 0)
MANY = [number.to_bytes(2, "little") for number in range(300)]
# Planes of three int16 that are no planes, of coder 2 and, with other names, of coder 4.
PLANES_WRONG = {
    "method_3": ("unknown plane method 3", b"\x00abc\x03\x00"),
    "method_255": ("unknown plane method 255", b"\xff\x00\x02\x00"),
    "missing": ("the second plane is missing", b"\x00abc"),
    "nothing": ("a payload of no bytes", b""),
    "left_over": ("a byte after the last plane", b"\x00abc\x02\x00\x00"),
    "left_over_plane": ("a third plane", b"\x00abc\x02\x00\x02\x00"),
    "method_0_short": ("the bytes of a plane run past the end", b"\x02\x00\x00ab"),
    "method_2_short": ("the byte of a constant plane is missing", b"\x00abc\x02"),
    "size_short": ("the size of a frame is one too small", HEAD + u(len(PLANE) - 1) + PLANE),
    "size_long": ("the size of a frame is one too large", HEAD + u(len(PLANE) + 1) + PLANE),
    "size_huge": ("the size of a frame is 2^62", HEAD + u(1 << 62) + PLANE),
    "size_missing": ("the size of a frame is missing", HEAD),
    "size_not_minimal": ("the size of a frame is not minimal", HEAD + bytes([SIZE[0] | 128, 0]) + PLANE),
    "size_too_long": ("the size of a frame takes ten bytes", HEAD + b"\xff" * 9 + b"\x01" + PLANE),
}


def block_rows() -> Iterator[Row]:
    """Yield the defects of section 6."""

    def row(name: str, reason: str, dtype: D, coder: int, count: int, payload: bytes) -> Row:
        return Row(name, PAYLOAD, f"6: {reason}", blocked(dtype, coder, count, payload))

    yield row("block_raw_short", "one byte too few", D.FLOAT32, RAW, 2, bytes(7))
    yield row("block_raw_long", "one byte too many", D.FLOAT32, RAW, 2, bytes(9))
    yield row("block_raw_empty_long", "a byte for no elements", D.INT8, RAW, 0, b"\0")
    bools = {"raw": (RAW, b"\0\2\1"), "zstd": (ZSTD, frame(b"\0\1\xff")), "planes": (PLANES, b"\0\0\1\2")}
    bools |= {"planes_constant": (PLANES, b"\2\2"), "palette": (PALETTE, palette([b"\0", b"\2"], [0, 1, 0], 0))}
    for name, (coder, payload) in bools.items():
        yield row(f"bool_{name}", "4.8: a bool element that is neither 0 nor 1", D.BOOL, coder, 3, payload)
    for name, (reason, payload) in PLANES_WRONG.items():
        yield row(f"planes_{name}", reason, D.INT16, PLANES, 3, payload)

    def indexed(name: str, reason: str, payload: bytes, count: int = 5, dtype: D = D.UINT16) -> Row:
        return row(f"palette_{name}", reason, dtype, PALETTE, count, payload)

    yield indexed("nothing", "a payload of no bytes", b"")
    yield indexed("count_cut", "a payload of one byte", b"\x00")
    yield indexed("values_cut", "the values run past the end", GOOD[:6])
    yield indexed("method_missing", "the method is missing", GOOD[:8])
    yield indexed("equal", "two values are equal", palette([*THREE[:2], THREE[1]], ORDER, 0))
    yield indexed("descending", "values descend", palette([THREE[1], THREE[0], THREE[2]], ORDER, 0))
    as_bytes = palette([THREE[2], *THREE[:2]], ORDER, 0)
    yield indexed("ascending_as_bytes", "values ascend as byte strings, not as integers", as_bytes)
    as_signed = palette([b"\xff", b"\x01"], ORDER[:1], 0)
    yield indexed("ascending_as_signed", "values ascend as signed integers", as_signed, 1, D.INT8)
    for method in range(3):
        yield indexed(f"index_{method}", "an index of K", palette(THREE, [0, 1, 3, 1, 0], method))
    yield indexed("index_bytes", "an index of 255", palette(THREE, [0, 255, 0, 1, 0], 2))
    yield indexed("index_300", "an index of K = 300", palette(MANY, [0, 300, 0, 1, 0], 2))
    yield indexed("index_bits_300", "an index of K = 300", palette(MANY, [0, 300, 0, 1, 0], 0))
    yield indexed("padding", "an unused bit of the indices is 1", GOOD[:-1] + b"\x04")
    yield indexed("padding_zstd", "an unused bit of the indices is 1", palette(THREE, [*ORDER, 1], 1))
    yield indexed("method_3", "unknown method 3", GOOD[:8] + b"\x03" + GOOD[9:])
    yield indexed("method_255", "unknown method 255", GOOD[:8] + b"\xff")
    yield indexed("left_over", "a byte after the indices", GOOD + b"\0")
    yield indexed("short", "a byte of the indices is missing", GOOD[:-1])
    yield indexed("one_value_left_over", "K = 1 and a method", palette(THREE[:1], [], 0) + b"\0")
    wide, narrow = frame(np.array(ORDER, dtype="<u2").tobytes()), frame(bytes(ORDER))
    yield indexed("two_bytes", "K = 3 and indices of two bytes", palette(THREE, ORDER, 2, lambda _: wide))
    yield indexed("one_byte", "K = 300 and indices of one byte", palette(MANY, ORDER, 2, lambda _: narrow))
    shifted = of("tile_simple", put("masks", 0, size=2), put("blocks", 0, size=15))
    yield Row("sizes_shifted", PAYLOAD, "5: a raw mask takes the first byte of the block; the sum is right", shifted)
