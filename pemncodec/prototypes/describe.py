"""Say in the paper's words which prototypes were found (Bai et al., NeurIPS 2022, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..words import Words
from .find import Vector, Weight


def describe(vectors: Sequence[Vector], weights: Sequence[Weight]) -> list[str]:
    """One line a finding, the strategy of the whole network first where it has a name."""
    filled = [vector for vector in vectors if len(vector.values)]
    if not filled:
        return []
    lines = [_strategy(filled, weights)]
    scaled = sum(scale is not None for vector in filled for scale in vector.scales)
    if scaled:
        lines.append(f"{scaled} layers are scaled copies")
    partial = [vector.presence for vector in filled if vector.shared and vector.presence is not None]
    total, stored = sum(map(len, partial)), sum(int(np.count_nonzero(presence)) for presence in partial)
    if stored < total:
        lines.append(f"of {total} shared values {stored} are kept by some layer, and stored")
    return lines


def _distinct(values: Words) -> int:
    """Number of distinct values, where it is 1 or 2; otherwise 3, for many. Never sorts a whole layer."""
    few = np.unique(values[:4096])
    if len(few) > 2:
        return 3
    others = values[(values != few[0]) & (values != few[-1])]
    return 3 if len(others) else len(few)


def _strategy(vectors: Sequence[Vector], weights: Sequence[Weight]) -> str:
    layers = sum(len(vector.members) for vector in vectors)
    distinct = [_distinct(vector.values) for vector in vectors]
    if all(count == 1 for count in distinct):
        return "unsigned constant: one value a layer"
    if all(count == 2 for count in distinct):
        return "signed constant: two values a layer"
    if len(vectors) == 1 and layers > 1:
        return _one_vector(vectors[0], weights, layers)
    shared = [vector for vector in vectors if len(vector.members) > 1]
    if not shared:
        repeated = [vector for vector in vectors if len(vector.values) < len(weights[vector.members[0]].values)]
        if repeated:
            lengths = ", ".join(str(len(vector.values)) for vector in repeated[:4])
            return f"one vector a layer, tiled (lengths {lengths}{', …' if len(repeated) > 4 else ''})"
        return f"full: every layer has its own values ({layers} layers)"
    equal = all(len({len(weights[number].values) for number in vector.members}) == 1 for vector in shared)
    if equal:
        count = sum(len(vector.members) for vector in shared)
        return f"one-layer: {count} layers share {len(shared)} sets of values, {layers - count} have their own"
    return f"{len(vectors)} prototypes for {layers} layers"


def _one_vector(vector: Vector, weights: Sequence[Weight], layers: int) -> str:
    largest = max(len(weights[number].values) for number in vector.members)
    if len(vector.values) < largest:
        return f"random-vector padding: {len(vector.values)} values, tiled over {layers} layers"
    if all(len(weights[number].values) == largest for number in vector.members):
        return f"one-layer: {layers} layers share one set of {largest} values"
    distinct = len(np.unique(vector.values))
    if 2 * distinct <= len(vector.values):
        return (
            f"random-vector padding, permuted: {distinct} distinct values in {largest}, "
            f"prefixes of it in {layers} layers"
        )
    return f"max-layer padding: {layers} layers are prefixes of {largest} values"
