"""Vectors that fill layers of which only some values are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....common.dtypes import FLOAT32
from ....common.words import Words
from .. import periods
from ..vector import Vector, Weight
from . import scales
from .budget import Budget
from .repeats import Repeats
from .search import Group, Search
from .unit import Unit

# Known elements in the head of a unit: so many that some 64 are known in two heads of this density. And in all heads.
_BOTH_KNOWN = 64
_SMALLEST_HEAD, _LARGEST_HEAD = 1 << 10, 1 << 14
_ALL_HEADS = 1 << 19
# Passes over all elements that are worth a vector; and distances at which `lags` looks. More for small networks.
_PASSES, _FREE_PASSES = 16, 1 << 24
_LAGS, _FREE_LAGS = 4, 1 << 24
# A layer as short as this repeats itself by chance.
_SHORTEST_REPETITION = 64


def find_partial(weights: Sequence[Weight]) -> list[Vector]:
    """Vectors with at least one layer that is partly known, each proven by all known elements of its layers.

    A layer is a member of one of them at most.
    """
    if not any(weight.partly_known for weight in weights):
        return []
    total = sum(len(weight.values) for weight in weights)
    budget, lags = Budget(_PASSES * total + _FREE_PASSES), Budget(_LAGS * total + _FREE_LAGS)
    found: list[Vector] = []
    for dtype in dict.fromkeys(weight.dtype for weight in weights):
        units = [_unit(number, weights) for number, weight in enumerate(weights) if weight.dtype == dtype]
        units = sorted((unit for unit in units if unit.count), key=lambda unit: (-unit.length, unit.number))
        if not units:
            continue
        if dtype == FLOAT32:
            for unit in units:
                unit.take_signs()
        groups = Search(units, dtype == FLOAT32, budget, Repeats(budget, lags)).run()
        found += [vector for group in groups for vector in _vectors(group, weights)]
    return found


def _unit(number: int, weights: Sequence[Weight]) -> Unit:
    weight = weights[number]
    known = weight.known if weight.partly_known else None
    density = 1.0 if known is None else known.density
    head = min(max(_SMALLEST_HEAD, int(_BOTH_KNOWN / max(density, 1e-9))), _LARGEST_HEAD, _ALL_HEADS // len(weights))
    return Unit(number, weight.values, known, max(head, 1))


def _vectors(group: Group, weights: Sequence[Weight]) -> list[Vector]:
    """The vector of a group, of the members that it gives again in every known bit."""
    values, known = group.slots.settle()
    vector = Vector(weights[group.members[0][0].number].dtype, values, known=known)
    for unit, scale in sorted(group.members, key=lambda member: (-member[0].length, member[0].number)):
        factor = unit.factor if scale is None else float(scale)
        factor = None if factor == 1.0 else factor
        if (
            not _repeats_whole(weights[unit.number])
            and scales.finite(values, factor)
            and _is_given(unit, values, factor)
        ):
            vector.members.append(unit.number)
            vector.scales.append(factor)
    longest = max((len(weights[number].values) for number in vector.members), default=0)
    alone = len(vector.members) < 2 and longest <= len(values)
    return [] if alone or not any(weights[number].partly_known for number in vector.members) else [vector]


def _repeats_whole(weight: Weight) -> bool:
    """Return whether a layer repeats itself with all that is not known: then not even its mask is worth storing."""
    length = len(weight.values)
    return weight.partly_known and length >= _SHORTEST_REPETITION and periods.minimal_period(weight.values) < length


def _is_given(unit: Unit, values: Words, factor: float | None) -> bool:
    """Return whether the repetition of the values, scaled, has the known words of a unit."""
    for places, words in unit.plain().elements():
        found = values[places % len(values)]
        if factor is not None:
            found = (found.view(np.float32) * np.float32(factor)).view(np.uint32)
        if not np.array_equal(found, words):
            return False
    return True
