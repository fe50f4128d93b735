"""Which values are zero and where they go, from seed and stream (spec section 8.7), in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import LimitError
from . import philox

# The streams of the seed that decide are the prototype's own with one bit flipped.
ZEROS = 1 << 63
PERMUTATION = 1 << 62
MAX_ORDERED = 1 << 32


def order(seed: int, stream: int, count: int) -> NDArray[np.intp]:
    """0 … count − 1 in ascending order of the stream's words, equal words by number.

    Raises:
        LimitError: more than 2^32 numbers.
    """
    if count > MAX_ORDERED:
        raise LimitError(f"a permutation of {count} elements is more than this decoder sorts ({MAX_ORDERED})")
    # Word and number in one integer sort faster than a stable argsort, and no two are equal.
    keys = philox.words(0, count, stream, seed).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(count, dtype=np.uint64)
    keys.sort()
    keys &= np.uint64(0xFFFFFFFF)
    return keys.astype(np.intp, copy=False)


def zeros(seed: int, stream: int, period: int, count: int) -> NDArray[np.intp]:
    """The `count` of `period` values that are zero."""
    return order(seed, stream ^ ZEROS, period)[:count]


def permutation(seed: int, stream: int, length: int) -> NDArray[np.intp]:
    """What stands at each of `length` places, before the number is reduced modulo the period."""
    return order(seed, stream ^ PERMUTATION, length)
