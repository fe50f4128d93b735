"""Coder 3: few distinct values, and an index for every element (spec section 6).

Signed constants cost one bit an element this way; a permuted random vector log2 of its distinct values.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...common import bits
from ...common import words as w
from ...common.dtypes import DType
from ...common.words import Words
from ...container import frames
from ...container.cursor import Cursor, Payload
from ...errors import PayloadError

MAX_VALUES = 65_536
PACKED, PACKED_ZSTD, BYTES_ZSTD = range(3)
_CHUNK = 1 << 16  # indices that are packed or unpacked at a time; a multiple of 8


def _index_type(values: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u1" if values <= 256 else "<u2")


def encode(words: Words, dtype: DType, limit: int) -> bytes | None:
    if dtype.words_per_element > 1 or not len(words):
        return None
    if len(words) > 2 * MAX_VALUES and len(np.unique(words[: 2 * MAX_VALUES])) > MAX_VALUES:
        return None
    values, indices = np.unique(words, return_inverse=True)
    if len(values) > MAX_VALUES:
        return None
    front = struct.pack("<H", len(values) - 1) + w.to_bytes(values)
    if len(values) == 1:
        return front
    packed = _pack(indices, (len(values) - 1).bit_length())
    shorter = frames.compress_below(packed, len(packed))
    single = indices.astype(_index_type(len(values))).tobytes()
    candidates = (packed, shorter, frames.compress_below(single, min(len(packed), len(shorter))))
    method = min(range(3), key=lambda m: len(candidates[m]))
    return front + bytes([method]) + candidates[method]


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    cursor = Cursor(payload, PayloadError)
    size = cursor.fixed(2, "number of palette values") + 1
    values = w.from_bytes(cursor.take(size * dtype.itemsize, "palette"), dtype)
    if dtype.words_per_element > 1:
        values = values.reshape(size, -1)
    _check_ascending(values)
    if size == 1:
        cursor.end("the palette")
        return np.repeat(values, count, axis=0).reshape(-1)
    method = cursor.fixed(1, "method of the indices")
    data = cursor.take(cursor.remaining, "indices")
    width = (size - 1).bit_length()
    packed_size = bits.byte_length(count * width)
    if method == BYTES_ZSTD:
        kind = _index_type(size)
        whole = np.frombuffer(frames.decompress(data, count * kind.itemsize, "indices", PayloadError), dtype=kind)
        return _chosen(values, count, lambda start, stop: whole[start:stop])
    if method in (PACKED, PACKED_ZSTD):
        if method == PACKED_ZSTD:
            data = frames.decompress(data, packed_size, "indices", PayloadError)
        if len(data) != packed_size:
            raise PayloadError(f"{count} indices of {width} bits in {len(data)} bytes")
        packed = np.frombuffer(data, dtype=np.uint8)
        if not bits.padding_is_zero(packed, count * width):
            raise PayloadError("the padding after the indices is not zero")
        return _chosen(values, count, lambda start, stop: _unpack(packed, width, start, stop))
    raise PayloadError(f"the indices have the unknown method {method}")


def _chosen(values: Words, count: int, indices: Callable[[int, int], NDArray[np.unsignedinteger]]) -> Words:
    """The values of `count` indices, of which those from one number to another are made at a time."""
    out = np.empty((count, *values.shape[1:]), dtype=values.dtype)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        chunk = indices(start, stop)
        most = int(chunk.max())
        if most >= len(values):
            raise PayloadError(f"index {most} in a palette of {len(values)} values")
        np.take(values, chunk, axis=0, out=out[start:stop], mode="clip")
    return out.reshape(-1)


def _check_ascending(values: Words) -> None:
    if values.ndim == 1:
        ascending = bool((values[1:] > values[:-1]).all())
    else:  # the last word is the most significant
        numbers = [int(row[0]) | int(row[1]) << 64 for row in values]
        ascending = all(a < b for a, b in pairwise(numbers))
    if not ascending:
        raise PayloadError("the palette is not in ascending order")


def _pack(indices: NDArray[np.integer], width: int) -> bytes:
    shifts = np.arange(width, dtype=np.uint16)
    parts = []
    for start in range(0, len(indices), _CHUNK):
        chunk = indices[start : start + _CHUNK].astype(np.uint16)
        parts.append(np.packbits(((chunk[:, None] >> shifts) & 1).astype(np.uint8).reshape(-1), bitorder="little"))
    return b"".join(part.tobytes() for part in parts)


def _unpack(packed: NDArray[np.uint8], width: int, start: int, stop: int) -> NDArray[np.uint16]:
    """Indices start … stop − 1; start is a multiple of 8."""
    piece = packed[start * width // 8 : bits.byte_length(stop * width)]
    flags = np.unpackbits(piece, count=(stop - start) * width, bitorder="little").reshape(-1, width)
    indices = np.zeros(stop - start, dtype=np.uint16)
    for bit in range(width):
        indices |= flags[:, bit].astype(np.uint16) << np.uint16(bit)
    return indices
