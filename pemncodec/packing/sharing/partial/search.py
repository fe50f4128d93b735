"""Find units that one vector fills: proposed by a few elements, proven by all of them.

A vector grows from one unit. Others join where enough of what is known of both agrees that chance is out, and nothing
contradicts. A unit that agrees but for a few elements may be wrong, or may have been first and be the reason for which
the others are: then every slot is put to the vote, and who is outvoted is not a member.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from . import scales, votes
from .budget import Budget
from .heads import Counts, Heads, Screened
from .repeats import EVIDENCE, Repeats
from .slots import Slots, elected
from .unit import Unit, agrees_with_itself, folded, worth_of

# One contradiction in so many agreements is enough to be heard in a vote.
_DOUBT = 8
# From so many equal values on a layer is a constant.
_CONSTANT = 32
# Units from which vectors are grown, each compared with all others, and passes over these for one vector.
_MOST_SEEDS = 1024
_MOST_PASSES = 16
# A unit that is nearly a copy of others is compared with at most so many of them.
_MOST_ORIGINALS = 3

Scale = np.float32 | None


@dataclass
class Group:
    """A vector and the units that it fills, each with its factor."""

    slots: Slots
    members: list[tuple[Unit, Scale]] = field(default_factory=list)

    def add(self, unit: Unit, part: Unit, scale: Scale = None) -> None:
        """A member; `part` is the unit folded."""
        self.slots.add(part, scale)
        self.members.append((unit, scale))

    def common_factor(self) -> float | None:
        """c, where all members are c times signs."""
        factors = {unit.factor for unit, _ in self.members}
        return factors.pop() if len(factors) == 1 else None


class Search:
    """All units of one dtype.

    Args:
        units: those with known elements, the largest first.
        scalable: whether they are float32.
        budget: for passes over whole units.
        repeats: finds periods.
    """

    def __init__(self, units: Sequence[Unit], scalable: bool, budget: Budget, repeats: Repeats) -> None:
        self._scalable = scalable
        self._budget = budget
        self._repeats = repeats
        self._word = units[0].values.dtype
        self._heads = Heads(units)
        self._groups: list[Group] = []

    def run(self) -> list[Group]:
        """Groups of two and more units, or of one with a period; every unit is in one of them at most."""
        self._take_constants()
        for seed in self._heads.units[:_MOST_SEEDS]:
            if self._heads.has(seed):
                self._grow(seed)
        for group in self._groups:
            self._adopt(group)
        self._pool()
        return self._groups

    def _accept(self, group: Group) -> None:
        self._groups.append(group)
        self._heads = self._heads.without([unit for unit, _ in group.members])

    def _take_constants(self) -> None:
        constants: dict[int, Group] = {}
        for unit in self._heads.units:
            if unit.count >= _CONSTANT and unit.constant:
                part = folded(unit, 1)
                assert part is not None
                group = constants.setdefault(int(unit.head[1][0]), Group(Slots(self._word, 1)))
                group.add(unit, part)
        for group in constants.values():
            self._accept(group)

    def _grow(self, seed: Unit) -> None:
        """The vector that a unit is the beginning of, if it is proven."""
        period = self._repeats.period_of(seed)
        if period is None and not self._has_likes(seed):
            return
        group = self._gather(seed, period)
        if period is None and len(group.members) > 1:
            # What several layers know together may show the period that none of them shows.
            whole = group.slots.unit()
            period = None if whole is None else self._repeats.period_of(whole)
            if period is not None:
                tiled = self._gather(group.members[0][0], period)
                group = tiled if len(tiled.members) >= len(group.members) else group
        # The period of a unit alone is proven by itself, not by others that outvoted it.
        repeats = group.slots.period is not None and any(unit is seed for unit, _ in group.members)
        if len(group.members) > 1 or repeats:
            self._accept(group)

    def _has_likes(self, seed: Unit) -> bool:
        """Return whether the beginning of any other unit looks like that of this one."""
        screened = self._screen(self._heads, Slots.beginning(seed))
        if screened is None:
            return False
        likes = _nearly_all(screened.agree, screened.overlap)
        if self._scalable:
            likes |= _nearly_all(screened.signs, screened.overlap)
        return int(np.count_nonzero(likes)) > 1

    def _screen(self, heads: Heads, slots: Slots) -> Screened | None:
        """None: there is no unit, or too much was looked at already."""
        return heads.screen(slots) if heads.units and self._budget.spend(len(heads.places)) else None

    # --- one vector -----------------------------------------------------------------------------------------

    def _gather(self, seed: Unit, period: int | None, originals: int = _MOST_ORIGINALS) -> Group:
        """All that agree with a unit, or with what these know; without the seed, if the others outvote it."""
        group = Group(Slots(self._word, period))
        part = folded(seed, period)
        assert part is not None
        group.add(seed, part)
        settled, doubtful, nearly = {seed.number}, list[Unit](), list[Unit]()
        voted = False
        for _ in range(_MOST_PASSES):
            grown = self._join(group, seed.evidence, settled, doubtful)
            if doubtful and not voted:
                voted = True
                settled -= {unit.number for unit, scale in group.members if scale is not None}
                group = self._vote(group, doubtful)
                if not group.members:
                    return group
            elif not grown and not (self._scalable and self._join_scaled(group, seed.evidence, settled, nearly)):
                break
        for original in islice((unit for unit in nearly if self._is_copy(seed, unit, period)), originals):
            other = self._gather(original, period, originals=0)
            group = other if len(other.members) > len(group.members) else group
        return group

    def _is_copy(self, seed: Unit, original: Unit, period: int | None) -> bool:
        """Return whether the first unit is a multiple of one that was taken for a multiple of it."""
        slots = Slots(self._word, period)
        parts = folded(original, period), folded(seed, period)
        if parts[0] is None or parts[1] is None or not self._budget.spend(original.length + seed.length):
            return False
        slots.add(parts[0])
        found = scales.ratio(slots, seed)
        return found is not None and scales.exact(slots, parts[1], found[0]) is not None

    def _join(self, group: Group, evidence: float, settled: set[int], doubtful: list[Unit]) -> bool:
        """Units that know the same; whether there were any.

        Args:
            evidence: bits that an agreement is worth by what the first unit knows.
            settled: numbers of the units that need not be looked at again.
            doubtful: gets those that nearly agree.
        """
        screened = self._screen(self._heads, group.slots)
        if screened is None:
            return False
        grown = False
        worths = np.minimum(evidence, self._heads.worth)
        likes = _nearly_all(screened.agree, screened.overlap)
        for index in np.flatnonzero(likes & ~(self._heads.whole & (screened.agree * worths < EVIDENCE))):
            unit, worth = self._heads.units[index], worths[index]
            if unit.number in settled:
                continue
            part = self._folded(unit, group)
            if part is None:
                settled.add(unit.number)
                continue
            agree, contradict = group.slots.compare(part)
            # That it agrees with itself modulo the period tells as much.
            proven = (agree + unit.count - part.count) * worth >= EVIDENCE
            if not proven and not contradict:
                continue
            settled.add(unit.number)
            if not contradict:
                group.add(unit, part)
                grown = True
            elif proven and contradict * _DOUBT <= agree:
                doubtful.append(unit)
        return grown

    def _join_scaled(self, group: Group, evidence: float, settled: set[int], nearly: list[Unit]) -> bool:
        """Units that are multiples; whether there were any. `nearly` gets those that are but for the last bits."""
        screened = self._screen(self._heads, group.slots)
        if screened is None:
            return False
        grown = False
        worths = np.minimum(evidence, self._heads.worth)
        likes = _nearly_all(screened.signs, screened.overlap)
        # The factor itself is chosen to fit.
        for index in np.flatnonzero(likes & ((screened.overlap - 1) * worths >= EVIDENCE)):
            unit = self._heads.units[index]
            if unit.number in settled:
                continue
            if not self._budget.spend(len(unit.head[0])):
                break
            found = scales.ratio(group.slots, unit)
            if found is None or (found[1] - 1) * worths[index] < EVIDENCE:
                continue
            settled.add(unit.number)
            part = self._folded(unit, group)
            if part is None:
                continue
            scale = scales.exact(group.slots, part, found[0])
            if scale is None:
                nearly.append(unit)
            else:
                group.add(unit, part, scale)
                grown = True
        return grown

    def _folded(self, unit: Unit, group: Group) -> Unit | None:
        """The unit modulo the period of the vector; None if it contradicts itself, or too much was looked at."""
        period = group.slots.period
        if period is not None and not agrees_with_itself(*unit.head, period):
            return None
        return folded(unit, period) if self._budget.spend(unit.length) else None

    def _vote(self, group: Group, doubtful: Sequence[Unit]) -> Group:
        """The group of those that agree with what most of members and doubtful units have in each slot."""
        units = [unit for unit, scale in group.members if scale is None] + list(doubtful)
        units.sort(key=lambda unit: (-unit.length, unit.number))
        return self._loyal(units, group.slots.period)

    def _loyal(self, units: Sequence[Unit], period: int | None) -> Group:
        def parts() -> Iterator[tuple[Unit, Unit]]:
            for unit in units:
                part = folded(unit, period)
                assert part is not None
                yield unit, part

        choice = elected((part for _, part in parts()), Slots(self._word, period))
        group = Group(Slots(self._word, period))
        for unit, part in parts():
            if choice.compare(part)[1] == 0:
                group.add(unit, part)
        return group

    # --- what is left ---------------------------------------------------------------------------------------

    def _pool(self) -> None:
        """Units too small to show anything alone: a period by the distances in all of them together."""
        units = [unit for unit in self._heads.units if unit.head_is_all]
        if len(units) < 2:
            return
        heads = Heads(units)
        longest = max(unit.length for unit in units)
        for period in votes.candidates(heads.places, heads.words, longest):
            free = [unit for unit in units if self._heads.has(unit) and agrees_with_itself(*unit.head, period)]
            group = self._loyal(free, period)
            known = sum(unit.count for unit, _ in group.members)
            agree = known - int(np.count_nonzero(group.slots.state))
            # The period and who is a member were chosen to fit.
            chosen = math.log2(longest) + math.log2(math.comb(len(units), len(group.members)))
            if len(group.members) > 1 and (agree - 2) * worth_of(heads.words) - chosen >= EVIDENCE:
                self._accept(group)
                self._adopt(group)

    def _adopt(self, group: Group) -> None:
        """Small units that agree where they can: nothing is lost, whether it is chance or not."""
        factor = group.common_factor()
        heads = self._heads
        if factor is not None:
            # Nor does a unit of one value show whether it is a sign.
            group.slots.make_signs(factor)
            group.members = [(unit.plain(), scale) for unit, scale in group.members]
            heads = Heads([unit.plain() for unit in heads.units])
        while (screened := self._screen(heads, group.slots)) is not None:
            fitting = np.flatnonzero((screened.agree > 0) & (screened.agree == screened.overlap))
            found = [heads.units[index] for index in fitting if self._adopted(group, heads.units[index])]
            if not found:
                break
            heads = heads.without(found)
            self._heads = self._heads.without(found)

    def _adopted(self, group: Group, unit: Unit) -> bool:
        if group.slots.period is None and unit.length > len(group.slots.words):
            return False
        part = self._folded(unit, group)
        if part is None or group.slots.compare(part)[1]:
            return False
        group.add(unit, part)
        return True


def _nearly_all(agree: Counts, overlap: Counts) -> NDArray[np.bool_]:
    likes: NDArray[np.bool_] = (agree > 0) & (_DOUBT * (overlap - agree) <= agree)
    return likes
