"""Places in the stream where the draws have the signs of a target whose elements are ± one constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .chunk import Chunk
from .target import BLOCK, Target, draw_of_angle, magnitudes, tolerated

# The signs that have all to be there, of which there are two sets in case that elements were changed.
_GROUP = 24
_MOST = 192
# How many signs are compared everywhere, before only what is left is looked at.
_EVERYWHERE = 16


@dataclass(frozen=True)
class Signs:
    """Draws, numbered from the first of the tensor on, with what they are looked for in."""

    distribution: str
    positions: NDArray[np.intp]
    planes: NDArray[np.intp]
    flags: NDArray[np.bool_]

    @property
    def reach(self) -> int:
        """The distance from the first draw of the tensor to the last."""
        return int(self.positions.max()) + 1

    def scan(self, chunk: Chunk) -> list[int]:
        """Offsets at which nearly all signs fit."""
        found: set[int] = set()
        for group in range(0, min(2 * _GROUP, len(self.positions) - _GROUP + 1), _GROUP):
            found.update(chunk.start + offset for offset in self._scan(chunk, group).tolist())
        return sorted(found)

    def _scan(self, chunk: Chunk, group: int) -> NDArray[np.intp]:
        everywhere = slice(group, group + _EVERYWHERE)
        # A bit for each offset: whether all draws fit whose flag is set, and whether one is set that must not be.
        size = -(-chunk.count // 8)
        alive = np.full(size, 0xFF, dtype=np.uint8)
        dead = np.zeros(size, dtype=np.uint8)
        for position, plane, flag in zip(
            self.positions[everywhere].tolist(), self.planes[everywhere], self.flags[everywhere], strict=True
        ):
            drawn = chunk.packed(int(plane), position % 8)[position // 8 : position // 8 + size]
            if flag:
                alive &= drawn
            else:
                dead |= drawn
        alive &= ~dead
        at = np.flatnonzero(alive != 0)
        bit = np.flatnonzero(np.unpackbits(alive[at], bitorder="little"))
        offsets = 8 * at[bit // 8] + bit % 8
        offsets = offsets[offsets < chunk.count]
        for i in range(group + _EVERYWHERE, group + _GROUP):
            offsets = offsets[chunk.planes[self.planes[i]][offsets + self.positions[i]] == self.flags[i]]
        return offsets[np.array([self._fits(chunk, offset) for offset in offsets.tolist()], dtype=np.bool_)]

    def _fits(self, chunk: Chunk, offset: int) -> bool:
        equal = sum(
            bool(chunk.planes[plane][offset + position] == flag)
            for position, plane, flag in zip(self.positions, self.planes, self.flags, strict=True)
        )
        return equal >= len(self.positions) - len(self.positions) // 32


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
    made = [Signs("signs of uniform", positions, np.zeros_like(positions), above)]
    length = len(target.values)
    if length >= BLOCK:
        tail = length - BLOCK if length % BLOCK else length
        place = np.where(positions >= tail, positions - tail, positions) % BLOCK
        planes = np.where(place < 8, 1, 2)
        made.append(Signs("signs of normal", draw_of_angle(positions, length), planes, ~above))
    return made
