"""Dialect, scale and low of what was drawn at a place, exactly: those that the target agrees with best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...container.generators import FUSED
from ..pytorch_numbers import DIALECTS
from .drawn import Floats, Place, numbers, scaled
from .signs import constant
from .target import BLOCK, Target, magnitudes

_SAMPLE = 4096
# Float32 numbers on either side of an estimate that are tried, of one that is looked for alone, and of two.
_AROUND, _BESIDE = 6, 3
_ROUGHLY = 1e-5
_SIGN, _DOUBLED = 1 << 31, 1 << 23


@dataclass(frozen=True)
class Parameters:
    """A dialect, and float32 bits; low is 0 but for a uniform."""

    dialect: str
    scale: int
    low: int = 0


def parameters(target: Target, place: Place) -> Parameters | None:
    """What the first wanted elements agree with best, or None if they were not drawn there."""
    if place.distribution.startswith("signs"):
        scale = constant(target)
        return None if scale is None else Parameters(FUSED, scale)
    positions, values = _sample(target)
    if not len(positions):
        return None
    stop = min(place.length, -(-(int(positions[-1]) + 1) // BLOCK) * BLOCK)
    raw = numbers(place, FUSED, 0, stop)[positions]
    guesses = list(_guesses(place.distribution, raw, values))
    best, chosen = len(values) + 1, None
    for dialect in DIALECTS[place.distribution] if guesses else ():
        if place.distribution == "normal" and dialect != FUSED:
            raw = numbers(place, dialect, 0, stop)[positions]
        for scale, low in guesses:
            made = scaled(place.distribution, dialect, raw, scale, low).view(np.uint32)
            differ = int(np.count_nonzero(made != values.view(np.uint32)))
            if differ < best:
                best, chosen = differ, Parameters(dialect, scale, low)
    return chosen


def _sample(target: Target) -> tuple[NDArray[np.intp], Floats]:
    """The first wanted elements."""
    length = len(target.values)
    stop = min(length, 4 * _SAMPLE)
    while True:
        positions, values = magnitudes(Target(target.name, target.values[:stop], target.wanted[:stop]))
        if len(positions) >= _SAMPLE or stop == length:
            return positions[:_SAMPLE], values[:_SAMPLE]
        stop = min(length, 4 * stop)


def _guesses(distribution: str, raw: Floats, values: Floats) -> Iterator[tuple[int, int]]:
    """Scale and low, the likeliest first."""
    if distribution == "normal":
        factor = _factor(raw.astype(np.float64), values)
        yield from () if factor is None else ((bits, 0) for bits in _around(factor, _AROUND))
        return
    # From -b to b: low is -b, and the scale is the difference, exactly 2 b.
    bound = _factor(2 * raw.astype(np.float64) - 1, values)
    if bound is not None:
        yield from ((bits + _DOUBLED, bits | _SIGN) for bits in _around(bound, _AROUND))
        return
    # From 0 to b, or from -b to 0.
    for sign, numbers_ in ((0, raw.astype(np.float64)), (_SIGN, 1 - raw.astype(np.float64))):
        bound = _factor(numbers_, values if not sign else -values)
        if bound is not None:
            yield from ((bits, bits | sign if sign else 0) for bits in _around(bound, _AROUND))
            return
    yield from _interval(raw, values)


def _factor(numbers_: NDArray[np.float64], values: Floats) -> float | None:
    """What most of the numbers times it make the values, if there is such a number."""
    size = np.abs(numbers_)
    clear = size > min(0.1, float(np.median(size)))
    if not clear.any():
        return None
    quotients = values[clear].astype(np.float64) / numbers_[clear]
    middle = float(np.median(quotients))
    if not 2.0**-120 < middle < 2.0**120:
        return None
    off = np.abs(quotients / middle - 1) > _ROUGHLY
    return middle if np.count_nonzero(off) <= len(off) // 16 else None


def _interval(raw: Floats, values: Floats) -> Iterator[tuple[int, int]]:
    """Scale and low of an interval that may lie anywhere: the line through the points, without what is off it."""
    if len(values) < 3:
        return
    x, y = raw.astype(np.float64), values.astype(np.float64)
    inside = np.ones(len(x), dtype=np.bool_)
    slope = low = 0.0
    order = np.argsort(x, kind="stable")
    thirds = order[: len(x) // 3], order[-(len(x) // 3) :]
    middles = [(float(np.median(x[part])), float(np.median(y[part]))) for part in thirds]
    (x0, y0), (x1, y1) = middles
    if x1 <= x0:
        return
    slope, low = (y1 - y0) / (x1 - x0), y0 - x0 * (y1 - y0) / (x1 - x0)
    for _ in range(4):  # the tolerance is that of the medians at first, and then of the line
        rest = np.abs(y - (low + slope * x))
        inside = rest <= max(4 * float(np.median(rest)), _ROUGHLY * abs(slope))
        if np.count_nonzero(inside) < max(3, len(x) // 2) or not 2.0**-120 < slope < 2.0**120:
            return
        mean_x, mean_y = float(x[inside].mean()), float(y[inside].mean())
        spread = float(((x[inside] - mean_x) ** 2).sum())
        if spread == 0:
            return
        slope = float(((x[inside] - mean_x) * (y[inside] - mean_y)).sum()) / spread
        low = mean_y - slope * mean_x
    if np.count_nonzero(rest > _ROUGHLY * slope) > len(rest) // 16 or not abs(low) < 2.0**120:
        return
    yield from product(_around(slope, _BESIDE), _around(low, _BESIDE))


def _around(estimate: float, count: int) -> list[int]:
    """The bits of float32 numbers around an estimate, the nearest first."""
    near = int(np.float32(estimate).view(np.uint32))
    return sorted(range(near - count, near + count + 1), key=lambda each: abs(each - near))
