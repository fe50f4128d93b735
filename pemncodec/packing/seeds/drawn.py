"""Elements that a seed makes, for the search, before and after their scale (spec sections 8.8 and 8.9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import float32_of
from ...generators.pytorch import arithmetic
from ...generators.pytorch.mt19937 import Stream
from .target import BLOCK

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """A place where a tensor of `length` elements may have been drawn, and how."""

    stream: Stream
    distribution: str
    offset: int
    length: int


def numbers(place: Place, dialect: str, start: int, stop: int) -> Floats:
    """Return the numbers before scale and low, of elements start … stop − 1; start is a multiple of 16."""
    stream, offset, length = place.stream, place.offset, place.length
    if place.distribution == "uniform":
        return arithmetic.fractions(stream.draws(offset + start, offset + stop))
    if place.distribution == "signs of uniform":
        return arithmetic.signs_of_uniform(stream.draws(offset + start, offset + stop), 1.0)
    tail = length - BLOCK if length % BLOCK else length
    end = min(length // BLOCK * BLOCK, -(-stop // BLOCK) * BLOCK)
    out = np.empty(stop - start, dtype=np.float32)
    signs = place.distribution == "signs of normal"
    made = _normal(stream.draws(offset + start, offset + end), dialect, signs)[: stop - start]
    out[: len(made)] = made
    if stop > tail:
        last = _normal(stream.draws(offset + length, offset + length + BLOCK), dialect, signs)
        first = max(start, tail)
        out[first - start :] = last[first - tail : stop - tail]
    return out


def _normal(draws: NDArray[np.uint32], dialect: str, signs: bool) -> Floats:
    return arithmetic.signs_of_normal(draws, 1.0) if signs else arithmetic.normal(draws, 1.0, dialect)


def scaled(distribution: str, dialect: str, raw: Floats, scale: int, low: int) -> Floats:
    """The elements of the numbers; scale and low are float32 bits."""
    with np.errstate(over="ignore", under="ignore"):
        elements: Floats = (
            arithmetic.interval(raw, float32_of(scale), float32_of(low), dialect)
            if distribution == "uniform"
            else arithmetic.scaled(raw, float32_of(scale))
        )
    return elements
