"""The small parts of a `.pemn` file of the vectors: numbers, frames, gap bytes, planes, palettes.

A number may be given as `bytes`, which then stand in the file as they are; so every field can be made wrong
alone. The sections named are those of `pemn-v1.md`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum

import numpy as np
import zstandard
from numpy.typing import NDArray

Number = int | bytes


Bits = NDArray[np.bool_]


class D(IntEnum):
    """The element types of section 4.8."""

    BOOL = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    UINT32 = 6
    INT32 = 7
    UINT64 = 8
    INT64 = 9
    FLOAT16 = 10
    BFLOAT16 = 11
    FLOAT32 = 12
    FLOAT64 = 13
    COMPLEX32 = 14
    COMPLEX64 = 15
    COMPLEX128 = 16
    FLOAT8_E4M3FN = 17
    FLOAT8_E5M2 = 18
    FLOAT8_E4M3FNUZ = 19
    FLOAT8_E5M2FNUZ = 20
    FLOAT8_E8M0FNU = 21
    FLOAT4_E2M1FN_X2 = 22


SIZES = dict(zip(D, (1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8, 4, 8, 16, 1, 1, 1, 1, 1, 1), strict=True))


def u(value: Number) -> bytes:
    """An unsigned integer in LEB128, or the bytes given instead of one."""
    if isinstance(value, bytes):
        return value
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def u8(value: Number) -> bytes:
    """One byte, or the bytes given instead of it."""
    return value if isinstance(value, bytes) else bytes([value])


def f32(value: float | bytes) -> bytes:
    """A binary32, or its bytes."""
    return value if isinstance(value, bytes) else struct.pack("<f", value)


def utf8(value: str | bytes) -> bytes:
    """The bytes of a text, which need not be valid UTF-8 if given as bytes."""
    return value if isinstance(value, bytes) else value.encode()


def string(value: str | bytes) -> bytes:
    """A `str` of section 1."""
    return u(len(utf8(value))) + utf8(value)


def bits(text: str) -> Bits:
    """Bits written as digits, bit 0 first; anything but 0 and 1 is a separator."""
    return np.array([c == "1" for c in text if c in "01"], dtype=np.bool_)


def pack(values: Bits) -> bytes:
    """Bits in bytes (section 1)."""
    return np.packbits(values, bitorder="little").tobytes()


def zstd(content: bytes, level: int = 3, checksum: bool = False, declared: bool = True) -> bytes:
    """A frame as the zstd library makes it."""
    made = zstandard.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=declared)
    return made.compress(content)


def zstd_block(kind: int, size: int, content: bytes, last: bool = True) -> bytes:
    """A block of a frame (RFC 8878, 3.1.1.2): kind 0 is raw, 1 is one byte repeated `size` times."""
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content


def frame(
    content: bytes,
    *,
    declared: int | None = None,
    size_field: int | None = None,
    window: int | None = None,
    dictionary: bytes = b"",
    reserved: int = 0,
    blocks: bytes | None = None,
) -> bytes:
    """A frame made by hand of raw blocks, so that it is the same with every version of the zstd library.

    `size_field` is the width of the content size (0: left out); without a `window` descriptor the frame is
    of a single segment.
    """
    total = len(content) if declared is None else declared
    if size_field is None:
        size_field = 1 if total < 256 and window is None else 2 if 256 <= total < 65792 else 4
    code = {0: 0, 1: 0, 2: 1, 4: 2, 8: 3}[size_field]
    descriptor = code << 6 | (window is None) << 5 | reserved << 3 | len(dictionary)
    out = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + (b"" if window is None else bytes([window])) + dictionary
    if size_field:
        out += (total - 256 if size_field == 2 else total).to_bytes(size_field, "little")
    if blocks is None:
        pieces = [content[i : i + 1024] for i in range(0, len(content), 1024)] or [b""]
        last = len(pieces) - 1
        blocks = b"".join(zstd_block(0, len(p), p, i == last) for i, p in enumerate(pieces))
    return out + blocks


def gap_bytes(positions: Iterable[int]) -> bytes:
    """The gap bytes of ascending positions (section 5)."""
    out = bytearray()
    before = -1
    for position in positions:
        gap = position - before - 1
        out += b"\xff" * (gap // 255) + bytes([gap % 255])
        before = position
    return bytes(out)


def planes(data: bytes, size: int, methods: Sequence[int]) -> bytes:
    """The payload of coder 2 (section 6), for rotated elements of coder 4; each plane by the method given for it."""
    out = b""
    for j, method in enumerate(methods):
        plane = data[j::size]
        coded = frame(plane)
        out += bytes([method]) + (plane, u(len(coded)) + coded, plane[:1] or b"\x07")[method]
    return out


def rotated(data: bytes, size: int) -> bytes:
    """Elements of `size` bytes, each as one number rotated left by one bit: what the planes of coder 4 hold."""
    top = 8 * size - 1
    numbers = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    return b"".join((n % (1 << top) * 2 + (n >> top)).to_bytes(size, "little") for n in numbers)


def palette(
    values: Sequence[bytes], indices: Sequence[int], method: int, wrap: Callable[[bytes], bytes] = frame
) -> bytes:
    """The payload of coder 3 (section 6); one value has neither method nor indices."""
    count = len(values)
    out = struct.pack("<H", count - 1) + b"".join(values)
    if count == 1:
        return out
    if method == 2:
        return out + b"\x02" + wrap(np.array(indices, dtype="<u1" if count <= 256 else "<u2").tobytes())
    width = (count - 1).bit_length()
    packed = pack(np.array([index >> k & 1 for index in indices for k in range(width)], dtype=np.bool_))
    return out + bytes([method]) + (packed if method == 0 else wrap(packed))
