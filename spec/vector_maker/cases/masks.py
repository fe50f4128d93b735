"""The vectors for mask coders 0 to 4 (section 5), and the defects of zstd frames in a payload (sections 1, 5 and 6)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from writer.coders import Bits, D, frame, gap_bytes, palette, u, zstd, zstd_block
from writer.ids import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, PALETTE, PLANES, RAW, RAW_MASK, ZSTD, ZSTD_MASK
from writer.writer import Block, File, Mask, kept, mask

from cases.content import counting, keep
from cases.files import blocked, gaps_file, mask_cases
from cases.rows import PAYLOAD, Row
from cases.valid import Valid, case, same, valid

PATTERNS = ("1011001110001011011", "0" * 9, "1" * 16, "", "1" * 3)


def mask_file(coder: int, *patterns: str) -> Valid:
    """Return a kept layer for every pattern, its mask by the coder."""
    file, layers, start = File(), [], 1
    for i, pattern in enumerate(patterns):
        values = counting(pattern.count("1"), start)
        start += len(values)
        file.masks.append(mask(pattern, coder))
        file.entries.append(kept(f"k{i}", (len(pattern),), i))
        layers.append((f"k{i}", (len(pattern),), keep(pattern, values)))
    file.blocks.append(Block(D.UINT8, RAW, counting(start - 1).tobytes()))
    return same(file, D.UINT8, *layers)


def gap_patterns() -> list[Bits]:
    """Return gaps around 255 with a long tail; and the most gap bytes there can be, 1 + floor(256 / 255)."""
    gaps = (254, 255, 256, 510, 0, 1, 509, 511)
    long = np.zeros(sum(gaps) + len(gaps) + 300, dtype=np.bool_)
    long[list(itertools.accumulate(gaps, lambda before, gap: before + gap + 1, initial=-1))[1:]] = True
    return [long, np.arange(256) == 255]


case("mask_constant", "Masks by coder 0: all zeros, all ones, and no bits.")(
    lambda: mask_file(CONSTANT, "0" * 9, "1" * 13, "")
)
case("mask_raw", "Masks by coder 1, constant ones and one of no bits among them.")(
    lambda: mask_file(RAW_MASK, *PATTERNS)
)
case("mask_zstd", "Masks by coder 2, constant ones and one of no bits among them.")(
    lambda: mask_file(ZSTD_MASK, *PATTERNS)
)
case("mask_gaps_of_ones", "Masks by coder 3, constant ones and one of no bits among them.")(
    lambda: mask_file(GAPS_OF_ONES, *PATTERNS)
)
case("mask_gaps_of_zeros", "Masks by coder 4, constant ones and one of no bits among them.")(
    lambda: mask_file(GAPS_OF_ZEROS, *PATTERNS)
)
case("gaps_long_ones", "Coder 3: gaps of 254, 255, 256, 510 and a long tail; as many gap bytes as are allowed.")(
    lambda: gaps_file(GAPS_OF_ONES, *gap_patterns())
)
case("gaps_long_zeros", "Coder 4: gaps of 254, 255, 256, 510 and a long tail; as many gap bytes as are allowed.")(
    lambda: gaps_file(GAPS_OF_ZEROS, *(~pattern for pattern in gap_patterns()))
)


@valid
def zstd_frames() -> Valid:
    """Zstd frames of every header shape: content size of 1, 2, 4, 8 bytes, window descriptor, many blocks."""
    short, long = np.arange(32) % 3 == 1, np.arange(2400) % 2 == 0
    pieces = zstd_block(0, 0, b"", False) + zstd_block(1, 200, b"U", False) + zstd_block(0, 99, b"U" * 99, False)
    frames: list[tuple[Bits, Callable[[bytes], bytes]]] = [
        (short, lambda raw: frame(raw, size_field=1)),
        (long, lambda raw: frame(raw, size_field=2)),
        (short, lambda raw: frame(raw, size_field=4)),
        (short, lambda raw: frame(raw, size_field=8)),
        (short, lambda raw: frame(raw, size_field=8, window=0)),
        (long, lambda raw: frame(raw, size_field=2, window=0x51)),
        (long, lambda raw: frame(raw, blocks=pieces + zstd_block(1, 1, b"U", False) + zstd_block(0, 0, b""))),
        (long, lambda raw: zstd(raw, 1)),
        (long, lambda raw: zstd(raw, 22, checksum=True)),
        (short, lambda raw: zstd(raw, -5, checksum=True)),
    ]
    return mask_cases([(pattern, mask(pattern, ZSTD_MASK, wrap)) for pattern, wrap in frames])


# --- invalid: frames ----------------------------------------------------------------------------------------

SKIPPABLE = b"\x50\x2a\x4d\x18\x02\x00\x00\x00hi"
# Every way in which the frame of a payload can be wrong, for content of 2 bytes (sections 1, 5 and 6).
FRAMES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "missing": ("is missing", lambda _: b""),
    "magic": ("has another magic number", lambda raw: b"\x27" + frame(raw)[1:]),
    "declares_more": ("declares one byte more than expected, and holds it", lambda raw: frame(raw + b"\0")),
    "declares_less": ("declares one byte less than expected, and holds no more", lambda raw: frame(raw[:-1])),
    "declares_nothing": ("no content size", lambda raw: frame(raw, size_field=0, window=0)),
    "declares_2_48": ("declares 2^48 bytes", lambda raw: frame(raw, declared=1 << 48, size_field=8)),
    "content_short": ("holds one byte less than it declares", lambda raw: frame(raw[:-1], declared=len(raw))),
    "content_long": ("holds one byte more than it declares", lambda raw: frame(raw + b"\0", declared=len(raw))),
    "dictionary": ("has a dictionary id", lambda raw: frame(raw, dictionary=b"\x05")),
    "window": ("wants a window of 2^28 bytes", lambda raw: frame(raw, size_field=4, window=18 << 3)),
    "cannot_hold": ("declares more than its bytes can hold", lambda raw: frame(raw, declared=1 << 24, size_field=4)),
    "reserved_bit": ("has the reserved bit of its descriptor set", lambda raw: frame(raw, reserved=1)),
    "block_type": ("has a block of the reserved type", lambda raw: frame(raw, blocks=zstd_block(3, 2, raw))),
    "not_last": ("ends without a last block", lambda raw: frame(raw, blocks=zstd_block(0, len(raw), raw, False))),
    "cut": ("ends within its last block", lambda raw: frame(raw)[:-1]),
    "cut_header": ("ends within its header", lambda raw: frame(raw)[:5]),
    "trailing": ("is followed by a byte", lambda raw: frame(raw) + b"\0"),
    "second": ("is followed by an empty frame", lambda raw: frame(raw) + frame(b"")),
    "split": ("is two frames that hold one byte each", lambda raw: frame(raw[:1]) + frame(raw[1:])),
    "skippable": ("is followed by a skippable frame", lambda raw: frame(raw) + SKIPPABLE),
    "skippable_before": ("comes after a skippable frame", lambda raw: SKIPPABLE + frame(raw)),
}
# The same for content of no bytes, for which a decoder may be tempted not to look.
EMPTY_FRAMES: dict[str, tuple[str, bytes]] = {
    "missing": ("is missing", b""),
    "magic": ("has another magic number", b"\x27" + frame(b"")[1:]),
    "content_long": ("declares nothing and holds a byte", frame(b"\0", declared=0)),
    "no_block": ("ends after its header", frame(b"", blocks=b"")),
    "trailing": ("is followed by a byte", frame(b"") + b"\0"),
    "second": ("is followed by another", frame(b"") * 2),
    "declares_more": ("declares and holds a byte", frame(b"\0")),
}
OF_GAPS = ("missing", "magic", "declares_nothing", "declares_2_48", "content_short", "dictionary", "trailing", "second")


def masked(coder: int, length: int, ones: int, payload: bytes) -> File:
    """Return a kept layer with this mask."""
    file = File(masks=[Mask(coder, length, ones, payload)], blocks=[Block(D.UINT8, RAW, bytes(ones))])
    file.entries = [kept("k", (length,), 0)]
    return file


def framed(made: bytes) -> bytes:
    """Return a plane by method 1, of this frame."""
    return b"\x01" + u(len(made)) + made


def frame_rows() -> Iterator[Row]:
    """Yield the frames of masks, blocks, planes and palettes."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(name, PAYLOAD, reason, file)

    for name, (reason, wrap) in FRAMES.items():
        file = masked(ZSTD_MASK, 16, 5, mask("0010110001010000", ZSTD_MASK, wrap).payload)
        yield row(f"mask_frame_{name}", f"5: the frame {reason}", file)
        two = wrap(b"\x05\x01")
        yield row(f"block_frame_{name}", f"6: the frame {reason}", blocked(D.INT16, ZSTD, 1, two))
        plane = blocked(D.INT8, PLANES, 2, framed(two))
        yield row(f"plane_frame_{name}", f"6: the frame of a plane {reason}", plane)
        for method, indices in ((1, [0, 1, 2, 1, 0]), (2, [2, 1])):
            payload = palette([b"\x03", b"\x04", b"\x09"], indices, method, wrap)
            file = blocked(D.UINT8, PALETTE, len(indices), payload)
            yield row(f"palette_frame_{method}_{name}", f"6: the frame of the indices {reason}", file)
    for name in OF_GAPS:
        file = masked(GAPS_OF_ONES, 16, 2, mask("0010000001000000", GAPS_OF_ONES, FRAMES[name][1]).payload)
        yield row(f"gaps_frame_{name}", f"5: the frame of the gap bytes {FRAMES[name][0]}", file)
    for name, (reason, payload) in EMPTY_FRAMES.items():
        file = masked(ZSTD_MASK, 0, 0, payload)
        yield row(f"mask_empty_frame_{name}", f"5: the frame for a mask of no bits {reason}", file)
        file = masked(GAPS_OF_ZEROS, 8, 8, payload)
        yield row(f"gaps_empty_frame_{name}", f"5: the frame for no gaps {reason}", file)
        file = blocked(D.INT16, ZSTD, 0, payload)
        yield row(f"block_empty_frame_{name}", f"6: the frame for no elements {reason}", file)


# --- invalid: masks -----------------------------------------------------------------------------------------

# What is wrong with gaps: reason, length, the number of positions, gap bytes.
GAPS = {
    "at_length": ("a position of length", 20, 2, gap_bytes([3, 20])),
    "beyond_length": ("a position far beyond length", 300, 1, b"\xff\xfe"),
    "fewer": ("fewer positions than ones", 20, 3, gap_bytes([3, 7])),
    "more": ("more positions than ones", 600, 2, gap_bytes([3, 7, 11])),
    "none": ("no positions but three ones", 20, 3, b""),
    "any": ("a position but no ones", 600, 0, gap_bytes([3])),
    "open_end": ("the last byte is 255", 600, 2, gap_bytes([3, 7]) + b"\xff"),
    "open_end_only": ("the only position is not ended", 600, 1, b"\xff"),
    "too_many_bytes": ("more gap bytes than positions + floor(length / 255)", 300, 1, b"\xff\x01\x00"),
}


def mask_rows() -> Iterator[Row]:
    """Yield the defects of section 5."""

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
    for kind, coder in (("gaps_of_ones", GAPS_OF_ONES), ("gaps_of_zeros", GAPS_OF_ZEROS)):
        for name, (reason, length, count, raw) in GAPS.items():
            ones = count if coder == GAPS_OF_ONES else length - count
            yield row(f"{kind}_{name}", reason, coder, length, ones, frame(raw))
    bomb = frame(b"", declared=1 << 30, size_field=4, blocks=zstd_block(1, 1 << 17, b"\0", False) * 3)
    yield row("gaps_bomb", "a frame that declares 2^30 gap bytes", GAPS_OF_ONES, 300, 1, bomb)
