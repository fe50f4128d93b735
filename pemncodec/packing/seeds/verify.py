"""The exact draws at a place, and the elements of a target that differ from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import float32_of
from ...container.manifest.patches import Patches
from .drawn import Place, numbers, scaled
from .parameters import Parameters, parameters
from .target import Found, Target, beyond_chance, tolerated

_FIRST, _PIECE = 1 << 12, 1 << 18
# An element differs in its last places only if it is so near, in units of the scale and of itself.
_NEAR = 2.0**-20


@dataclass
class _Differences:
    """Counts so far, and places."""

    others: int
    near: int
    indices: list[NDArray[np.int64]]
    words: list[NDArray[np.uint32]]

    def patches(self) -> Patches:
        """Index, and what the bits of the target are more."""
        if not self.indices:
            return Patches()
        return Patches.of(np.concatenate(self.indices).tolist(), np.concatenate(self.words).tolist())


def verify(target: Target, place: Place, window: int) -> Found | None:
    """Return the draws at the place, if they are the target."""
    drawn = parameters(target, place)
    if drawn is None:
        return None
    differences = _differences(target, place, drawn)
    wanted = int(np.count_nonzero(target.wanted))
    if differences is None or not beyond_chance(
        place.distribution, wanted, differences.others, window, differences.near
    ):
        return None
    offset, patches = place.offset, differences.patches()
    return Found(place.distribution, drawn.dialect, drawn.sure, offset, drawn.scale, drawn.low, patches)


def _differences(target: Target, place: Place, drawn: Parameters) -> _Differences | None:
    """Wanted elements that differ, or None for too many."""
    wanted = int(np.count_nonzero(target.wanted))
    found = _Differences(0, 0, [], [])
    start, count = 0, _FIRST
    while start < place.length:
        stop = min(place.length, start + count)
        raw = numbers(place, drawn.dialect, start, stop)
        made = scaled(place.distribution, drawn.dialect, raw, drawn.scale, drawn.low)
        values = target.values[start:stop]
        differ = np.flatnonzero((made.view(np.uint32) != values) & target.wanted[start:stop])
        if len(differ):
            near = int(np.count_nonzero(_near(made[differ], values[differ], drawn)))
            found.near += near
            found.others += len(differ) - near
            found.indices.append(start + differ)
            found.words.append(values[differ] - made.view(np.uint32)[differ])
        if found.others > tolerated(wanted):
            return None
        start, count = stop, _PIECE
    return found


def _near(made: NDArray[np.float32], bits: NDArray[np.uint32], drawn: Parameters) -> NDArray[np.bool_]:
    """Return whether elements are what another machine may have rounded to; one of another sign is none."""
    exact, values = made.astype(np.float64), bits.view(np.float32).astype(np.float64)
    unit = float32_of(drawn.scale)
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.abs(exact - values) <= _NEAR * (unit + np.abs(exact))
    near &= np.signbit(exact) == np.signbit(values)
    return near
