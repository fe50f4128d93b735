"""Contents of vectors, as plain arrays of bit patterns, never read from a file."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from writer import numbers
from writer.coders import Bits, bits

Array = NDArray[Any]
ONE, TWO, HALF, MINUS = 0x3F800000, 0x40000000, 0x3F000000, 0x80000000
NAN, INFINITY, LARGEST, SMALLEST_NORMAL = 0x7FC12345, 0x7F800000, 0x7F7FFFFF, 0x00800000
BAD_SCALES = {"zero": 0, "minus_zero": MINUS, "negative": ONE | MINUS, "nan": 0x7FC00000, "infinity": INFINITY}


def noise(count: int, seed: str) -> bytes:
    """Return bytes that look random."""
    return hashlib.shake_256(f"pemn {seed}".encode()).digest(count)


def u4(*values: int) -> Array:
    """Return bit patterns of float32."""
    return np.array(values, dtype="<u4")


def keep(choice: Bits | str, values: Array) -> Array:
    """Return a kept layer: the values at the ones of the choice, zeros elsewhere."""
    choice = bits(choice)
    out = np.zeros(len(choice), dtype=values.dtype)
    out[choice] = values
    return out


def counting(count: int, start: int = 1) -> Array:
    """Return the bytes start, start + 1, ..."""
    return np.arange(start, start + count).astype("<u1")


def tile(prototype: Array, n: int, phase: int = 0) -> Array:
    """Return prototype[(phase + i) mod length] (section 7)."""
    return prototype[(phase + np.arange(n)) % len(prototype)]


def times(values: Array, scale: int) -> Array:
    """Return the scaled values (sections 7 and 8.4), all as bits."""
    return u4(*(numbers.multiply(int(value), scale) for value in values))


def negated(values: Array) -> Array:
    """Return b(i) of zero = 1: the highest bit flipped, but zero where all bits are zero."""
    top = values.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    return np.where(values == 0, values, values ^ top)


def choose(choice: Bits | str, a: Array, b: Array | None = None) -> tuple[Bits, Array]:
    """Return the mask that is stored for a choice of a(i) at each position, without idle bits, and the layer."""
    choice = bits(choice)
    b = np.zeros_like(a) if b is None else b
    return choice[a != b], np.where(choice, a, b)


def all_ones(n: int) -> Bits:
    """Return the mask of nothing but ones."""
    return np.ones(n, dtype=np.bool_)
