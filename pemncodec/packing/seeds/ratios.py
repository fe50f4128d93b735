"""Uniform elements of a target with few of them, from −b, to or from 0: their ratios do not depend on b."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .chunk import PART, Chunk, Form
from .target import Target, magnitudes

_MOST = 16
_LEAST = 3
_ERROR = np.float32(6e-7)


@dataclass(frozen=True)
class Ratios:
    """The largest wanted elements, the largest first, and what of the draws they are: as `Chunk` has it."""

    positions: NDArray[np.intp]
    ratios: NDArray[np.float32]
    form: Form

    @property
    def reach(self) -> int:
        """The distance from the first draw of the tensor to the last."""
        return int(self.positions.max()) + 1

    def scan(self, chunk: Chunk) -> list[int]:
        """Offsets at which the draws are in these ratios."""
        drawn = chunk.form(self.form)
        first, second = (int(position) for position in self.positions[:2])
        ratio = self.ratios[1]
        found: list[int] = []
        for start in range(0, chunk.count, PART):
            count = min(PART, chunk.count - start)
            rest = drawn[start + first : start + first + count] * ratio
            rest -= drawn[start + second : start + second + count]
            np.abs(rest, out=rest)
            offsets = np.flatnonzero(rest < _ERROR) + start
            whole = drawn[offsets + first]
            others = drawn[offsets[:, None] + self.positions[2:]]
            fits = np.abs(whole[:, None] * self.ratios[2:] - others) < _ERROR
            needed = len(self.positions) - 2 - (len(self.positions) - 2) // 4
            found += (chunk.start + offsets[np.count_nonzero(fits, axis=1) >= needed]).tolist()
        return found


def ratios(target: Target, prefix: int) -> list[Ratios]:
    """Of the wanted elements, unless there are too few; those of one sign from or to 0, too."""
    positions, values = magnitudes(Target(target.name, target.values[:prefix], target.wanted[:prefix]))
    if len(values) < _LEAST:
        return []
    order = np.argsort(-np.abs(values), kind="stable")[:_MOST]
    forms: list[Form] = ["centred"]
    if (values > 0).all() or (values < 0).all():
        forms.append("unit" if values[0] > 0 else "rest")
    return [Ratios(positions[order], values[order] / values[order[0]], form) for form in forms]
