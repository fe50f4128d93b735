"""The known elements of a vector, slot by slot, as layers are found that it fills.

A slot that only scaled copies know is not known by itself: there may be several float32 b with fl(c · b) = v, and each
further layer leaves fewer of them. So a slot holds a word and which of the words around it are still possible.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ....common.words import Words
from ....network.mask import Mask
from .unit import Unit, with_sign_of

States = NDArray[np.uint8]

# By these, in this order, may the bit pattern of b be off that of v / c: the quotient is at most two units wrong.
_OFFSETS = (0, 1, -1, 2, -2)
_KNOWN = 1
_HEAD = 1 << 14


class Slots:
    """A vector that is partly known.

    Args:
        word: the type of its words.
        period: its length; None: as long as the longest layer, and nothing is repeated.

    Attributes:
        words: a word a slot.
        state: bit k: the word plus `_OFFSETS[k]` is possible. 0: nothing is known; 1: the word itself.
    """

    def __init__(self, word: np.dtype[np.unsignedinteger], period: int | None) -> None:
        self.period = period
        self.words: Words = np.zeros(period or 0, dtype=word)
        self.state: States = np.zeros(period or 0, dtype=np.uint8)
        self._open = False

    @classmethod
    def beginning(cls, unit: Unit) -> Slots:
        """Return the slots that the head of a unit knows."""
        places, words = unit.head
        slots = cls(unit.values.dtype, None)
        slots.reserve(int(places[-1]) + 1)
        slots.words[places], slots.state[places] = words, _KNOWN
        return slots

    def reserve(self, length: int) -> None:
        """Make room for a layer of this length."""
        if self.period is None and length > len(self.words):
            more = length - len(self.words)
            self.words = np.concatenate([self.words, np.zeros(more, dtype=self.words.dtype)])
            self.state = np.concatenate([self.state, np.zeros(more, dtype=np.uint8)])

    def at(self, places: NDArray[np.int64]) -> tuple[Words, NDArray[np.bool_]]:
        """The words at places of a layer, and which are known (a first guess, where several are possible)."""
        if self.period is not None:
            slots = places % self.period
            return self.words[slots], self.state[slots] != 0
        slots = np.minimum(places, len(self.words) - 1)
        return self.words[slots], (self.state[slots] != 0) & (places < len(self.words))

    def compare(self, unit: Unit, scale: np.float32 | None = None, tolerance: int = 8) -> tuple[int, int]:
        """Count the known elements of a folded unit that agree with what is known here, and those that contradict it.

        Given up, with what was counted so far, where more than one in `tolerance` contradicts.
        """
        agree = contradict = 0
        for start, words, flags in unit.pieces():
            inside = max(0, min(len(words), len(self.words) - start))
            here = slice(start, start + inside)
            both = flags[:inside] & (self.state[here] != 0)
            fits = self._fitting(here, words[:inside], scale) != 0
            good = int(np.count_nonzero(both & fits))
            agree += good
            contradict += int(np.count_nonzero(both)) - good
            if scale is not None:
                new = flags.copy()
                new[:inside] &= self.state[here] == 0
                contradict += int(np.count_nonzero(_quotients(words[new], scale)[1] == 0))
            if contradict * tolerance > agree:
                break
        return agree, contradict

    def add(self, unit: Unit, scale: np.float32 | None = None) -> None:
        """Take over what a folded unit knows; `compare` found no contradiction."""
        self.reserve(unit.length)
        for start, words, flags in unit.pieces():
            here = slice(start, start + len(words))
            state, own = self.state[here], self.words[here]
            new = flags & (state == 0)
            if self._open:
                old = flags & (state != 0)
                state[old] = self._fitting(here, words, scale)[old]
            if scale is None:
                own[new], state[new] = words[new], _KNOWN
            elif new.any():
                self._open = True
                own[new], state[new] = _quotients(words[new], scale)

    def unit(self) -> Unit | None:
        """Return the known elements as those of one layer; None where they are not decided yet."""
        if self._open:
            return None
        return Unit(-1, self.words, Mask.from_bool(self.state != 0), _HEAD)

    def make_signs(self, factor: float) -> None:
        """The signs that the slots hold become those of a factor."""
        self.words = with_sign_of(self.words, factor)

    def settle(self) -> tuple[Words, NDArray[np.bool_]]:
        """The words, the first possible one for each slot, and which are known."""
        if self._open:
            lowest = self.state & (~self.state + np.uint8(1))
            for bit, offset in enumerate(_OFFSETS):
                self.words[lowest == 1 << bit] += np.uint32(offset & 0xFFFFFFFF)
            np.minimum(self.state, _KNOWN, out=self.state)
            self._open = False
        return self.words, self.state != 0

    def _fitting(self, where: slice, words: Words, scale: np.float32 | None) -> States:
        """Return the possibilities of each slot that give these words."""
        own, state = self.words[where], self.state[where]
        if scale is None and not self._open:
            equal: States = (own == words).view(np.uint8)
            return equal & state
        return _products(own, words, scale, len(_OFFSETS) if self._open else 1) & state


def _products(bases: Words, words: Words, scale: np.float32 | None, count: int = len(_OFFSETS)) -> States:
    """Bit k: the base plus `_OFFSETS[k]`, scaled, is the word, and that is a number."""
    out = np.zeros(len(words), dtype=np.uint8)
    with np.errstate(all="ignore"):
        for bit, offset in enumerate(_OFFSETS[:count]):
            candidates = bases + np.uint32(offset & 0xFFFFFFFF)
            if scale is not None:
                candidates = (candidates.view(np.float32) * scale).view(np.uint32)
            out |= (candidates == words).view(np.uint8) << np.uint8(bit)
        if scale is not None:
            out[~np.isfinite(words.view(np.float32))] = 0
    return out


def _quotients(words: Words, scale: np.float32) -> tuple[Words, States]:
    """A float32 near v / c for every v, and which of those around it give v again."""
    with np.errstate(all="ignore"):
        bases = (words.view(np.float32) / scale).view(np.uint32)
    return bases, _products(bases, words, scale)


def elected(units: Iterable[Unit], slots: Slots) -> Slots:
    """In every slot the word that most of the folded units have there, if more than half of them have it.

    Boyer and Moore's majority vote: a word loses a voice to each other one, and is replaced when it has none. Of two
    words with a voice each the first one stays, that of the larger unit.

    Args:
        slots: an empty vector.
    """
    voices = np.zeros(len(slots.words), dtype=np.int32)
    for unit in units:
        slots.reserve(unit.length)
        voices = np.concatenate([voices, np.zeros(len(slots.words) - len(voices), dtype=np.int32)])
        for start, words, flags in unit.pieces():
            here = slice(start, start + len(words))
            state, own, count = slots.state[here], slots.words[here], voices[here]
            replaced = flags & (count == 0) & ((state == 0) | (own != words))
            same = flags & (replaced | (own == words) & (state != 0))
            own[replaced], state[replaced] = words[replaced], _KNOWN
            count[same] += 1
            count[flags & ~same] -= 1
    return slots
