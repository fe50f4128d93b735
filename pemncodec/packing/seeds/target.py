"""Targets of the search, its results, and when these are more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...container.manifest.patches import Patches

BLOCK = 16
MANTISSA = 24
# Bits by which a find has to be better than the best of all places by chance.
_MARGIN = 32
# Bits that an element of equal float32 bits is worth: two draws give equal bits about once in 2^22.
_VALUE_BITS = 20
# That one is worth which is as near as `differing` says.
_NEAR_BITS = 16


@dataclass(frozen=True)
class Target:
    """One vector of weights.

    Attributes:
        name: for progress.
        values: float32 bits; as many as the tensor that was drawn has elements.
        wanted: which elements have to be reproduced; the others are arbitrary.
    """

    name: str
    values: NDArray[np.uint32]
    wanted: NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """The place and the parameters with which a target was drawn.

    Attributes:
        distribution: as `PytorchGenerator` names them.
        dialect: the one in which the fewest elements differ.
        sure: whether in every other one more of them do.
        offset: number of the first draw.
        scale: float32 bits.
        low: float32 bits; of a uniform distribution.
        differences: index of the wanted elements that differ, ascending, and by how much their bits do, modulo 2^32.
    """

    distribution: str
    dialect: str
    sure: bool
    offset: int
    scale: int
    low: int
    differences: Patches


def tolerated(wanted: int) -> int:
    """Return how many of the wanted elements may be other ones; any number may differ in its last places."""
    return wanted // 20


def outliers(wanted: int) -> int:
    """Return how many of the wanted elements may lie outside of the interval of a uniform."""
    return wanted // 1000


def beyond_chance(distribution: str, wanted: int, mismatches: int, window: int, near: int = 0) -> bool:
    """Return whether so many equal elements are evidence, among all places of the window, scales and sets of patches.

    Args:
        distribution: of the find.
        wanted: how many elements have to be reproduced.
        mismatches: how many of them are others.
        window: among how many places the find was made.
        near: how many of them differ in their last places.
    """
    if mismatches > tolerated(wanted):
        return False
    choices = math.lgamma(wanted + 1) - math.lgamma(mismatches + 1) - math.lgamma(wanted - mismatches + 1)
    given = math.log2(max(window, 1)) + choices / math.log(2)
    if distribution.startswith("signs"):
        return wanted - mismatches >= given + _MARGIN
    seen = _VALUE_BITS * (wanted - mismatches - near) + _NEAR_BITS * near
    return seen >= given + MANTISSA + _MARGIN


def default_window(targets: Sequence[Target], elements: int = 0) -> int:
    """Return the number of draws in which offsets are looked for: a network is drawn a few times over, scores too.

    Args:
        targets: what is looked for.
        elements: of the whole network, that of the targets included.
    """
    return 8 * max(elements, sum(len(target.values) for target in targets)) + (1 << 24)


def magnitudes(target: Target) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Positions and values of the wanted elements that are finite and not zero."""
    bits = target.values & np.uint32(0x7FFFFFFF)
    usable = target.wanted & (bits != 0) & (bits < 0x7F800000)
    positions = np.flatnonzero(usable)
    return positions, target.values.view(np.float32)[positions]


def draw_of_angle(positions: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Number of the draw, from the first of the tensor on, that makes the angle of a normal element (spec 8.8)."""
    tail = length - BLOCK if length % BLOCK else length
    return np.where(positions >= tail, (positions - tail) | 8, positions | 8) + np.where(positions >= tail, length, 0)
