"""Coder 4: byte planes of elements that were rotated left by one bit (spec section 6).

The sign of a float is noise, and its exponent straddles two bytes. Rotated, a byte plane is the exponent and nothing
else: trained weights that were kept by pruning cost 1.2 % less, the vectors of BatchNorm no less than as they are.
"""

from __future__ import annotations

from ...common.dtypes import DType
from ...common.words import Words
from ...container.cursor import Payload
from . import planes


def encode(words: Words, dtype: DType, limit: int) -> bytes | None:
    if dtype.kind != "float" or dtype.itemsize == 1:
        return None
    return planes.encode(rotate_left(words), dtype, limit)


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    return planes.decode_rotated(payload, dtype, count, rotated=True)


def rotate_left(words: Words) -> Words:
    """Every word, of elements that are one word each, rotated left by one bit."""
    one, rest = words.dtype.type(1), words.dtype.type(8 * words.itemsize - 1)
    rotated: Words = words << one | words >> rest
    return rotated
