"""Patches of generated elements: checked, and applied (spec sections 4.5 and 8.9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..container.manifest.patches import Patches
from ..errors import NetworkError

Words = NDArray[np.uint32]


def checked(patches: Sequence[tuple[int, int]], length: int) -> Patches:
    """Pairs of index and word as patches.

    Raises:
        NetworkError: they are not in ascending order below `length`, or a word has more than 32 bits.
    """
    try:
        made = _flat(patches)
    except (OverflowError, TypeError, ValueError):
        raise NetworkError("patches must be pairs of an index and a word of 32 bits") from None
    if not made.fit(length):
        raise NetworkError("patches must be in ascending order and inside the prototype")
    return made


def put(bits: Words, patches: Sequence[tuple[int, int]], start: int = 0) -> None:
    """Words in the place of those elements that `bits`, elements from `start` on, has."""
    places, words = inside(patches, start, start + len(bits))
    bits[places] = words


def add(bits: Words, patches: Sequence[tuple[int, int]], start: int = 0) -> None:
    """Words added, modulo 2^32."""
    places, words = inside(patches, start, start + len(bits))
    bits[places] += words


def inside(patches: Sequence[tuple[int, int]], start: int, stop: int) -> tuple[NDArray[np.int64], Words]:
    """Places, counted from `start` on, and words of the patches of elements start … stop − 1."""
    made = _flat(patches)
    indices = np.array(made.indices, dtype=np.int64)
    first, last = np.searchsorted(indices, [start, stop])
    return indices[first:last] - start, np.array(made.words, dtype=np.uint32)[first:last]


def _flat(patches: Sequence[tuple[int, int]]) -> Patches:
    return patches if isinstance(patches, Patches) else Patches(patches)
