"""Tied tensors: names of one memory that also mean the same, found when everything has been recognised.

Sharing memory says nothing about meaning: one of two names may have a mask, or another one. It decides only whether
equal tensors are one tensor again when the file is loaded.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ..common.words import Words
from .draft import DraftEntry, MaskedWeight, PlainTensor, SeededWeight, TiedTensor


def tied(entries: Sequence[DraftEntry]) -> list[DraftEntry]:
    """The entries, of which later ones become `TiedTensor` where an earlier one of the same memory means the same.

    Equal are type, shape, every value, mask, and what a zero bit stands for; and the earlier one is there for every
    task of the later one.
    """
    first: dict[Hashable, list[PlainTensor | MaskedWeight | SeededWeight]] = {}
    found: list[DraftEntry] = []
    for entry in entries:
        if isinstance(entry, TiedTensor) or entry.memory is None:
            found.append(entry)
            continue
        candidates = first.setdefault(entry.memory, [])
        twin = next((one for one in candidates if one.task in (0, entry.task) and means_the_same(one, entry)), None)
        if twin is None:
            candidates.append(entry)
            found.append(entry)
        else:
            found.append(TiedTensor(entry.name, twin.name, entry.task, entry.source, getattr(entry, "scores", ())))
    return found


def means_the_same(one: DraftEntry, two: DraftEntry) -> bool:
    """Return whether two entries of one memory stand for the same weights."""
    if isinstance(one, PlainTensor) and isinstance(two, PlainTensor):
        return (one.dtype, one.shape) == (two.dtype, two.shape) and _equal(one.values, two.values)
    if isinstance(one, MaskedWeight) and isinstance(two, MaskedWeight):
        alike = (one.dtype, one.shape) == (two.dtype, two.shape) and one.mask == two.mask
        return alike and (one.known is None) == (two.known is None) and _equal(one.values, two.values)
    if isinstance(one, SeededWeight) and isinstance(two, SeededWeight):
        return all(
            getattr(one, name) == getattr(two, name)
            for name in ("shape", "prototype", "mask", "zero", "factor", "coats")
        )
    return False


def _equal(one: Words, two: Words) -> bool:
    if one is two or one.__array_interface__["data"] == two.__array_interface__["data"]:
        return len(one) == len(two)
    return np.array_equal(one, two)
