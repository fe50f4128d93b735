"""Coder 4: byte planes of elements that were rotated left by one bit (spec section 6).

The sign of a float is noise, and its exponent straddles two bytes. Rotated, a byte plane is the exponent and nothing
else: trained weights that were kept by pruning cost 1.2 % less, the vectors of BatchNorm no less than as they are.
"""

from __future__ import annotations

import numpy as np

from ...common.dtypes import DType
from ...common.words import Words
from ...container.cursor import Payload
from . import planes

_CHUNK = 1 << 16  # elements rotated at a time


def encode(words: Words, dtype: DType, limit: int) -> bytes | None:
    if dtype.kind != "float" or dtype.itemsize == 1:
        return None
    return planes.encode(rotate_left(words), dtype, limit)


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    return rotate_right(planes.decode(payload, dtype, count), dtype)


def rotate_left(words: Words) -> Words:
    """Every word, of elements that are one word each, rotated left by one bit."""
    one, rest = words.dtype.type(1), words.dtype.type(8 * words.itemsize - 1)
    rotated: Words = words << one | words >> rest
    return rotated


def rotate_right(words: Words, dtype: DType) -> Words:
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
