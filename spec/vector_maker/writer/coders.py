"""The small parts of a `.pemn` file of the vectors: numbers, frames, gap bytes, planes, palettes.

A number may be given as `bytes`, which then stand in the file as they are; so every field can be made wrong
alone. The sections named are those of `pemn-v1.md`.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum

import numpy as np
import zstandard
from numpy.typing import NDArray

Number = int | bytes
Bits = NDArray[np.bool_]


# The element types of section 4.8, from 1.
D = IntEnum(
    "D",
    "BOOL UINT8 INT8 UINT16 INT16 UINT32 INT32 UINT64 INT64 FLOAT16 BFLOAT16 FLOAT32 FLOAT64 COMPLEX32 COMPLEX64 "
    "COMPLEX128 FLOAT8_E4M3FN FLOAT8_E5M2 FLOAT8_E4M3FNUZ FLOAT8_E5M2FNUZ FLOAT8_E8M0FNU FLOAT4_E2M1FN_X2",
)
SIZES = dict(zip(D, (1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8, 4, 8, 16, 1, 1, 1, 1, 1, 1), strict=True))


def u(value: Number) -> bytes:
    """Return an unsigned integer in LEB128, or the bytes given instead of one."""
    if isinstance(value, bytes):
        return value
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def fixed(kind: str) -> Callable[[float | bytes], bytes]:
    """Return what writes a number of this format of `struct`, or the bytes given instead of one."""
    return lambda value: value if isinstance(value, bytes) else struct.pack(kind, value)


u8, u32, f32 = map(fixed, ("<B", "<I", "<f"))


def utf8(value: str | bytes) -> bytes:
    """Return the bytes of a text, which need not be valid UTF-8 if given as bytes."""
    return value if isinstance(value, bytes) else value.encode()


def string(value: str | bytes) -> bytes:
    """Return a `str` of section 1."""
    return u(len(utf8(value))) + utf8(value)


def bits(values: Bits | str) -> Bits:
    """Return bits, which may be written as digits, bit 0 first; anything but 0 and 1 is a separator."""
    return np.array([c == "1" for c in values if c in "01"], dtype=np.bool_) if isinstance(values, str) else values


def pack(values: Bits) -> bytes:
    """Return bits in bytes (section 1)."""
    return np.packbits(values, bitorder="little").tobytes()


def zstd(content: bytes, level: int = 3, checksum: bool = False, declared: bool = True) -> bytes:
    """Return a frame as the zstd library makes it."""
    return zstandard.ZstdCompressor(level, write_checksum=checksum, write_content_size=declared).compress(content)


def zstd_block(kind: int, size: int, content: bytes, last: bool = True) -> bytes:
    """Return a block of a frame (RFC 8878, 3.1.1.2): kind 0 is raw, 1 is one byte repeated `size` times."""
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content


def frame(
    content: bytes,
    declared: int | None = None,
    size_field: int | None = None,
    window: int | None = None,
    dictionary: bytes = b"",
    reserved: int = 0,
    blocks: bytes | None = None,
) -> bytes:
    """Return a frame made by hand of raw blocks, so that it is the same with every version of the zstd library.

    `size_field` is the width of the content size (0: left out); without a `window` descriptor the frame is
    of a single segment.
    """
    total = len(content) if declared is None else declared
    if size_field is None:
        size_field = 1 if total < 256 and window is None else 2 if 256 <= total < 65792 else 4
    code = max(size_field.bit_length() - 1, 0)
    descriptor = code << 6 | (window is None) << 5 | reserved << 3 | len(dictionary)
    out = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + (b"" if window is None else bytes([window])) + dictionary
    if size_field:
        out += (total - 256 if size_field == 2 else total).to_bytes(size_field, "little")
    if blocks is None:
        pieces = [content[i : i + 1024] for i in range(0, len(content), 1024)] or [b""]
        blocks = b"".join(zstd_block(0, len(p), p, i == len(pieces)) for i, p in enumerate(pieces, 1))
    return out + blocks


def gap_bytes(positions: Iterable[int]) -> bytes:
    """Return the gap bytes of ascending positions (section 5)."""
    gaps = (b - a - 1 for a, b in itertools.pairwise([-1, *positions]))
    return b"".join(b"\xff" * (gap // 255) + bytes([gap % 255]) for gap in gaps)


def planes(data: bytes, size: int, methods: Sequence[int]) -> bytes:
    """Return the payload of coder 2 (section 6), or for rotated elements of coder 4; each plane by its method."""
    out = b""
    for j, method in enumerate(methods):
        plane = data[j::size]
        coded = frame(plane)
        out += bytes([method]) + (plane, u(len(coded)) + coded, plane[:1] or b"\x07")[method]
    return out


def rotated(data: bytes, size: int) -> bytes:
    """Return elements of `size` bytes, each as one number rotated left by one bit: what the planes of coder 4 hold."""
    top = 8 * size - 1
    numbers = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    return b"".join((n % (1 << top) * 2 + (n >> top)).to_bytes(size, "little") for n in numbers)


def palette(
    values: Sequence[bytes], indices: Sequence[int], method: int, wrap: Callable[[bytes], bytes] = frame
) -> bytes:
    """Return the payload of coder 3 (section 6); one value has neither method nor indices."""
    count = len(values)
    out = struct.pack("<H", count - 1) + b"".join(values)
    if count == 1:
        return out
    if method == 2:
        return out + b"\x02" + wrap(np.array(indices, dtype="<u1" if count <= 256 else "<u2").tobytes())
    width = (count - 1).bit_length()
    packed = pack(np.array([index >> k & 1 for index in indices for k in range(width)], dtype=np.bool_))
    return out + bytes([method]) + (packed if method == 0 else wrap(packed))
