"""Zeros and a permutation of values, from seed and stream (spec section 8.7), in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import LimitError
from . import counter

# The streams of the seed that decide are the prototype's own with one bit flipped.
ZEROS = 1 << 63
PERMUTATION = 1 << 62
MAX_ORDERED = 1 << 32
_CHUNK = 1 << 16  # elements at a time


def _keys(seed: int, stream: int, count: int) -> NDArray[np.uint64]:
    """0 … count − 1 in ascending order of the stream's words, equal words by number.

    Raises:
        LimitError: more than 2^32 numbers.
    """
    if count > MAX_ORDERED:
        raise LimitError(f"a permutation of {count} elements is longer than this decoder sorts ({MAX_ORDERED})")
    # Word and number in one integer sort faster than a stable argsort, and no two are equal.
    keys = np.empty(count, dtype=np.uint64)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        chunk = keys[start:stop]
        np.left_shift(counter.words(start, stop, stream, seed), np.uint64(32), out=chunk, dtype=np.uint64)
        chunk |= np.arange(start, stop, dtype=np.uint64)
    keys.sort()
    keys &= np.uint64(0xFFFFFFFF)
    return keys


def zeros(seed: int, stream: int, period: int, count: int) -> NDArray[np.intp]:
    """The `count` of `period` values that are zero."""
    return _keys(seed, stream ^ ZEROS, period)[:count].astype(np.intp, copy=False)


def permuted(values: NDArray[np.float32], seed: int, stream: int, length: int) -> NDArray[np.float32]:
    """Values that are repeated to a length and permuted."""
    keys = _keys(seed, stream ^ PERMUTATION, length)
    period = np.uint64(len(values))
    # What is found takes the place of half of the keys that have been used: this is what takes most memory.
    found = keys.view(np.float32)
    for start in range(0, length, _CHUNK):
        chunk = keys[start : start + _CHUNK] % period
        found[start : start + len(chunk)] = values[chunk.astype(np.intp, copy=False)]
    return found[:length].copy() if length < 1 << 20 else _shortened(keys, length)


def _shortened(keys: NDArray[np.uint64], length: int) -> NDArray[np.float32]:
    """The first `length` float32 in the memory of the keys, of which the rest is given back."""
    keys.resize(-(-length // 2), refcheck=False)
    return keys.view(np.float32)[:length]
