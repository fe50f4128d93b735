"""The invalid vectors for sections 5 to 8 of the specification: masks, blocks, layers and generators.

Every row is one defect of a payload whose checksums agree; the class is `payload` throughout.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from writer.coders import (
    CONSTANT,
    GAPS_OF_ONES,
    GAPS_OF_ZEROS,
    PALETTE,
    PLANES,
    RAW,
    RAW_MASK,
    ZSTD,
    ZSTD_MASK,
    D,
    frame,
    gap_bytes,
    palette,
    u,
    zstd_block,
)
from writer.numbers import NORMAL
from writer.writer import Block, File, Generator, Mask, Values, mask, tiled

from cases.generators import generated
from cases.kit import PAYLOAD, Edit, Row, of, put
from cases.shapes import HALF, ONE, TWO, blocked, frames, masked, u4


def mask_rows() -> Iterator[Row]:
    """Section 5."""

    def row(name: str, reason: str, coder: int, length: int, ones: int, payload: bytes) -> Row:
        return Row(f"mask_{name}", PAYLOAD, f"5: {reason}", masked(coder, length, ones, payload))

    yield row("constant_size", "a constant mask with a payload", CONSTANT, 8, 8, b"\xff")
    yield row("constant_mixed", "a constant mask of 3 ones in 8 bits", CONSTANT, 8, 3, b"")
    yield row("raw_short", "one byte too few", RAW_MASK, 9, 3, b"\x07")
    yield row("raw_long", "one byte too many", RAW_MASK, 8, 3, b"\x07\x00")
    yield row("raw_empty_long", "a byte for no bits", RAW_MASK, 0, 0, b"\x00")
    for name, coder, wrap in (("raw", RAW_MASK, bytes), ("zstd", ZSTD_MASK, frame)):
        yield row(f"{name}_padding", "an unused bit that is 1", coder, 11, 3, wrap(b"\x07\x08"))
        yield row(f"{name}_padding_counted", "a one that stands in an unused bit", coder, 11, 4, wrap(b"\x07\x80"))
        yield row(f"{name}_ones_more", "more ones than the manifest says", coder, 11, 3, wrap(b"\x07\x04"))
        yield row(f"{name}_ones_fewer", "fewer ones than the manifest says", coder, 11, 3, wrap(b"\x03\x00"))
    for name, coder in (("gaps_of_ones", GAPS_OF_ONES), ("gaps_of_zeros", GAPS_OF_ZEROS)):

        def gaps(what: str, reason: str, length: int, count: int, raw: bytes) -> Row:
            """A mask of `count` positions."""
            ones = count if coder == GAPS_OF_ONES else length - count  # noqa: B023
            return row(f"{name}_{what}", reason, coder, length, ones, frame(raw))  # noqa: B023

        yield gaps("at_length", "a position of length", 20, 2, gap_bytes([3, 20]))
        yield gaps("beyond_length", "a position far beyond length", 300, 1, b"\xff\xfe")
        yield gaps("fewer", "fewer positions than ones", 20, 3, gap_bytes([3, 7]))
        yield gaps("more", "more positions than ones", 600, 2, gap_bytes([3, 7, 11]))
        yield gaps("none", "no positions but three ones", 20, 3, b"")
        yield gaps("any", "a position but no ones", 600, 0, gap_bytes([3]))
        yield gaps("open_end", "the last byte is 255", 600, 2, gap_bytes([3, 7]) + b"\xff")
        yield gaps("open_end_only", "the only position is not ended", 600, 1, b"\xff")
        yield gaps("too_many_bytes", "more gap bytes than positions + floor(length / 255)", 300, 1, b"\xff\x01\x00")
    bomb = frame(b"", declared=1 << 30, size_field=4, blocks=zstd_block(1, 1 << 17, b"\0", False) * 3)
    yield row("gaps_bomb", "a frame that declares 2^30 gap bytes", GAPS_OF_ONES, 300, 1, bomb)


def blocks() -> Iterator[Row]:
    """Section 6."""

    def row(name: str, reason: str, dtype: D, coder: int, count: int, payload: bytes) -> Row:
        return Row(name, PAYLOAD, f"6: {reason}", blocked(dtype, coder, count, payload))

    yield row("block_raw_short", "one byte too few", D.FLOAT32, RAW, 2, bytes(7))
    yield row("block_raw_long", "one byte too many", D.FLOAT32, RAW, 2, bytes(9))
    yield row("block_raw_empty_long", "a byte for no elements", D.INT8, RAW, 0, b"\0")
    bools = {"raw": (RAW, b"\0\2\1"), "zstd": (ZSTD, frame(b"\0\1\xff")), "planes": (PLANES, b"\0\0\1\2")}
    bools |= {"planes_constant": (PLANES, b"\2\2"), "palette": (PALETTE, palette([b"\0", b"\2"], [0, 1, 0], 0))}
    for name, (coder, payload) in bools.items():
        yield row(f"bool_{name}", "4.8: a bool element that is neither 0 nor 1", D.BOOL, coder, 3, payload)

    def planes(name: str, reason: str, payload: bytes, count: int = 3) -> Row:
        return row(f"planes_{name}", reason, D.INT16, PLANES, count, payload)

    plane = frame(b"abc")
    size = u(len(plane))
    yield planes("method_3", "unknown plane method 3", b"\x00abc\x03\x00")
    yield planes("method_255", "unknown plane method 255", b"\xff\x00\x02\x00")
    yield planes("missing", "the second plane is missing", b"\x00abc")
    yield planes("nothing", "a payload of no bytes", b"")
    yield planes("left_over", "a byte after the last plane", b"\x00abc\x02\x00\x00")
    yield planes("left_over_plane", "a third plane", b"\x00abc\x02\x00\x02\x00")
    yield planes("method_0_short", "the bytes of a plane run past the end", b"\x02\x00\x00ab")
    yield planes("method_2_short", "the byte of a constant plane is missing", b"\x00abc\x02")
    yield planes("size_short", "the size of a frame is one too small", b"\x02\x00\x01" + u(len(plane) - 1) + plane)
    yield planes("size_long", "the size of a frame is one too large", b"\x02\x00\x01" + u(len(plane) + 1) + plane)
    yield planes("size_huge", "the size of a frame is 2^62", b"\x02\x00\x01" + u(1 << 62) + plane)
    yield planes("size_missing", "the size of a frame is missing", b"\x02\x00\x01")
    yield planes(
        "size_not_minimal", "the size of a frame is not minimal", b"\x02\x00\x01" + bytes([size[0] | 128, 0]) + plane
    )
    yield planes(
        "size_too_long", "the size of a frame takes ten bytes", b"\x02\x00\x01" + b"\xff" * 9 + b"\x01" + plane
    )

    def indexed(name: str, reason: str, payload: bytes, count: int = 5, dtype: D = D.UINT16) -> Row:
        return row(f"palette_{name}", reason, dtype, PALETTE, count, payload)

    three = [b"\x01\x00", b"\x02\x00", b"\x00\x01"]
    order = [0, 1, 2, 1, 0]
    yield indexed("nothing", "a payload of no bytes", b"")
    yield indexed("count_cut", "a payload of one byte", b"\x00")
    yield indexed("values_cut", "the values run past the end", palette(three, order, 0)[:6])
    yield indexed("method_missing", "the method is missing", palette(three, order, 0)[:8])
    yield indexed("equal", "two values are equal", palette([*three[:2], three[1]], order, 0))
    yield indexed("descending", "values descend", palette([three[1], three[0], three[2]], order, 0))
    yield indexed(
        "ascending_as_bytes",
        "values ascend as byte strings, not as integers",
        palette([three[2], three[0], three[1]], order, 0),
    )
    yield indexed(
        "ascending_as_signed", "values ascend as signed integers", palette([b"\xff", b"\x01"], order[:1], 0), 1, D.INT8
    )
    for method in range(3):
        yield indexed(f"index_{method}", "an index of K", palette(three, [0, 1, 3, 1, 0], method))
    yield indexed("index_bytes", "an index of 255", palette(three, [0, 255, 0, 1, 0], 2))
    many = [number.to_bytes(2, "little") for number in range(300)]
    yield indexed("index_300", "an index of K = 300", palette(many, [0, 300, 0, 1, 0], 2))
    yield indexed("index_bits_300", "an index of K = 300", palette(many, [0, 300, 0, 1, 0], 0))
    yield indexed("padding", "an unused bit of the indices is 1", palette(three, order, 0)[:-1] + b"\x04")
    yield indexed("padding_zstd", "an unused bit of the indices is 1", palette(three, [*order, 1], 1))
    yield indexed("method_3", "unknown method 3", palette(three, order, 0)[:8] + b"\x03" + palette(three, order, 0)[9:])
    yield indexed("method_255", "unknown method 255", palette(three, order, 0)[:8] + b"\xff")
    yield indexed("left_over", "a byte after the indices", palette(three, order, 0) + b"\0")
    yield indexed("short", "a byte of the indices is missing", palette(three, order, 0)[:-1])
    yield indexed("one_value_left_over", "K = 1 and a method", palette(three[:1], [], 0) + b"\0")
    wide = np.array(order, dtype="<u2").tobytes()
    narrow = bytes(order)
    yield indexed("two_bytes", "K = 3 and indices of two bytes", palette(three, order, 2, lambda _: frame(wide)))
    yield indexed("one_byte", "K = 300 and indices of one byte", palette(many, order, 2, lambda _: frame(narrow)))
    shifted = of("tile_simple", put("masks", 0, size=2), put("blocks", 0, size=15))
    yield Row("sizes_shifted", PAYLOAD, "5: a raw mask takes the first byte of the block; the sum is right", shifted)


def layers() -> Iterator[Row]:
    """Section 7."""

    def row(name: str, reason: str, base: str, *edits: Edit) -> Row:
        return Row(name, PAYLOAD, f"7: {reason}", of(base, *edits))

    def with_mask(values: list[int], pattern: str, zero: int = 0, scale: bytes | None = None) -> File:
        """A layer of eight elements."""
        file = File(masks=[mask(pattern)], blocks=[Block(D.FLOAT32, RAW, u4(*values).tobytes())])
        file.prototypes = [Values(len(values), 0)]
        file.entries = [tiled("w", (8,), 0, zero=zero, scale=scale)]
        return file

    zeros = [ONE, 0, TWO, HALF]
    yield row(
        "tiled_mask_short",
        "a mask of one bit too few",
        "tile_simple",
        put("masks", 0, length=5, ones=3, payload=b"\x0d"),
    )
    yield Row(
        "tiled_mask_not_idle", PAYLOAD, "7: a bit for every element although two are idle", with_mask(zeros, "10111011")
    )
    yield Row(
        "tiled_mask_too_idle",
        PAYLOAD,
        "7: one bit fewer than there are positions that are not idle",
        with_mask(zeros, "10110"),
    )
    yield Row(
        "tiled_mask_minus_zero",
        PAYLOAD,
        "7: -0.0 is not idle, but has no bit",
        with_mask([ONE, 1 << 31, TWO, HALF], "101101"),
    )
    yield Row(
        "tiled_mask_negated",
        PAYLOAD,
        "7: with negated zeros +0.0 is idle, but has a bit",
        with_mask(zeros, "10111011", 1),
    )
    tiny = b"\x01\0\0\0"
    yield Row(
        "tiled_mask_underflow",
        PAYLOAD,
        "7: 0.25 x 2^-149 is +0.0, so it is idle, but has a bit",
        with_mask([0x3E800000, TWO], "10101010", 0, tiny),
    )
    yield row(
        "second_mask_long",
        "a bit more than there are positions where the two prototypes differ",
        "zero_second_same",
        put("masks", 0, coder=CONSTANT, length=1, ones=1, payload=b""),
    )
    double = b"\0\0\0\x40"
    for name, value in (("infinity", 0x7F800000), ("minus_infinity", 0xFF800000), ("nan", 0x7FC00000)):
        yield Row(
            f"scaled_{name}",
            PAYLOAD,
            f"7: {name} in the prototype of a scaled layer",
            with_mask([ONE, value], "1" * 8, 0, double),
        )
    for name, value in (("overflow", 0x7F7FFFFF), ("overflow_negative", 0xFF000000)):
        yield Row(
            f"scaled_{name}", PAYLOAD, "7: a scaled value is infinite", with_mask([ONE, value], "1" * 8, 0, double)
        )
    rounding = b"\x01\0\x80\x3f"
    yield Row(
        "scaled_overflow_rounding",
        PAYLOAD,
        "8.4: a scaled value is infinite only after rounding",
        with_mask([ONE, 0x7F7FFFFF], "1" * 8, 0, rounding),
    )
    long = [ONE] * 9
    for name, value in (("infinity", 0x7F800000), ("overflow", 0x7F7FFFFF)):
        yield Row(
            f"scaled_{name}_out_of_reach",
            PAYLOAD,
            f"7: {name} in an element that the layer does not reach",
            with_mask([*long, value], "1" * 8, 0, double),
        )
        second = File(masks=[mask("0" * 8)])
        second.blocks = [Block(D.FLOAT32, RAW, u4(ONE, TWO, value).tobytes())]
        second.prototypes = [Values(1, 0), Values(2, 0)]
        second.entries = [tiled("w", (8,), 0, 0, zero=2, second=1, scale=double)]
        yield Row(f"scaled_{name}_second", PAYLOAD, f"7: {name} in the scaled second prototype", second)


def generators() -> Iterator[Row]:
    """Section 8."""

    def made(generator: Generator) -> File:
        length = generator.length
        assert isinstance(length, int)
        file = File(masks=[Mask(CONSTANT, length, length)], prototypes=[generator])
        file.entries = [tiled("w", (length,), 0)]
        return file

    for distribution in (1, 2, 3):
        good = generated(distribution, 5, 6, ONE, 20)[0]
        good.digest ^= 1
        yield Row(f"digest_{distribution}", PAYLOAD, "8.5: another digest", made(good))
    patched = generated(3, 5, 6, ONE, 20, {3: TWO})[0]
    patched.digest = generated(3, 5, 6, ONE, 20)[0].digest
    yield Row("digest_without_patches", PAYLOAD, "8.5: the digest of the elements without patches", made(patched))
    yield Row("digest_zero", PAYLOAD, "8.5: a digest of 0", made(Generator(20, NORMAL, 5, 6, ONE, {}, 0)))
    overflow = generated(NORMAL, 5, 6, 0x7F7FFFFF, 64)[0]
    yield Row("generator_overflow", PAYLOAD, "8.4: elements that are infinite", made(overflow))


def payload_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    for group in (frames, mask_rows, blocks, layers, generators):
        yield from group()
