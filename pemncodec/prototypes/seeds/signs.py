"""Places in the stream where the draws have the signs of a target whose elements are ± one constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .chunk import PART, Chunk
from .target import BLOCK, Target, draw_of_angle, magnitudes, tolerated

# The signs that have all to be there, of which there are two sets in case that elements were changed.
_GROUP = 24
_MOST = 192
# How many signs are compared everywhere, before only what is left is looked at.
_EVERYWHERE = 6


@dataclass(frozen=True)
class Signs:
    """Draws, numbered from the first of the tensor on, with what they are looked for in."""

    distribution: str
    positions: NDArray[np.intp]
    planes: NDArray[np.intp]
    flags: NDArray[np.bool_]

    @property
    def reach(self) -> int:
        """How far the last of the draws is from the first of the tensor."""
        return int(self.positions.max()) + 1

    def scan(self, chunk: Chunk) -> list[int]:
        """Offsets at which nearly all signs fit."""
        found: set[int] = set()
        for group in range(0, min(2 * _GROUP, len(self.positions) - _GROUP + 1), _GROUP):
            for start in range(0, chunk.count, PART):
                offsets = self._scan(chunk, start, min(PART, chunk.count - start), group)
                found.update(chunk.start + int(offset) for offset in offsets)
        return sorted(found)

    def _scan(self, chunk: Chunk, start: int, count: int, group: int) -> NDArray[np.intp]:
        alive: NDArray[np.bool_] = np.ones(count, dtype=np.bool_)
        order = range(group, group + _GROUP)
        for i in order[:_EVERYWHERE]:
            begin = start + int(self.positions[i])
            alive &= chunk.planes[self.planes[i]][begin : begin + count] == self.flags[i]
        offsets = np.flatnonzero(alive) + start
        for i in order[_EVERYWHERE:]:
            offsets = offsets[chunk.planes[self.planes[i]][offsets + self.positions[i]] == self.flags[i]]
        for offset in offsets.tolist():
            fits = [
                chunk.planes[plane][offset + position] == flag
                for position, plane, flag in zip(self.positions, self.planes, self.flags, strict=True)
            ]
            if sum(fits) < len(fits) - len(fits) // 32:
                offsets = offsets[offsets != offset]
        return offsets


def constant(target: Target) -> int | None:
    """The bits of the one absolute value that nearly all wanted elements have, if there is one."""
    size = target.values & np.uint32(0x7FFFFFFF)
    kept = size[target.wanted]
    if not len(kept):
        return None
    seen, counts = np.unique(kept[:1024], return_counts=True)
    bits = int(seen[np.argmax(counts)])
    if not 0 < bits < 0x7F800000:
        return None
    return bits if np.count_nonzero(kept != bits) <= tolerated(len(kept)) else None


def signs(target: Target, prefix: int, window: int) -> list[Signs]:
    """Of uniform and of normal draws, unless there are too few to tell a place from chance."""
    positions, values = magnitudes(Target(target.name, target.values[:prefix], target.wanted[:prefix]))
    positions, values = positions[:_MOST], values[:_MOST]
    if len(positions) < max(_GROUP, window.bit_length()):
        return []
    above = values > 0
    made = [Signs("uniform-signs", positions, np.zeros_like(positions), above)]
    length = len(target.values)
    if length >= BLOCK:
        tail = length - BLOCK if length % BLOCK else length
        place = np.where(positions >= tail, positions - tail, positions) % BLOCK
        planes = np.where(place < 8, 1, 2)
        made.append(Signs("normal-signs", draw_of_angle(positions, length), planes, ~above))
    return made
