"""The beginnings of all units, to see at once which of them may fit a vector: nearly all of them do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .slots import Slots
from .unit import Unit

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Screened:
    """Of each unit, how many elements of its head are known in the vector, the same there, or of the same sign."""

    overlap: Counts
    agree: Counts
    signs: Counts


class Heads:
    """The heads of units that have known elements.

    Attributes:
        worth: of each unit, how many bits it is worth that an element agrees.
        whole: whether the head of it has all known elements.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = list(units)
        self._numbers = {unit.number for unit in units}
        heads = [unit.head for unit in units]
        self.worth = np.array([unit.evidence for unit in units])
        self.whole = np.array([unit.head_is_all for unit in units], dtype=np.bool_)
        if heads:
            self.places = np.concatenate([places for places, _ in heads])
            self.words = np.concatenate([words for _, words in heads])
        self._begins = np.cumsum([0] + [len(places) for places, _ in heads[:-1]])

    def has(self, unit: Unit) -> bool:
        """Return whether it is one of these."""
        return unit.number in self._numbers

    def without(self, units: Sequence[Unit]) -> Heads:
        """All but these."""
        numbers = {unit.number for unit in units}
        return Heads([unit for unit in self.units if unit.number not in numbers])

    def screen(self, slots: Slots) -> Screened:
        """Compare all of them with a vector."""
        words, known = slots.at(self.places)
        differ = words ^ self.words
        highest = differ.dtype.type(1 << 8 * differ.itemsize - 1)
        return Screened(self._sums(known), self._sums(known & (differ == 0)), self._sums(known & (differ < highest)))

    def _sums(self, flags: NDArray[np.bool_]) -> Counts:
        return np.add.reduceat(flags, self._begins, dtype=np.int64)
