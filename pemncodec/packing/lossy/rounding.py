"""Floats to narrower floats: to nearest, ties to even, in integers alone.

Neither the rounding mode nor the flushing of subnormals that a library may have set has a say in the result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import DType
from ...common.words import Words, word_type

Floats = NDArray[np.float64]


class _Format(NamedTuple):
    """An IEEE binary format: a sign, an exponent with `bias`, and `fraction` bits."""

    fraction: int
    bias: int

    @property
    def infinity(self) -> int:
        return 2 * self.bias + 1 << self.fraction

    @property
    def sign(self) -> int:
        return 2 * self.bias + 2 << self.fraction


_FORMATS = {
    "float16": _Format(10, 15),
    "bfloat16": _Format(7, 127),
    "float32": _Format(23, 127),
    "float64": _Format(52, 1023),
}


def narrow(words: Words, source: DType, target: DType) -> Words:
    """Elements of `source` as elements of `target`, rounded once.

    What is too large becomes infinite. A NaN keeps its sign and the upper bits of its payload, and is quiet.

    Args:
        words: the elements, shape (n,).
        source: float32 or float64.
        target: the same type, or a narrower one of float16, bfloat16 and float32.

    Returns:
        Words of `target`, shape (n,).
    """
    if source == target:
        return words
    wide, slim = _FORMATS[source.name], _FORMATS[target.name]
    bits = words.astype(np.int64)  # of float64 the sign bit makes it negative
    negative = bits < 0 if source.itemsize == 8 else (bits & wide.sign) != 0
    magnitude = bits & (wide.sign - 1)
    exponent = magnitude >> wide.fraction
    fraction = magnitude & (1 << wide.fraction) - 1
    significand = np.where(exponent > 0, fraction | 1 << wide.fraction, fraction)
    exponent = np.maximum(exponent, 1) - (wide.bias - slim.bias)
    dropped = wide.fraction - slim.fraction
    # Below the smallest normal number of `target` more bits fall away; beyond two more than there are it is all one.
    shift = np.minimum(dropped + np.maximum(1 - exponent, 0), wide.fraction + 2)
    one = np.int64(1)
    rounded = (significand + (one << shift - 1) - 1 + (significand >> shift & 1)) >> shift
    rounded += np.maximum(exponent, 1) - 1 << slim.fraction  # a carry goes into the exponent, as it should
    rounded = np.minimum(rounded, slim.infinity)
    quiet = slim.infinity | 1 << slim.fraction - 1
    rounded = np.where(magnitude > wide.infinity, quiet | fraction >> dropped, rounded)
    rounded |= np.where(negative, slim.sign, 0)
    return rounded.astype(word_type(target))


def widen(words: Words, dtype: DType) -> Floats:
    """Elements of float16, bfloat16, float32 or float64 as float64, which is exact."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        if dtype.name == "bfloat16":
            return (words.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        return words.view(dtype.name).astype(np.float64)


def is_finite(words: Words, dtype: DType) -> NDArray[np.bool_]:
    """Return flags of the elements that are neither infinite nor NaN, shape (n,)."""
    infinity = words.dtype.type(_FORMATS[dtype.name].infinity)
    finite: NDArray[np.bool_] = (words & infinity) != infinity
    return finite
