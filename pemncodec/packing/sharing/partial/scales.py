"""By which float32 a layer is a multiple of a vector, where only some elements of both are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....common.words import Words
from .slots import Slots
from .unit import Unit

# A product is off by half a unit at most, and so is what it is divided by.
_RELATIVE = 2.0**-22
_NORMAL = float(np.finfo(np.float32).tiny)
# One in so many ratios may be another: then it is no copy, and yet may tell which layer is the original.
_TOLERANCE = 8


def ratio(slots: Slots, unit: Unit) -> tuple[float, int] | None:
    """Return the factor of most elements of the head, and their number; None if there is no such factor above zero."""
    places, words = unit.head
    bases, known = slots.at(places)
    b, v = (some.view(np.float32).astype(np.float64) for some in (bases[known], words[known]))
    normal = np.isfinite(b) & np.isfinite(v) & (np.abs(b) >= _NORMAL) & (np.abs(v) >= _NORMAL)
    if not normal.any():
        return None
    ratios = v[normal] / b[normal]
    factor = float(np.median(ratios))
    if factor <= 0:
        return None
    good = int(np.count_nonzero(np.abs(ratios - factor) <= _RELATIVE * factor))
    return (factor, good) if _TOLERANCE * (len(ratios) - good) <= good else None


def exact(slots: Slots, unit: Unit, factor: float) -> np.float32 | None:
    """The float32 near `factor` by which a folded unit is a copy in every bit, or None."""
    return next((scale for scale in _around(factor) if slots.compare(unit, scale, tolerance=1 << 40)[1] == 0), None)


def _around(factor: float) -> Iterator[np.float32]:
    with np.errstate(all="ignore"):
        middle = int(np.float32(factor).view(np.uint32))
    for pattern in (middle, middle - 1, middle + 1, middle - 2, middle + 2):
        if 0 < pattern < 0x7F800000:
            yield np.uint32(pattern).view(np.float32)


def finite(values: Words, factor: float | None) -> bool:
    """Return whether all elements and products are numbers: those of a scaled prototype have to be (spec 7)."""
    if factor is None:
        return True
    largest = np.max(np.abs(values.view(np.float32)), initial=np.float32(0))
    with np.errstate(all="ignore"):
        return bool(np.isfinite(largest * np.float32(factor)))
