"""Array functions that the arithmetic of spec 8.8 and 8.9 needs beside operators, so that it is written once.

Operators of numpy arrays and torch tensors round each result by itself, and take Python's floats as numbers of the
array's own type; the constants are such floats.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

# Of one backend: a numpy array, or a torch tensor.
Array = Any


class Arrays(Protocol):
    """The operations of a backend."""

    def single(self, x: Array) -> Array:
        """As float32, rounded to nearest even."""

    def double(self, x: Array) -> Array:
        """As float64; of a Python float, too."""

    def integer(self, x: Array) -> Array:
        """As int32, the part behind the point cut off."""

    def pattern(self, x: Array) -> Array:
        """The bits of floats, as integers of their size."""

    def of_pattern(self, bits: Array) -> Array:
        """The floats of integers of their size."""

    def where(self, condition: Array, first: Array, second: Array) -> Array:
        """Elements of the first where the condition holds."""

    def sqrt(self, x: Array) -> Array:
        """The square root, rounded to nearest even."""

    def pick(self, table: Sequence[float], rows: Array) -> Array:
        """Rows of a table, as float64."""


class _Numpy:
    def single(self, x: Array) -> Array:
        return np.asarray(x).astype(np.float32)

    def double(self, x: Array) -> Array:
        return np.asarray(x, np.float64)

    def integer(self, x: Array) -> Array:
        return x.astype(np.int32)

    def pattern(self, x: Array) -> Array:
        return x.view(np.int32 if x.dtype == np.float32 else np.int64)

    def of_pattern(self, bits: Array) -> Array:
        return bits.view(np.float32 if bits.dtype == np.int32 else np.float64)

    def where(self, condition: Array, first: Array, second: Array) -> Array:
        return np.where(condition, first, second)

    def sqrt(self, x: Array) -> Array:
        return np.sqrt(x)

    def pick(self, table: Sequence[float], rows: Array) -> Array:
        return np.array(table)[rows]


NUMPY: Arrays = _Numpy()


def single(*patterns: int) -> list[float]:
    """The float32 numbers of these bit patterns."""
    return list(struct.unpack(f"<{len(patterns)}f", struct.pack(f"<{len(patterns)}I", *patterns)))


def double(*patterns: int) -> list[float]:
    """The float64 numbers of these bit patterns."""
    return list(struct.unpack(f"<{len(patterns)}d", struct.pack(f"<{len(patterns)}Q", *patterns)))
