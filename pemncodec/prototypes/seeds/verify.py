"""The exact scale at an offset, and what differs there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mt19937 import Stream
from .drawn import Floats, numbers, scaled
from .signs import constant
from .target import BLOCK, Found, Target, beyond_chance, magnitudes, tolerated

_SAMPLE = 4096
_PIECE = 1 << 18
# Float32 numbers on either side of the estimate that are tried.
_AROUND = 6
_ROUGHLY = 1e-5


def verify(target: Target, stream: Stream, distribution: str, offset: int, window: int) -> Found | None:
    """What was drawn at the offset, if that is the target."""
    parameters = _parameters(target, stream, distribution, offset)
    if parameters is None:
        return None
    patches = _differences(target, stream, distribution, offset, *parameters)
    wanted = int(np.count_nonzero(target.wanted))
    if patches is None or not beyond_chance(distribution, wanted, len(patches), window):
        return None
    return Found(distribution, offset, *parameters, tuple(patches))


def _parameters(target: Target, stream: Stream, distribution: str, offset: int) -> tuple[int, int] | None:
    """Scale and low that the first wanted elements agree with best."""
    if distribution.endswith("signs"):
        scale = constant(target)
        return None if scale is None else (scale, 0)
    positions, values = _sample(target)
    if not len(positions):
        return None
    stop = min(len(target.values), -(-(int(positions[-1]) + 1) // BLOCK) * BLOCK)
    raw = numbers(stream, distribution, offset, len(target.values), 0, stop)[positions]
    size = np.abs(2 * raw.astype(np.float64) - 1 if distribution == "uniform" else raw.astype(np.float64))
    clear = size > min(0.1, float(np.median(size)))
    if not clear.any():
        return None
    quotients = np.abs(values[clear].astype(np.float64)) / size[clear]
    middle = float(np.median(quotients))
    off = np.abs(quotients / middle - 1) > _ROUGHLY
    if not 2.0**-120 < middle < 2.0**120 or np.count_nonzero(off) > len(off) // 16:
        return None
    return _best(values.view(np.uint32), raw, distribution, middle)


def _sample(target: Target) -> tuple[NDArray[np.intp], Floats]:
    """The first wanted elements."""
    length = len(target.values)
    stop = min(length, 4 * _SAMPLE)
    while True:
        positions, values = magnitudes(Target(target.name, target.values[:stop], target.wanted[:stop]))
        if len(positions) >= _SAMPLE or stop == length:
            return positions[:_SAMPLE], values[:_SAMPLE]
        stop = min(length, 4 * stop)


def _best(bits: NDArray[np.uint32], raw: Floats, distribution: str, middle: float) -> tuple[int, int]:
    near = int(np.float32(middle).view(np.uint32))
    best, parameters = len(bits) + 1, (near, 0)
    for bound in sorted(range(near - _AROUND, near + _AROUND + 1), key=lambda each: abs(each - near)):
        # From -b to b: low is -b, and the scale is the difference, exactly 2 b.
        candidate = (bound + (1 << 23), bound | 1 << 31) if distribution == "uniform" else (bound, 0)
        differ = int(np.count_nonzero(scaled(distribution, raw, *candidate).view(np.uint32) != bits))
        if differ < best:
            best, parameters = differ, candidate
    return parameters


def _differences(
    target: Target, stream: Stream, distribution: str, offset: int, scale: int, low: int
) -> list[tuple[int, int]] | None:
    """Wanted elements that differ, or None for too many."""
    length = len(target.values)
    most = tolerated(int(np.count_nonzero(target.wanted)))
    patches: list[tuple[int, int]] = []
    start, count = 0, 1 << 12
    while start < length:
        stop = min(length, start + count)
        raw = numbers(stream, distribution, offset, length, start, stop)
        made = scaled(distribution, raw, scale, low).view(np.uint32)
        differ = np.flatnonzero((made != target.values[start:stop]) & target.wanted[start:stop])
        if len(patches) + len(differ) > most:
            return None
        patches += [(start + int(at), int(target.values[start + at])) for at in differ]
        start, count = stop, _PIECE
    return patches
