"""Elements as words: the bits of tensors in unsigned numpy integers, never as numbers.

`Words` is a flat array of uint8, uint16, uint32 or uint64, `dtype.words_per_element` of them an element.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dtypes import DType

Words = NDArray[np.unsignedinteger]

_WORDS: dict[int, np.dtype[np.unsignedinteger]] = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    4: np.dtype(np.uint32),
    8: np.dtype(np.uint64),
}


def word_type(dtype: DType) -> np.dtype[np.unsignedinteger]:
    """The numpy type of the words of `dtype`."""
    return _WORDS[dtype.word_bytes]


def from_bytes(data: bytes | memoryview, dtype: DType) -> Words:
    """Little-endian bytes to words; read-only."""
    words = np.frombuffer(data, dtype=word_type(dtype).newbyteorder("<"))
    return words.astype(word_type(dtype), copy=False)


def to_bytes(words: Words) -> bytes:
    """Words to little-endian bytes."""
    return words.astype(words.dtype.newbyteorder("<"), copy=False).tobytes()


def byte_rows(words: Words, dtype: DType) -> NDArray[np.uint8]:
    """The little-endian bytes of every element, uint8, shape (elements, itemsize); a view where that is possible."""
    little = words.astype(words.dtype.newbyteorder("<"), copy=False)
    return little.view(np.uint8).reshape(-1, dtype.itemsize)


def from_byte_rows(rows: NDArray[np.uint8], dtype: DType) -> Words:
    """The inverse of `byte_rows`."""
    words = rows.reshape(-1).view(word_type(dtype).newbyteorder("<"))
    return words.astype(word_type(dtype), copy=False)


def to_words(array: NDArray[np.generic]) -> Words:
    """The bits of any numpy array, flattened in row-major order."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(_WORDS[min(flat.dtype.itemsize, 8)])


def to_numpy(words: Words, dtype: DType, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Words as the numpy type with the same bits; as words where numpy has no such type."""
    if dtype.numpy_name is None:
        return words.reshape(shape)
    return words.view(dtype.numpy_name).reshape(shape)
