"""A layer as the search sees it: the words at its known places, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ....common import bits
from ....common.bits import PIECE
from ....common.forks import cached_property
from ....common.words import Words
from ....network.mask import Mask

Piece = tuple[int, Words, NDArray[np.bool_]]
Places = NDArray[np.int64]

_SIGN, _INFINITE = np.uint32(1 << 31), 0x7F800000
# Two random float32 are the same more often than once in 2^32 times: those of torch are made from 24 random bits.
_MOST_BITS = 24.0


class Unit:
    """Words, and which of them are known; the others are never looked at.

    Args:
        number: index of the layer.
        values: all elements, as words.
        known: which are known, or None for all.
        head: how many known elements the head has at most.
    """

    def __init__(self, number: int, values: Words, known: Mask | None, head: int) -> None:
        self.number = number
        self.values = values
        self.length = len(values)
        self.count = self.length if known is None else known.count
        # Where all values are c or −c, they are taken for 1 and −1, and this is c.
        self.factor: float | None = None
        self._known = known
        self._head = head

    def pieces(self) -> Iterator[Piece]:
        """Yield the place where a piece begins, its words, and which are known."""
        for start in range(0, self.length, PIECE):
            words = self.values[start : start + PIECE]
            if self._known is None:
                flags = np.ones(len(words), dtype=np.bool_)
            else:
                flags = bits.unpack(self._known.packed[start // 8 :], len(words))
            if self.factor is not None:
                words = with_sign_of(words, 1.0)
            yield start, words, flags

    def elements(self) -> Iterator[tuple[Places, Words]]:
        """Places and words of the known elements."""
        for start, words, flags in self.pieces():
            places = np.flatnonzero(flags)
            yield places + start, words[places]

    @cached_property
    def head(self) -> tuple[Places, Words]:
        """The first known elements."""
        return first(self.elements(), self._head, self.values)

    @property
    def head_is_all(self) -> bool:
        """Return whether the head has all known elements."""
        return len(self.head[0]) == self.count

    @cached_property
    def evidence(self) -> float:
        """The bits of evidence of an element that is what was expected, by the words of the head."""
        return worth_of(self.head[1])

    @cached_property
    def distinct(self) -> int:
        """The number of distinct words of the head."""
        return len(np.unique(self.head[1]))

    @property
    def constant(self) -> bool:
        """Return whether all known words are the same."""
        return self._all_alike(self.head[1].dtype.type(-1 & (1 << 8 * self.values.itemsize) - 1))

    def take_signs(self) -> None:
        """See 1 and −1 where all values are c and −c, of float32: layers of another c have the same prototype then."""
        if self.constant:
            return
        magnitude = int(self.head[1][0] & ~_SIGN)
        if not 0 < magnitude < _INFINITE or not self._all_alike(~_SIGN):
            return
        self.factor = float(np.uint32(magnitude).view(np.float32))
        self.__dict__.pop("head")

    def plain(self) -> Unit:
        """The unit with its own values."""
        return Unit(self.number, self.values, self._known, self._head)

    def _all_alike(self, where: np.unsignedinteger) -> bool:
        """Return whether all known words have the same bits, where there are ones."""
        if not self.count:
            return False
        one = self.head[1][0] & where
        if not np.all(self.head[1] & where == one):
            return False
        return self.head_is_all or all(bool(np.all(words & where == one)) for _, words in self.elements())


def with_sign_of(words: Words, factor: float) -> Words:
    """±`factor` for float32 words, by their signs."""
    return (words & _SIGN) | np.float32(factor).view(np.uint32)


def worth_of(words: Words) -> float:
    """Return the bits of evidence of two elements that are equal, by how often two of these are."""
    pairs = len(words) * (len(words) - 1) / 2
    ordered = np.sort(words)
    if not np.equal(ordered[1:], ordered[:-1]).any():
        return min(_MOST_BITS, math.log2(pairs + 1))
    counts = np.unique(ordered, return_counts=True)[1].astype(np.float64)
    return min(_MOST_BITS, math.log2((pairs + 1) / (float((counts * (counts - 1)).sum()) / 2 + 1)))


def first(elements: Iterator[tuple[Places, Words]], most: int, like: Words) -> tuple[Places, Words]:
    """At most so many elements."""
    places, words, found = [np.empty(0, dtype=np.int64)], [like[:0]], 0
    for some_places, some_words in elements:
        if not found and len(some_places) >= most:
            return some_places[:most], some_words[:most]
        places.append(some_places[: most - found])
        words.append(some_words[: most - found])
        found += len(places[-1])
        if found == most:
            break
    return np.concatenate(places), np.concatenate(words)


def agrees_with_itself(places: Places, words: Words, period: int) -> bool:
    """Return whether there is one word a place modulo the period."""
    slots = places % period
    table = np.empty(period, dtype=words.dtype)  # looked at only where something is written
    table[slots] = words
    return bool(np.array_equal(table[slots], words))


def folded(unit: Unit, period: int | None) -> Unit | None:
    """The unit modulo a period, so long at most; None if it contradicts itself. As many elements fewer agree."""
    if period is None or unit.length <= period:
        return unit
    table: Words = np.zeros(period, dtype=unit.values.dtype)
    known = np.zeros(period, dtype=np.bool_)
    for places, words in unit.elements():
        slots = places % period
        if np.any(known[slots] & (table[slots] != words)):
            return None
        table[slots] = words
        known[slots] = True
        if not np.array_equal(table[slots], words):
            return None
    return Unit(unit.number, table, Mask.from_bool(known), period)
