"""The invalid vectors for the zstd frames in a payload (sections 1, 5 and 6 of the specification).

Every row is one defect of a frame; the class is `payload` throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from writer import numbers
from writer.coders import (
    GAPS_OF_ONES,
    GAPS_OF_ZEROS,
    PALETTE,
    PLANES,
    RAW,
    ZSTD,
    ZSTD_MASK,
    Bits,
    D,
    bits,
    frame,
    palette,
    u,
    zstd_block,
)
from writer.writer import Block, File, Mask, Values, kept, mask, tensor, tiled

from cases.kit import PAYLOAD, Array, Expected, Row, Valid, expect, one

ONE, TWO, HALF, MINUS = 0x3F800000, 0x40000000, 0x3F000000, 0x80000000


def u4(*values: int) -> Array:
    """Bit patterns of float32."""
    return np.array(values, dtype="<u4")


def tile(prototype: Array, n: int, phase: int = 0) -> Array:
    """prototype[(phase + i) mod length] (section 7)."""
    return prototype[(phase + np.arange(n)) % len(prototype)]


def times(values: Array, scale: int) -> Array:
    """The scaled values (sections 7 and 8.4), all as bits."""
    return u4(*(numbers.multiply(int(value), scale) for value in values))


def negated(values: Array) -> Array:
    """b(i) of zero = 1: the highest bit flipped, but zero where all bits are zero."""
    top = values.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    return np.where(values == 0, values, values ^ top)


def choose(choice: Bits | str, a: Array, b: Array | None = None) -> tuple[Bits, Array]:
    """The mask that is stored for a choice of a(i) at each position, without idle bits, and the layer."""
    choice = bits(choice) if isinstance(choice, str) else choice
    b = np.zeros_like(a) if b is None else b
    return choice[a != b], np.where(choice, a, b)


@dataclass
class Builder:
    """A file of tiled layers over blocks of one dtype, and what it holds."""

    dtype: D = D.FLOAT32
    file: File = field(default_factory=File)
    expected: list[Expected] = field(default_factory=list)

    def prototype(self, values: Array) -> int:
        """A prototype in a raw block of its own."""
        self.file.blocks.append(Block(self.dtype, RAW, values.tobytes()))
        self.file.prototypes.append(Values(len(values), len(self.file.blocks) - 1))
        return len(self.file.prototypes) - 1

    def layer(
        self,
        shape: Sequence[int],
        choice: Bits | str,
        a: Array,
        b: Array | None = None,
        *,
        prototype: int = 0,
        phase: int = 0,
        zero: int = 0,
        scale: int | None = None,
        second: int = 0,
        second_phase: int = 0,
    ) -> None:
        """A tiled layer of the fields given that holds a where the choice is one, else b."""
        stored, full = choose(choice, a, b)
        name = f"layer{len(self.expected)}.weight"
        entry = tiled(name, shape, len(self.file.masks), prototype, phase, zero=zero)
        entry.scale = None if scale is None else scale.to_bytes(4, "little")
        entry.second, entry.second_phase = second, second_phase
        self.file.masks.append(mask(stored))
        self.file.entries.append(entry)
        self.expected.append(expect(name, self.dtype, shape, full))

    def done(self) -> Valid:
        """The case, when all layers are there."""
        return one(self.file, *self.expected)


SKIPPABLE = b"\x50\x2a\x4d\x18\x02\x00\x00\x00hi"


def masked(coder: int, length: int, ones: int, payload: bytes) -> File:
    """A kept layer with this mask."""
    file = File(masks=[Mask(coder, length, ones, payload)], blocks=[Block(D.UINT8, RAW, bytes(ones))])
    file.entries = [kept("k", (length,), 0)]
    return file


def blocked(dtype: D, coder: int, count: int, payload: bytes) -> File:
    """A tensor in this block."""
    return File(blocks=[Block(dtype, coder, payload)], entries=[tensor("t", (count,))])


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


def frames() -> Iterator[Row]:
    """The frames of masks, blocks, planes and palettes."""
    for name, (reason, wrap) in FRAMES.items():
        made = mask("0010110001010000", ZSTD_MASK, wrap)
        yield Row(f"mask_frame_{name}", PAYLOAD, f"5: the frame {reason}", masked(ZSTD_MASK, 16, 5, made.payload))
        yield Row(
            f"block_frame_{name}", PAYLOAD, f"6: the frame {reason}", blocked(D.INT16, ZSTD, 1, wrap(b"\x05\x01"))
        )
        plane = wrap(b"\x05\x01")
        yield Row(
            f"plane_frame_{name}",
            PAYLOAD,
            f"6: the frame of a plane {reason}",
            blocked(D.INT8, PLANES, 2, b"\x01" + u(len(plane)) + plane),
        )
        for method, indices in ((1, [0, 1, 2, 1, 0]), (2, [2, 1])):
            payload = palette([b"\x03", b"\x04", b"\x09"], indices, method, wrap)
            yield Row(
                f"palette_frame_{method}_{name}",
                PAYLOAD,
                f"6: the frame of the indices {reason}",
                blocked(D.UINT8, PALETTE, len(indices), payload),
            )
    for name in (
        "missing",
        "magic",
        "declares_nothing",
        "declares_2_48",
        "content_short",
        "dictionary",
        "trailing",
        "second",
    ):
        reason, wrap = FRAMES[name]
        made = mask("0010000001000000", GAPS_OF_ONES, wrap)
        yield Row(
            f"gaps_frame_{name}",
            PAYLOAD,
            f"5: the frame of the gap bytes {reason}",
            masked(GAPS_OF_ONES, 16, 2, made.payload),
        )
    for name, (reason, payload) in EMPTY_FRAMES.items():
        yield Row(
            f"mask_empty_frame_{name}",
            PAYLOAD,
            f"5: the frame for a mask of no bits {reason}",
            masked(ZSTD_MASK, 0, 0, payload),
        )
        yield Row(
            f"gaps_empty_frame_{name}",
            PAYLOAD,
            f"5: the frame for no gaps {reason}",
            masked(GAPS_OF_ZEROS, 8, 8, payload),
        )
        yield Row(
            f"block_empty_frame_{name}",
            PAYLOAD,
            f"6: the frame for no elements {reason}",
            blocked(D.INT16, ZSTD, 0, payload),
        )
