"""Dialect, scale and low of what was drawn at a place, exactly: those that the target agrees with best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...container.manifest.pytorch_rows import FUSED
from ...generators.pytorch.arithmetic import DIALECTS
from .drawn import Floats, Place, numbers, scaled
from .signs import constant
from .target import BLOCK, Target, magnitudes

_SAMPLE = 4096
# Float32 numbers on either side of an estimate that are tried, of one that is looked for alone, and of two.
_AROUND, _BESIDE = 6, 3
_ROUGHLY = 1e-5
_SIGN, _DOUBLED = 1 << 31, 1 << 23

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Parameters:
    """A dialect, whether it is the only one, and float32 bits; low is 0 but for a uniform."""

    dialect: str
    sure: bool
    scale: int
    low: int = 0


def parameters(target: Target, place: Place) -> Parameters | None:
    """Return the parameters that the first wanted elements agree with best; None if they were not drawn there."""
    if place.distribution.startswith("signs"):
        scale = constant(target)
        return None if scale is None else Parameters(FUSED, False, scale)
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
                best, chosen = differ, Parameters(dialect, True, scale, low)
            elif differ == best and chosen is not None and dialect != chosen.dialect:
                chosen = replace(chosen, sure=False)
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
    drawn, exact = raw.astype(np.float64), values.astype(np.float64)
    if distribution == "normal":
        yield from ((bits, 0) for bits in _near(_factor(drawn, exact), _AROUND))
    # From -b to b: low is -b, and the scale is the difference, exactly 2 b.
    elif (bound := _factor(2 * drawn - 1, exact)) is not None:
        yield from ((bits + _DOUBLED, bits | _SIGN) for bits in _near(bound, _AROUND))
    elif (bound := _factor(drawn, exact)) is not None:
        yield from ((bits, 0) for bits in _near(bound, _AROUND))
    elif (bound := _factor(1 - drawn, -exact)) is not None:
        yield from ((bits, bits | _SIGN) for bits in _near(bound, _AROUND))
    elif (line := _line(drawn, exact)) is not None:
        yield from product(_near(line[0], _BESIDE), _near(line[1], _BESIDE))


def _factor(drawn: Doubles, exact: Doubles) -> float | None:
    """Return the factor by which most of the numbers make the values; None if there is none."""
    size = np.abs(drawn)
    clear = size > min(0.1, float(np.median(size)))
    if not clear.any():
        return None
    quotients = exact[clear] / drawn[clear]
    middle = float(np.median(quotients))
    if not 2.0**-120 < middle < 2.0**120:
        return None
    off = np.abs(quotients / middle - 1) > _ROUGHLY
    return middle if np.count_nonzero(off) <= len(off) // 16 else None


def _line(drawn: Doubles, exact: Doubles) -> tuple[float, float] | None:
    """Slope and height at 0 of the line through most of the points, if there is one: an interval that lies anywhere."""
    third = len(drawn) // 3
    if third == 0:
        return None
    order = np.argsort(drawn, kind="stable")
    (left, below), (right, above) = (
        (float(np.median(drawn[part])), float(np.median(exact[part]))) for part in (order[:third], order[-third:])
    )
    if not left < right:
        return None
    slope = (above - below) / (right - left)
    low = below - left * slope
    for _ in range(4):  # first those near the line through the medians, and then those near the line through these
        rest = np.abs(exact - (low + slope * drawn))
        inside = rest <= max(4 * float(np.median(rest)), _ROUGHLY * abs(slope))
        middle = float(drawn[inside].mean()), float(exact[inside].mean())
        away = drawn[inside] - middle[0]
        slope = float((away * (exact[inside] - middle[1])).sum()) / max(float((away**2).sum()), 2.0**-60)
        low = middle[1] - slope * middle[0]
    off = np.abs(exact - (low + slope * drawn)) > _ROUGHLY * slope
    sound = 2.0**-120 < slope < 2.0**120 and abs(low) < 2.0**120
    return (slope, low) if sound and np.count_nonzero(off) <= len(off) // 16 else None


def _near(estimate: float | None, count: int) -> list[int]:
    """The bits of float32 numbers around an estimate, if there is one, the nearest first."""
    if estimate is None:
        return []
    near = int(np.float32(estimate).view(np.uint32))
    return sorted(range(max(near - count, 0), near + count + 1), key=lambda each: abs(each - near))
