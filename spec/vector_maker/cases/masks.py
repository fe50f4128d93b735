"""The vectors for mask coders 0 to 4 (section 5), and the defects of zstd frames in a payload (sections 1, 5 and 6).

The vectors are in the table beside this module.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from writer.coders import Bits, D, frame, u, zstd_block
from writer.ids import GAPS_OF_ONES, RAW, ZSTD_MASK
from writer.writer import Block, File, Mask, kept, mask

from cases.content import counting, keep
from cases.files import mask_cases
from cases.valid import Valid, same

SHORT, LONG = np.arange(32) % 3 == 1, np.arange(2400) % 2 == 0
RUN = zstd_block(1, 200, b"U", False)
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


def framed_masks(*rows: tuple[Bits, Callable[[bytes], bytes]]) -> Valid:
    """Return layers that show masks by coder 2, each in a frame of its own."""
    return mask_cases([(pattern, mask(pattern, ZSTD_MASK, wrap)) for pattern, wrap in rows])


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


def with_gaps(coder: int, length: int, positions: int, gaps: bytes) -> File:
    """Return a kept layer whose mask has so many positions and these gap bytes."""
    return masked(coder, length, positions if coder == GAPS_OF_ONES else length - positions, frame(gaps))


def framed(plane: bytes) -> bytes:
    """Return a plane by method 1, whose frame this is."""
    return b"\1" + u(len(plane)) + plane
