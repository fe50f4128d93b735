"""Say in the paper's words which prototypes were found (Bai et al., NeurIPS 2022, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...common import bits
from ...common.bits import PIECE
from ...common.words import Words
from .vector import Vector, Weight

_MOST_LINES = 8
_KEPT = " (from kept values)"
_UNSIGNED = "unsigned constant: one value a layer"


def describe(vectors: Sequence[Vector], weights: Sequence[Weight]) -> list[str]:
    """One line a finding, the strategy of the whole network first where it has a name."""
    filled = [vector for vector in vectors if any(_says_something(weights[number]) for number in vector.members)]
    if not filled:
        return []
    found = [vector for vector in filled if vector.known is not None]
    lines = _from_kept_values(found, filled, weights) if found else [_strategy(filled, weights)]
    scaled = sum(scale is not None for vector in filled for scale in vector.scales)
    if scaled:
        lines.append(f"{scaled} layers are scaled copies")
    partial = [vector.presence for vector in filled if vector.shared and vector.presence is not None]
    total, stored = sum(map(len, partial)), sum(int(np.count_nonzero(presence)) for presence in partial)
    if stored < total:
        lines.append(f"{stored} of {total} shared values are kept by some layer and stored")
    return lines


def _says_something(weight: Weight) -> bool:
    return (len(weight.values) if weight.known is None else weight.known.count) > 0


def _from_kept_values(found: Sequence[Vector], filled: Sequence[Vector], weights: Sequence[Weight]) -> list[str]:
    """Lines for vectors that kept values show, and what is left."""
    layers = sum(len(vector.members) for vector in filled)
    others = layers - sum(len(vector.members) for vector in found)
    if len(found) > 1 or others:
        if all(_distinct(vector, weights) == 1 for vector in filled):
            return [_UNSIGNED + _KEPT]
        if all(_one_length(vector, weights) == len(vector.values) for vector in found):
            return [_one_layer(found, layers) + _KEPT]
        if all(len(vector.members) == 1 for vector in found) and not others:
            return [_tiled(found) + _KEPT]
    lines = [_one_vector(vector, weights) + _KEPT for vector in found[:_MOST_LINES]]
    if len(found) > len(lines):
        count = sum(len(vector.members) for vector in found[_MOST_LINES:])
        lines.append(f"{len(found) - len(lines)} more prototypes for {count} layers")
    if others:
        lines.append(f"{others} layers have their own values")
    return lines


def _words(vector: Vector, weights: Sequence[Weight]) -> Iterator[Words]:
    """Yield the known values, a piece at a time."""
    known = weights[vector.members[0]].known if vector.known is None else None
    for start in range(0, len(vector.values), PIECE):
        words = vector.values[start : start + PIECE]
        if vector.known is not None:
            words = words[vector.known[start : start + PIECE]]
        elif known is not None and known.length == len(vector.values):
            words = words[bits.unpack(known.packed[start // 8 :], len(words))]
        if len(words):
            yield words


def _distinct(vector: Vector, weights: Sequence[Weight]) -> int:
    """Number of distinct values, where it is at most 2; otherwise 3, for many. Never sorts a whole layer."""
    few = np.empty(0, dtype=vector.values.dtype)
    for words in _words(vector, weights):
        if len(set(words[:8].tolist())) > 2:
            return 3
        few = np.union1d(few, words[:4096])
        if len(few) > 2 or np.any((words != few[0]) & (words != few[-1])):
            return 3
    return len(few)


def _signed(vector: Vector, weights: Sequence[Weight]) -> bool:
    """Return whether the values are c and −c."""
    if _distinct(vector, weights) != 2:
        return False
    few = np.unique(np.concatenate([words[:4096] for words in _words(vector, weights)]))
    return int(few[0] ^ few[-1]) == 1 << 8 * vector.values.itemsize - 1


def _one_length(vector: Vector, weights: Sequence[Weight]) -> int | None:
    """The length of all members, where it is one."""
    lengths = {len(weights[number].values) for number in vector.members}
    return lengths.pop() if len(lengths) == 1 else None


def _strategy(vectors: Sequence[Vector], weights: Sequence[Weight]) -> str:
    layers = sum(len(vector.members) for vector in vectors)
    kept = _KEPT if any(weights[number].partly_known for vector in vectors for number in vector.members) else ""
    distinct = [_distinct(vector, weights) for vector in vectors]
    if all(count == 1 for count in distinct):
        return _UNSIGNED + kept
    if all(count == 2 for count in distinct):
        return "signed constant: two values a layer" + kept
    if len(vectors) == 1 and layers > 1:
        return _one_vector(vectors[0], weights)
    shared = [vector for vector in vectors if len(vector.members) > 1]
    if not shared:
        repeated = [vector for vector in vectors if len(vector.values) < len(weights[vector.members[0]].values)]
        return _tiled(repeated) if repeated else f"full: every layer has its own values ({layers} layers)"
    if all(_one_length(vector, weights) is not None for vector in shared):
        return _one_layer(shared, layers)
    return f"{len(vectors)} prototypes for {layers} layers"


def _tiled(vectors: Sequence[Vector]) -> str:
    lengths = ", ".join(str(len(vector.values)) for vector in vectors[:4])
    return f"one vector a layer, tiled (lengths {lengths}{', …' if len(vectors) > 4 else ''})"


def _one_layer(shared: Sequence[Vector], layers: int) -> str:
    count = sum(len(vector.members) for vector in shared)
    return f"one-layer: {count} layers share {len(shared)} sets of values, {layers - count} have their own"


def _one_vector(vector: Vector, weights: Sequence[Weight]) -> str:
    layers, largest = len(vector.members), max(len(weights[number].values) for number in vector.members)
    signs = " (signed constant)" if vector.known is not None and _signed(vector, weights) else ""
    if len(vector.values) == 1:
        return f"unsigned constant: one value in {layers} layers"
    if len(vector.values) < largest:
        return f"random-vector padding: {len(vector.values)} values{signs}, tiled over {layers} layers"
    if _one_length(vector, weights) is not None:
        return f"one-layer: {layers} layers share one set of {largest} values{signs}"
    values = vector.values if vector.known is None else vector.values[vector.known]
    distinct = len(np.unique(values))
    if 2 * distinct <= len(values) and not signs:
        return (
            f"random-vector padding, permuted: {distinct} distinct values in {largest}, "
            f"prefixes of it in {layers} layers"
        )
    return f"max-layer padding: {layers} layers are prefixes of {largest} values{signs}"
