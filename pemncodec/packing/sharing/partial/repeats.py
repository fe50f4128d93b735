"""The period of a unit, proven by all its known elements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from . import lags, votes
from .budget import Budget
from .unit import Unit, agrees_with_itself, folded

# In bits: what things must have in common that chance is out.
EVIDENCE = 32.0
# Of so few words equal ones say nothing: distances are looked at one by one, and at most so many folded in full.
_FEW_WORDS = 16
_MOST_FOLDED = 8
# Every word of a head is there so often, where all of its distances are looked at.
_REPEATED = 4


class Repeats:
    """The search for periods.

    Args:
        budget: for passes over whole units.
        lag_budget: for `lags`.
    """

    def __init__(self, budget: Budget, lag_budget: Budget) -> None:
        self._budget = budget
        self._lag_budget = lag_budget

    def period_of(self, unit: Unit) -> int | None:
        """The least period found of a unit, or None."""
        if unit.count < 3:
            return None
        for period in self._candidates(unit):
            if self._proven(unit, period):
                return self._least(unit, period)
        return None

    def _candidates(self, unit: Unit) -> Iterator[int]:
        places, words = votes.sample(unit)
        for period in votes.candidates(places, words, unit.length):
            if agrees_with_itself(places, words, period):
                yield period
        # Where words are many, or all there is has been looked at, there is nothing else to see.
        if unit.distinct * _REPEATED > len(unit.head[1]):
            return
        if unit.distinct > _FEW_WORDS:
            yield from votes.candidates_of_one_word(unit)
        else:
            yield from islice(lags.candidates(unit, self._lag_budget), _MOST_FOLDED)

    def _proven(self, unit: Unit, period: int) -> bool:
        """Return whether nothing contradicts the period, and more agrees than by chance at the best of all periods."""
        if not agrees_with_itself(*unit.head, period) or not self._budget.spend(unit.length):
            return False
        part = folded(unit, period)
        if part is None:
            return False
        return (unit.count - part.count - 1) * unit.evidence - math.log2(unit.length) >= EVIDENCE

    def _least(self, unit: Unit, period: int) -> int:
        """A multiple of the period is one, too."""
        rest, prime = period, 2
        while rest > 1:
            if prime * prime > rest:
                prime = rest
            if rest % prime:
                prime += 1
                continue
            rest //= prime
            if self._proven(unit, period // prime):
                period //= prime
        return period
