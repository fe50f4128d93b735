"""Find the prototypes of a network from its values alone, and say each layer in the cheapest way.

The published code fills every layer from one short vector and then saves each layer by itself
(one-layer, max-layer padding, random-vector padding; Bai et al., NeurIPS 2022, section 3). Here the
sharing is found again: layers are compared as bits, from the largest to the smallest, so that a layer
is a repetition, a prefix or a scaled copy of a vector that is known already, or begins a new one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...common import bits
from ...common.bits import PIECE
from ...common.dtypes import FLOAT32
from ...common.words import Words
from ...network.mask import Mask
from . import periods
from .partial.find import find_partial
from .vector import Vector, Weight

_KEY_LENGTH = 16
_MAX_TRIED = 64
# What a prototype, its block and its presence mask cost beside their payload.
_OVERHEAD = 16


def find_vectors(weights: Sequence[Weight]) -> list[Vector]:
    """Group the layers by the vector that fills them, largest first, and decide how to store each.

    Every layer is a member of exactly one vector. Where only some values of a layer are known, these are looked at
    first; a layer that shares none of them is taken as it is.
    """
    found = find_partial(weights)
    taken = {number for vector in found for number in vector.members}
    index = _Index()
    for number in sorted(set(range(len(weights))) - taken, key=lambda i: (-len(weights[i].values), i)):
        weight = weights[number]
        match = index.match(weight)
        if match is None:
            period = periods.minimal_period(weight.values)
            index.add(Vector(weight.dtype, weight.values[:period], [number], [None]))
        else:
            match[0].members.append(number)
            match[0].scales.append(match[1])
    vectors = found + index.vectors
    for vector in vectors:
        decide(vector, weights)
    return vectors


class _Index:
    """Known vectors by their first elements."""

    def __init__(self) -> None:
        self.vectors: list[Vector] = []
        self._by_head: dict[tuple[str, bytes], list[Vector]] = defaultdict(list)
        self._by_signs: dict[bytes, list[Vector]] = defaultdict(list)
        # in the order of registration; those by short heads are there when a layer needs them
        self._heads: list[tuple[Vector, bytes]] = []
        self._with_short_heads = 0

    def add(self, vector: Vector) -> None:
        self.vectors.append(vector)
        self._register(vector)

    def _register(self, vector: Vector) -> None:
        words = periods.extend(vector.values, _KEY_LENGTH)
        head = words.tobytes()
        self._by_head[vector.dtype.name, head].append(vector)
        self._heads.append((vector, head))
        if vector.dtype == FLOAT32:
            self._by_signs[_signs(words)].append(vector)

    def _register_short_heads(self) -> None:
        """Layers shorter than the key are prefixes, too."""
        for vector, head in self._heads[self._with_short_heads :]:
            for stop in range(vector.values.itemsize, len(head), vector.values.itemsize):
                self._by_head[vector.dtype.name, head[:stop]].append(vector)
        self._with_short_heads = len(self._heads)

    def match(self, weight: Weight) -> tuple[Vector, float | None] | None:
        values = weight.values
        if not len(values):
            return None
        if len(values) < _KEY_LENGTH:
            self._register_short_heads()
        key = weight.dtype.name, values[:_KEY_LENGTH].tobytes()
        for vector in self._by_head.get(key, [])[:_MAX_TRIED]:
            if periods.is_tile_of(values, vector.values):
                return vector, None
        if weight.dtype != FLOAT32 or len(values) < _KEY_LENGTH:
            return None
        for vector in self._by_signs.get(_signs(values[:_KEY_LENGTH]), [])[:_MAX_TRIED]:
            scale = periods.scale_between(vector.values[: len(values)], values)
            if scale is not None:
                return vector, scale
            if self._rebase(vector, values):
                return vector, None
        return None

    def _rebase(self, vector: Vector, values: Words) -> bool:
        """Return whether the known vector is itself a scaled copy of `values`: then these become the vector."""
        if len(values) < len(vector.values) or any(scale is not None for scale in vector.scales):
            return False
        length = len(vector.values)
        scale = periods.scale_between(values[:length], vector.values)
        if scale is None or not periods.is_tile_of(values, values[:length]):
            return False
        vector.values = values[:length]
        vector.scales = [scale] * len(vector.members)
        self._register(vector)
        return True


def _signs(head: Words) -> bytes:
    return np.packbits(head.view(np.int32) < 0).tobytes()


def decide(vector: Vector, weights: Sequence[Weight]) -> None:
    """Shared prototype or kept values, whichever is smaller by estimate; and which elements to store."""
    length = len(vector.values)
    members = [weights[number] for number in vector.members]
    if length == 1:  # a constant: nothing is smaller than the one value
        return
    if not length or (len(members) == 1 and length == len(members[0].values)):
        vector.shared = False
        return
    used: NDArray[np.bool_] = np.zeros(length, dtype=np.bool_)
    for weight in members:
        np.logical_or(used, folded(weight.mask, length), out=used)
    stored = int(np.count_nonzero(used))
    distinct = _distinct(vector.values)
    element_bits = _element_bits(length, distinct, vector.values.itemsize)
    whole = length * element_bits
    idle = sum(_saved(weight, _count_used(used, len(weight.values)), vector.known is None) for weight in members)
    partial = stored * element_bits + length * _entropy(stored / length) + 8 * _OVERHEAD - idle
    if partial < whole:
        vector.presence = used
    kept = sum(
        weight.mask.count * _element_bits(len(weight.values), distinct, weight.values.itemsize) for weight in members
    )
    vector.shared = min(whole, partial) + 8 * _OVERHEAD < kept


def _saved(weight: Weight, active: int, all_known: bool) -> float:
    """Estimated bits that a mask saves where it has bits at `active` positions only.

    A bit each was the estimate before there were vectors that are partly known, and stays for the others: the same
    checkpoint gives the same file.
    """
    length, kept = len(weight.values), weight.mask.count
    if all_known or not active:
        return length - active
    return length * _entropy(kept / length) - active * _entropy(kept / active)


def folded(mask: Mask, length: int) -> NDArray[np.bool_]:
    """Return flags of the elements of a prototype of this length that the layer keeps somewhere."""
    folded: NDArray[np.bool_] = np.zeros(length, dtype=np.bool_)
    step = 8 * length * max(1, PIECE // (8 * length))  # whole periods, whole bytes
    for start in range(0, mask.length, step):
        flags = bits.unpack(mask.packed[start // 8 :], min(step, mask.length - start))
        whole = len(flags) // length * length
        folded |= flags[:whole].reshape(-1, length).any(axis=0)
        folded[: len(flags) - whole] |= flags[whole:]
    return folded


def _count_used(used: NDArray[np.bool_], count: int) -> int:
    rounds, rest = divmod(count, len(used))
    return rounds * int(np.count_nonzero(used)) + int(np.count_nonzero(used[:rest]))


def _distinct(values: Words) -> int:
    """Return the number of distinct values; all, where a sample says so: two of a hundred thousand draws coincide."""
    sample = values[: 1 << 17]
    if len(np.unique(sample)) > len(sample) // 2:
        return len(values)
    return len(np.unique(values))


def _element_bits(count: int, distinct: int, itemsize: int) -> float:
    """Estimated bits an element of `count`: an index into the distinct values where these are few."""
    plain = 8.0 * itemsize
    if 2 * distinct > count:
        return plain
    return min(plain, math.ceil(math.log2(distinct)) + plain * distinct / count)


def _entropy(p: float) -> float:
    return 0.0 if p in (0.0, 1.0) else -p * math.log2(p) - (1 - p) * math.log2(1 - p)
