"""Coder 2: byte planes, each raw, zstd or constant (spec section 6).

The exponents of floats repeat and their low mantissa bytes are noise: apart, the first compress and the
others cost nothing extra.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common import words as w
from ...common.dtypes import DType
from ...common.words import Words
from ...container import frames
from ...container.cursor import Cursor, Payload, varint
from ...errors import PayloadError

RAW, ZSTD, CONSTANT = range(3)
_SAMPLE = 1 << 17
# What the strong level of zstd gains at most: 8 % was seen on exponents.
STRONG_GAIN = 0.12


def encode(words: Words, dtype: DType, limit: int) -> bytes | None:
    if dtype.itemsize == 1 or not len(words):
        return None
    data = w.byte_rows(words, dtype)
    planes = [np.ascontiguousarray(data[:, j]) for j in range(dtype.itemsize)]
    weak = [_encode_plane(plane) for plane in planes]
    size = sum(map(len, weak))
    hopeful = STRONG_GAIN * sum(len(coded) for coded in weak if coded[0] == ZSTD)
    if len(words) > _SAMPLE // 2 and size - hopeful > limit:
        return None
    return b"".join(_search(plane, coded) for plane, coded in zip(planes, weak, strict=True))


def _encode_plane(plane: NDArray[np.uint8]) -> bytes:
    if (plane == plane[0]).all():
        return bytes([CONSTANT, int(plane[0])])
    sample = plane[: 2 * _SAMPLE][-_SAMPLE:].tobytes()
    # Noise stays noise: a sample tells before a long plane is compressed for nothing.
    if len(plane) <= _SAMPLE or len(frames.compress(sample, 0)) < 0.995 * len(sample):
        coded = _framed(frames.compress(plane.tobytes(), 0))
        if len(coded) < 1 + len(plane):
            return coded
    return bytes([RAW]) + plane.tobytes()


def _search(plane: NDArray[np.uint8], coded: bytes) -> bytes:
    """The plane by the strong level of zstd, where that can be and is smaller."""
    if coded[0] == CONSTANT or len(plane) > (_SAMPLE if coded[0] == RAW else frames.STRONG_LIMIT_OF_VALUES):
        return coded
    return min(coded, _framed(frames.strong(plane.tobytes())), key=len)


def _framed(frame: bytes) -> bytes:
    return bytes([ZSTD]) + varint(len(frame)) + frame


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    cursor = Cursor(payload, PayloadError)
    data = np.empty((count, dtype.itemsize), dtype=np.uint8)
    for j in range(dtype.itemsize):
        what = f"plane {j}"
        method = cursor.fixed(1, f"method of {what}")
        if method == RAW:
            data[:, j] = np.frombuffer(cursor.take(count, what), dtype=np.uint8)
        elif method == ZSTD:
            frame = cursor.take(cursor.varint(f"size of {what}"), what)
            data[:, j] = np.frombuffer(frames.decompress(frame, count, what, PayloadError), dtype=np.uint8)
        elif method == CONSTANT:
            data[:, j] = cursor.fixed(1, what)
        else:
            raise PayloadError(f"{what} has the unknown method {method}")
    cursor.end("the planes")
    return w.from_byte_rows(data, dtype)
