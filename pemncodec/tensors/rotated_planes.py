"""Coder 4: byte planes of elements that were rotated left by one bit (spec section 6).

The sign of a float is noise, and its exponent straddles two bytes. Rotated, a byte plane is the exponent and nothing
else: trained weights that were kept by pruning cost 1.2 % less, the vectors of BatchNorm no less than as they are.
"""

from __future__ import annotations

import numpy as np

from ..container.cursor import Payload
from ..dtypes import DType
from ..words import Words
from . import planes


def encode(words: Words, dtype: DType, limit: int) -> bytes | None:
    if dtype.kind != "float" or dtype.itemsize == 1:
        return None
    one, rest = words.dtype.type(1), words.dtype.type(8 * words.itemsize - 1)
    return planes.encode(words << one | words >> rest, dtype, limit)  # floats are one word each


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    rotated = planes.decode(payload, dtype, count).reshape(count, dtype.words_per_element)
    one, rest = rotated.dtype.type(1), rotated.dtype.type(8 * rotated.itemsize - 1)
    # Of two words an element, each gets its highest bit from the other one.
    words: Words = rotated >> one | np.roll(rotated, -1, axis=1) << rest
    return words.reshape(-1)
