"""Coder 2: byte planes, each raw, zstd or constant (spec section 6).

The exponents of floats repeat and their low mantissa bytes are noise: apart, the first compress and the
others cost nothing extra.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import words as w
from ..container import frames
from ..container.cursor import Cursor, Payload, varint
from ..dtypes import DType
from ..errors import PayloadError
from ..words import Words

RAW, ZSTD, CONSTANT = range(3)
_SAMPLE = 1 << 17


def encode(words: Words, dtype: DType) -> bytes | None:
    if dtype.itemsize == 1 or not len(words):
        return None
    data = np.frombuffer(w.to_bytes(words), dtype=np.uint8).reshape(-1, dtype.itemsize)
    return b"".join(_encode_plane(np.ascontiguousarray(data[:, j])) for j in range(dtype.itemsize))


def _encode_plane(plane: NDArray[np.uint8]) -> bytes:
    if (plane == plane[0]).all():
        return bytes([CONSTANT, int(plane[0])])
    sample = plane[: 2 * _SAMPLE][-_SAMPLE:].tobytes()
    # Noise stays noise: a sample tells before a long plane is compressed for nothing.
    if len(plane) <= _SAMPLE or len(frames.compress(sample)) < 0.995 * len(sample):
        frame = frames.compress(plane.tobytes(), frames.STRONG_LIMIT_OF_VALUES)
        coded = bytes([ZSTD]) + varint(len(frame)) + frame
        if len(coded) < 1 + len(plane):
            return coded
    return bytes([RAW]) + plane.tobytes()


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
    words = data.reshape(-1).view(w.word_type(dtype).newbyteorder("<"))
    return words.astype(w.word_type(dtype), copy=False)
