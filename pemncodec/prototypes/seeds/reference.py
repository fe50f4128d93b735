"""The elements of spec section 8.8 from draws; for the search alone, which needs no other part of the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arithmetic import TWO_PI, Floats, log, sine_cosine, times
from .stream import Stream
from .target import BLOCK

PIECE = 1 << 14
_UNIT = np.float32(2.0**-24)
_HALF = np.uint32(1 << 23)


def values(distribution: str, seed: int, offset: int, length: int, scale: int, low: int) -> Floats:
    """All elements.

    Args:
        distribution: "uniform", "normal", "uniform-signs" or "normal-signs".
        seed: of the generator.
        offset: number of the first draw.
        length: how many elements there are.
        scale: float32 bits.
        low: float32 bits; of a uniform distribution.
    """
    raw = numbers(Stream(seed), distribution, offset, length, 0, length)
    return scaled(distribution, raw, scale, low)


def numbers(stream: Stream, distribution: str, offset: int, length: int, start: int, stop: int) -> Floats:
    """What scale and low are applied to, for elements start … stop − 1 of `length`; start is a multiple of 16."""
    if distribution == "uniform":
        return stream.fractions(offset + start, offset + stop).astype(np.float32) * _UNIT
    if distribution == "uniform-signs":
        k = stream.fractions(offset + start, offset + stop)
        return (k > _HALF).astype(np.float32) - (k < _HALF).astype(np.float32)
    tail = length - BLOCK if length % BLOCK else length
    end = min(length // BLOCK * BLOCK, -(-stop // BLOCK) * BLOCK)
    out = np.empty(stop - start, dtype=np.float32)
    made = normal(stream.fractions(offset + start, offset + end))[: stop - start]
    out[: len(made)] = made
    if stop > tail:
        last = normal(stream.fractions(offset + length, offset + length + BLOCK))
        first = max(start, tail)
        out[first - start :] = last[first - tail : stop - tail]
    return np.sign(out) + np.float32(0) if distribution == "normal-signs" else out


def normal(k: NDArray[np.uint32]) -> Floats:
    """Normal numbers of whole blocks of sixteen draws."""
    out = np.empty(len(k), dtype=np.float32)
    for start in range(0, len(k), PIECE):
        v = (k[start : start + PIECE].astype(np.float32) * _UNIT).reshape(-1, 2, 8)
        radius = np.sqrt(np.float32(-2) * log(np.ascontiguousarray(np.float32(1) - v[:, 0])))
        sine, cosine = sine_cosine(np.ascontiguousarray(TWO_PI * v[:, 1]))
        made = out[start : start + PIECE].reshape(-1, 2, 8)
        np.multiply(radius, cosine, out=made[:, 0])
        np.multiply(radius, sine, out=made[:, 1])
    return out


def scaled(distribution: str, raw: Floats, scale: int, low: int) -> Floats:
    """The elements of the numbers."""
    factor, addend = np.array([scale, low], dtype=np.uint32).view(np.float32)
    if distribution != "uniform":
        return times(raw, factor)
    product = raw.astype(np.float64) * np.float64(factor)
    total = product + np.float64(addend)
    back = total - product
    rest = (product - (total - back)) + (np.float64(addend) - back)
    # To odd where not exact: then rounding once more is rounding once.
    even = (total.view(np.int64) & 1) == 0
    moved = np.nextafter(total, np.copysign(np.inf, rest))
    return np.where((rest != 0) & even, moved, total).astype(np.float32)
