"""Coder 2: byte planes, each raw, zstd or constant (spec section 6).

The exponents of floats repeat and their low mantissa bytes are noise: apart, the first compress and the
others cost nothing extra.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common import kernels
from ...common import words as w
from ...common.dtypes import DType
from ...common.words import Words
from ...container import frames
from ...container.cursor import Cursor, Payload, varint
from ...errors import PayloadError

RAW, ZSTD, CONSTANT = range(3)
_SAMPLE = 1 << 17
_CHUNK = 1 << 16  # elements rotated at a time
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
    return decode_rotated(payload, dtype, count, rotated=False)


def decode_rotated(payload: Payload, dtype: DType, count: int, *, rotated: bool) -> Words:
    """The elements whose planes these are; with `rotated`, each of its words rotated right by one bit."""
    cursor = Cursor(payload, PayloadError)
    data = np.empty((dtype.itemsize, count), dtype=np.uint8)
    for j in range(dtype.itemsize):
        what = f"plane {j}"
        method = cursor.fixed(1, f"method of {what}")
        if method == RAW:
            data[j] = np.frombuffer(cursor.take(count, what), dtype=np.uint8)
        elif method == ZSTD:
            frame = cursor.take(cursor.varint(f"size of {what}"), what)
            data[j] = np.frombuffer(frames.decompress(frame, count, what, PayloadError), dtype=np.uint8)
        elif method == CONSTANT:
            data[j] = cursor.fixed(1, what)
        else:
            raise PayloadError(f"{what} has the unknown method {method}")
    cursor.end("the planes")
    return joined(data, dtype, rotated=rotated)


def joined(planes: NDArray[np.uint8], dtype: DType, *, rotated: bool) -> Words:
    """Elements from their byte planes, shape (itemsize, elements), lowest first; `rotated` as above."""
    if kernels.compiled is not None and dtype.itemsize == dtype.word_bytes > 1:
        words = np.empty(planes.shape[1], dtype=w.word_type(dtype))
        kernels.compiled.join_planes(words, planes.reshape(-1), dtype.itemsize, rotated)
        return words
    words = w.from_byte_rows(np.ascontiguousarray(planes.T), dtype)
    return _rotate_right(words, dtype) if rotated else words


def _rotate_right(words: Words, dtype: DType) -> Words:
    """Every element rotated right by one bit, in place where the words can be changed."""
    words = words if words.flags.writeable else words.copy()
    rotated = words.reshape(-1, dtype.words_per_element)
    one, rest = rotated.dtype.type(1), rotated.dtype.type(8 * rotated.itemsize - 1)
    for start in range(0, len(rotated), _CHUNK):
        chunk = rotated[start : start + _CHUNK]
        # Of two words an element, each gets its highest bit from the other one.
        highest = np.roll(chunk, -1, axis=1) << rest if dtype.words_per_element > 1 else chunk << rest
        np.right_shift(chunk, one, out=chunk)
        np.bitwise_or(chunk, highest, out=chunk)
    return words
