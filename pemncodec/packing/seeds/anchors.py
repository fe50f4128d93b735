"""Elements that say nearly exactly which draw made them, and where in the stream there are such draws.

The angle of two normal elements that were made together does not depend on the scale. A uniform element near 0
depends on it little, and the largest of all elements says it well enough; the smallest and the
largest of very many say where any interval is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .chunk import Chunk
from .target import BLOCK, Target, draw_of_angle, magnitudes, outliers

RANGE = 1 << 24
_BUCKET = 8
_PRIMARY = 3
_MOST = 16
# An angle computed from two float32 elements is that many steps of 2^-24 turns off, at most.
_ANGLE_ERROR = 4
_WIDEST = RANGE >> 8
# By how many elements the largest of many falls short of the bound, for odds of e^-30.
_SHORT = 30


@dataclass(frozen=True)
class Anchors:
    """Draws, numbered from the first of the tensor on, with the 24-bit fractions that they lie between."""

    distribution: str
    positions: NDArray[np.int64]
    lows: NDArray[np.int64]
    highs: NDArray[np.int64]

    @property
    def reach(self) -> int:
        """The distance from the first draw of the tensor to the last."""
        return int(self.positions.max()) + 1

    def fitting(self, k: NDArray[np.uint32], offsets: NDArray[np.intp]) -> NDArray[np.intp]:
        """Those of the offsets at which nearly all draws fit."""
        needed = len(self.positions) - len(self.positions) // 4
        drawn = k[offsets[:, None] + self.positions]
        fits = (drawn >= self.lows) & (drawn <= self.highs)
        enough: NDArray[np.bool_] = np.count_nonzero(fits, axis=1) >= needed
        return offsets[enough]


def normal_anchors(target: Target, prefix: int) -> Anchors | None:
    """The angles of wanted pairs, if there are any."""
    length = len(target.values)
    if length < BLOCK:
        return None
    positions, values = magnitudes(_first(target, prefix))
    tail = length - BLOCK if length % BLOCK else length
    place = np.where(positions >= tail, positions - tail, positions)
    at = np.searchsorted(positions, positions + 8)
    at[at == len(positions)] = 0
    paired = (place % BLOCK < 8) & (positions[at] == positions + 8)
    # A regular pair whose second element the tail made anew is none.
    paired &= (positions >= tail) | (positions + 8 < tail)
    # Far apart: elements that were changed, and lie together, hide few of them.
    first = np.flatnonzero(paired)
    first = first[_spread(len(first), 4 * _MOST)]
    second = at[first]
    turns = np.arctan2(values[second].astype(np.float64), values[first].astype(np.float64)) / (2 * np.pi) % 1.0
    fractions = np.rint(turns * RANGE).astype(np.int64)
    inside = (fractions > 2 * _ANGLE_ERROR) & (fractions < RANGE - 2 * _ANGLE_ERROR)
    if not inside.any():
        return None
    chosen = np.flatnonzero(inside)
    chosen = chosen[_spread(len(chosen), _MOST)]
    chosen = np.concatenate([chosen[i :: _MOST // _PRIMARY + 1] for i in range(_MOST // _PRIMARY + 1)])
    fractions = fractions[chosen]
    draws = draw_of_angle(positions[first[chosen]], length).astype(np.int64)
    return Anchors("normal", draws, fractions - _ANGLE_ERROR, fractions + _ANGLE_ERROR)


def uniform_anchors(target: Target, prefix: int) -> list[Anchors] | None:
    """Wanted elements of an interval around 0, from or to 0, and anywhere, of those that may be and say enough.

    Returns:
        None if the elements are too few to say; nothing if they are in no such interval.
    """
    positions, values = magnitudes(_first(target, prefix))
    count = len(values)
    outside = outliers(count)
    short = (2 * outside + _SHORT) / max(count, 1)
    if count < 8 or short > 0.5:
        return None
    exact = values.astype(np.float64)
    ordered = np.sort(exact)
    first, last = float(ordered[outside]), float(ordered[count - 1 - outside])
    # By how much the ends of the interval lie beyond what was seen, at most.
    room = (last - first) * short / (1 - short)
    found: list[Anchors | None] = []
    if first < 0 < last and abs(last + first) <= room:
        found.append(_around_zero(positions, exact, outside, short))
    if 0 <= first <= room:
        found.append(_from_zero(positions, exact, outside, short))
    if -room <= last <= 0:
        found.append(_turned(_from_zero(positions, -exact, outside, short)))
    made = [each for each in (*found, _anywhere(positions, exact)) if each is not None]
    return made if made or not found else None


def _around_zero(positions: NDArray[np.intp], exact: NDArray[np.float64], outside: int, short: float) -> Anchors | None:
    """The elements nearest to 0, of an interval from −b to b."""
    near, least, most = _nearest(np.abs(exact), outside, short)
    ends = np.sort(np.stack([exact[near] / least, exact[near] / most]), axis=0)
    return _anchors(positions[near], (ends + 1) / 2)


def _from_zero(positions: NDArray[np.intp], exact: NDArray[np.float64], outside: int, short: float) -> Anchors | None:
    """The elements nearest to 0, of an interval from 0 to b."""
    near, least, most = _nearest(exact, outside, short)
    return _anchors(positions[near], np.stack([exact[near] / most, exact[near] / least]))


def _nearest(size: NDArray[np.float64], outside: int, short: float) -> tuple[NDArray[np.intp], float, float]:
    """Return the elements nearest to 0, and the least and the greatest that the bound can be."""
    order = np.argsort(size, kind="stable")
    least = float(size[order[len(size) - 1 - outside]])
    return order[_ranks(outside, len(size))], least, least / (1 - short)


def _turned(anchors: Anchors | None) -> Anchors | None:
    """Of an interval that ends where theirs begins."""
    if anchors is None:
        return None
    lows, highs = RANGE - anchors.highs, np.minimum(RANGE - anchors.lows, RANGE - 1)
    return Anchors("uniform", anchors.positions, lows, highs)


def _anywhere(positions: NDArray[np.intp], exact: NDArray[np.float64]) -> Anchors | None:
    """Elements of an interval of which only is known about where it begins and ends; none may lie outside."""
    order = np.argsort(exact, kind="stable")
    near = order[_spread(len(order), _MOST)]
    first, last = float(exact[order[0]]), float(exact[order[-1]])
    short = _SHORT / len(exact)
    room = (last - first) * short / (1 - short)
    if not last > first:
        return None
    fractions = [(exact[near] - low) / (high - low) for low in (first - room, first) for high in (last, last + room)]
    # What the elements themselves were rounded by.
    step = 2.0**-23 * max(abs(first), abs(last)) / (last - first)
    return _anchors(positions[near], np.stack([np.min(fractions, axis=0) - step, np.max(fractions, axis=0) + step]))


def _anchors(positions: NDArray[np.intp], ends: NDArray[np.float64]) -> Anchors | None:
    """Of the least and the greatest fraction of each, unless they say too little."""
    lows, highs = np.clip(ends * RANGE + [[-2], [2]], 0, RANGE - 1).astype(np.int64)
    if (highs - lows)[:_PRIMARY].sum() > _WIDEST:
        return None
    return Anchors("uniform", positions.astype(np.int64), lows, highs)


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """At most so many of `count` numbers, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.intp)) if count else np.empty(0, np.intp)


def _ranks(outside: int, count: int) -> list[int]:
    """Choose elements, nearest to 0 first, so that as many that were changed and lie together hide few of them."""
    step = -(-max(outside, 1) // 3)
    ranks = list(range(outside, count, step))[:_MOST]
    apart = ranks[:: _MOST // _PRIMARY + 1]
    return apart + [rank for rank in ranks if rank not in apart]


def _first(target: Target, prefix: int) -> Target:
    return Target(target.name, target.values[:prefix], target.wanted[:prefix])


class AnchorScan:
    """Looks for the first anchors of many targets at once."""

    def __init__(self, anchors: Sequence[tuple[int, Anchors]]) -> None:
        self._anchors = anchors
        self._table: NDArray[np.bool_] = np.zeros(RANGE >> _BUCKET, dtype=np.bool_)
        for _, each in anchors:
            for low, high in zip(each.lows[:_PRIMARY], each.highs[:_PRIMARY], strict=True):
                self._table[low >> _BUCKET : (high >> _BUCKET) + 1] = True

    def scan(self, chunk: Chunk) -> list[tuple[int, str, int]]:
        """Number of the target, distribution and offset of everything that fits, by offset."""
        if not self._anchors:
            return []
        k = chunk.fractions
        flagged = np.empty(len(k), dtype=np.bool_)
        part = 1 << 16
        for start in range(0, len(k), part):
            np.take(self._table, k[start : start + part] >> np.uint32(_BUCKET), out=flagged[start : start + part])
        hits = np.flatnonzero(flagged)
        order = np.argsort(k[hits])
        hits = hits[order]
        drawn = k[hits]
        found: list[tuple[int, str, int]] = []
        for number, each in self._anchors:
            begin = np.searchsorted(drawn, each.lows[:_PRIMARY])
            end = np.searchsorted(drawn, each.highs[:_PRIMARY], side="right")
            places = [hits[b:e] - p for b, e, p in zip(begin, end, each.positions[:_PRIMARY], strict=True)]
            offsets = np.unique(np.concatenate(places))
            offsets = offsets[(offsets >= 0) & (offsets < chunk.count)]
            found += [(number, each.distribution, chunk.start + int(offset)) for offset in each.fitting(k, offsets)]
        return sorted(found, key=lambda each: each[2])
