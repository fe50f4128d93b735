"""What a seed makes, for the search: 24 bits of draws, and elements before and after their scale (spec section 8.8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import cephes, pytorch
from ..mt19937 import Stream
from .target import BLOCK

Floats = NDArray[np.float32]
_LOW = np.uint32(0xFFFFFF)
_HALF = np.uint32(1 << 23)


def bits24(stream: Stream, start: int, stop: int) -> NDArray[np.uint32]:
    """The 24 bits of draws start … stop − 1 that make a float32 number."""
    out = stream.draws(start, max(start, stop))
    out &= _LOW
    return out


def numbers(stream: Stream, distribution: str, offset: int, length: int, start: int, stop: int) -> Floats:
    """What scale and low are applied to, for elements start … stop − 1 of `length`; start is a multiple of 16."""
    if distribution == "uniform":
        return pytorch.fractions(stream.draws(offset + start, offset + stop))
    if distribution == "uniform-signs":
        k = bits24(stream, offset + start, offset + stop)
        return (k > _HALF).astype(np.float32) - (k < _HALF).astype(np.float32)
    tail = length - BLOCK if length % BLOCK else length
    end = min(length // BLOCK * BLOCK, -(-stop // BLOCK) * BLOCK)
    out = np.empty(stop - start, dtype=np.float32)
    made = pytorch.normal(stream.draws(offset + start, offset + end), np.float32(1))[: stop - start]
    out[: len(made)] = made
    if stop > tail:
        last = pytorch.normal(stream.draws(offset + length, offset + length + BLOCK), np.float32(1))
        first = max(start, tail)
        out[first - start :] = last[first - tail : stop - tail]
    return np.sign(out) + np.float32(0) if distribution == "normal-signs" else out


def scaled(distribution: str, raw: Floats, scale: int, low: int) -> Floats:
    """The elements of the numbers; scale and low are float32 bits."""
    factor, addend = cephes.constant(scale), cephes.constant(low)
    if distribution == "uniform":
        return cephes.fma(raw, factor, addend)
    return raw * factor + np.float32(0)
