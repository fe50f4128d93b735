"""Candidates for the period of a layer of few distinct words: all distances at which no two known elements differ.

Equal words say nothing where a layer is c and −c. Here every word is one bit and whether it is known another, and the
beginning of the layer is laid over the whole of it at every distance, 56 bits in a machine word at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ....common import bits
from ....common.bits import Packed
from ....common.words import Words
from .budget import Budget
from .unit import Unit

Numbers = NDArray[np.uint64]
Indices = NDArray[np.int64]

# A window at any byte, shifted by up to 7 bits, has 57 bits left.
_BYTES = 7
_WINDOW = np.uint64((1 << 8 * _BYTES) - 1)
_MOST_WINDOWS = 1 << 10
# What it costs to look at a byte that is picked, in bytes of a whole row.
_PICKED = 4
# How many times more or less may be known in both than by chance.
_SPARE = 1.5
# Bytes of the layer at which windows begin that are looked at at a time; at first fewer, as most periods are short.
_FIRST_CHUNK, _CHUNK = 1 << 8, 1 << 15
_FACTORS = (1, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
# What a layer of few words has to have in common with itself, in bits; beside what the choice of the distance takes.
_EVIDENCE = 32


def candidates(unit: Unit, budget: Budget) -> Iterator[int]:
    """Distances at which the beginning of the layer agrees with what is known there, the least first."""
    factor, chance = _split(unit.head[1])
    if not chance < 1:
        return
    needed = (_EVIDENCE + math.log2(unit.length)) / -math.log2(chance)
    density = unit.count / unit.length
    windows = math.ceil(_SPARE * needed / (8 * _BYTES * density**2))
    # So many distances are left at which enough is known of both ends.
    distances = int(unit.length - needed / density**2 / _SPARE)
    if windows <= _MOST_WINDOWS and distances > 0:
        yield from _Overlay(unit, factor, windows, math.ceil(needed)).agreeing(distances, chance, budget)


def _bit(words: Words, factor: int) -> NDArray[np.bool_]:
    """The highest bit of a product: half of the words have it."""
    width = 8 * words.itemsize
    kind = words.dtype.type
    highest: NDArray[np.bool_] = words * kind(factor & (1 << width) - 1 | 1) >> kind(width - 1) != 0
    return highest


def _split(words: Words) -> tuple[int, float]:
    """The factor by which the words fall into halves best, and how often two of them are in the same one."""

    def together(factor: int) -> float:
        ones = float(_bit(words, factor).mean())
        return ones**2 + (1 - ones) ** 2

    best = min(_FACTORS, key=together)
    return best, together(best)


class _Overlay:
    """The two planes of a layer, and how many windows of its beginning are compared."""

    def __init__(self, unit: Unit, factor: int, windows: int, needed: int) -> None:
        self._needed = needed
        self._length = unit.length
        self._windows = windows
        spare = _BYTES * windows + _CHUNK + 16
        size = bits.byte_length(unit.length)
        self._words, self._known = np.zeros((2, size + spare), dtype=np.uint8)
        for start, words, flags in unit.pieces():
            here = slice(start // 8, bits.byte_length(start + len(words)))
            self._words[here] = bits.pack(_bit(words, factor) & flags)
            self._known[here] = bits.pack(flags)

    def agreeing(self, distances: int, chance: float, budget: Budget) -> Iterator[int]:
        """Distances up to `distances` that are not contradicted, ascending."""
        start, size = 0, _FIRST_CHUNK
        # So many windows leave a quarter of the distances: then it is cheaper to pick these.
        density = float(np.bitwise_count(self._known).sum(dtype=np.int64)) / self._length
        dense = math.ceil(1.4 / (8 * _BYTES * density**2 * (1 - chance)))
        while 8 * start <= distances:
            count = min(size, distances // 8 + 1 - start)
            if not budget.spend(8 * count * min(dense, self._windows)):
                return
            found = [8 * self._kept(start, count, shift, dense, budget) + shift for shift in range(8)]
            for lag in np.sort(np.concatenate(found)).tolist():
                if 0 < lag <= distances:
                    yield lag
            start += count
            size = min(2 * size, _CHUNK)

    def _kept(self, start: int, count: int, shift: int, dense: int, budget: Budget) -> Indices:
        """The bytes from `start` on at which, with this shift, nothing contradicts, and enough is known."""
        bad = np.zeros(count, dtype=np.uint64)
        for window in range(min(dense, self._windows)):
            bad |= self._compared(window, start, count, shift)[1]
        kept = np.flatnonzero(bad == 0)
        seen = np.zeros(len(kept), dtype=np.int64)
        done: list[Indices] = []
        for window in range(self._windows):
            if not len(kept) or not budget.spend(_PICKED * len(kept)):
                break
            both, differ = self._compared(window, start, count, shift, kept)
            seen += np.bitwise_count(both)
            fine = differ == 0
            enough = seen >= self._needed
            done.append(kept[fine & enough])
            kept, seen = kept[fine & ~enough], seen[fine & ~enough]
        return start + np.concatenate([np.empty(0, dtype=np.int64), *done])

    def _compared(
        self, window: int, start: int, count: int, shift: int, picked: Indices | slice = slice(None)
    ) -> tuple[Numbers, Numbers]:
        """Return the bits of a window that are known in both, and those that differ, at all or the picked bytes."""
        by = np.uint64(shift)
        known, words = (_view(plane, start, count, window)[picked] for plane in (self._known, self._words))
        both = known >> by & (_view(self._known, 0, 1, window) & _WINDOW)
        return both, (words >> by ^ _view(self._words, 0, 1, window)) & both


def _view(plane: Packed, start: int, count: int, window: int) -> Numbers:
    """The little-endian numbers at `count` bytes of a plane, of which each overlaps the next."""
    return np.ndarray((count,), dtype="<u8", buffer=plane.data, offset=start + _BYTES * window, strides=(1,))
