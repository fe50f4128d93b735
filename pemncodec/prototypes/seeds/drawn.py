"""What a seed makes, for the search: 24 bits of draws, and elements before and after their scale (spec sections 8.8, 8.9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import cephes, pytorch_numbers
from ..mt19937 import Stream
from .target import BLOCK

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a tensor of `length` elements may have been drawn, and how."""

    stream: Stream
    distribution: str
    offset: int
    length: int


def numbers(place: Place, dialect: str, start: int, stop: int) -> Floats:
    """What scale and low are applied to, for elements start … stop − 1; start is a multiple of 16."""
    stream, offset, length = place.stream, place.offset, place.length
    if place.distribution == "uniform":
        return pytorch_numbers.fractions(stream.draws(offset + start, offset + stop))
    if place.distribution == "signs of uniform":
        return pytorch_numbers.signs_of_uniform(stream.draws(offset + start, offset + stop))
    tail = length - BLOCK if length % BLOCK else length
    end = min(length // BLOCK * BLOCK, -(-stop // BLOCK) * BLOCK)
    out = np.empty(stop - start, dtype=np.float32)
    one = np.float32(1)
    made = pytorch_numbers.normal(stream.draws(offset + start, offset + end), one, dialect)[: stop - start]
    out[: len(made)] = made
    if stop > tail:
        last = pytorch_numbers.normal(stream.draws(offset + length, offset + length + BLOCK), one, dialect)
        first = max(start, tail)
        out[first - start :] = last[first - tail : stop - tail]
    return pytorch_numbers.signs(out, one) if place.distribution == "signs of normal" else out


def scaled(distribution: str, dialect: str, raw: Floats, scale: int, low: int) -> Floats:
    """The elements of the numbers; scale and low are float32 bits."""
    factor, addend = cephes.constant(scale), cephes.constant(low)
    if distribution == "uniform":
        return pytorch_numbers.interval(raw, factor, addend, dialect)
    return cephes.fma(raw, factor, np.float32(0))
