"""Say in the paper's words which prototypes were found (Bai et al., NeurIPS 2022, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    for vector in filled:
        if vector.presence is not None and vector.shared:
            stored = int(np.count_nonzero(vector.presence))
            if stored < len(vector.values):
                lines.append(f"{stored} of {len(vector.values)} values are kept by some layer, and stored")
    return lines


def _strategy(vectors: Sequence[Vector], weights: Sequence[Weight]) -> str:
    layers = sum(len(vector.members) for vector in vectors)
    distinct = [len(np.unique(vector.values)) for vector in vectors]
    if all(count == 1 for count in distinct):
        return "unsigned constant: one value a layer"
    if all(count == 2 for count in distinct):
        return "signed constant: two values a layer"
    if len(vectors) == 1 and layers > 1:
        return _one_vector(vectors[0], weights, distinct[0], layers)
    shared = [vector for vector in vectors if len(vector.members) > 1]
    if not shared:
        repeated = [vector for vector in vectors if len(vector.values) < len(weights[vector.members[0]].values)]
        if repeated:
            lengths = ", ".join(str(len(vector.values)) for vector in repeated[:4])
            return f"one random vector a layer, tiled (lengths {lengths}{', …' if len(repeated) > 4 else ''})"
        return f"full: every layer has its own values ({layers} layers)"
    equal = all(len({len(weights[number].values) for number in vector.members}) == 1 for vector in shared)
    if equal:
        count = sum(len(vector.members) for vector in shared)
        return f"one-layer: {count} layers share {len(shared)} sets of values, {layers - count} have their own"
    return f"{len(vectors)} prototypes for {layers} layers"


def _one_vector(vector: Vector, weights: Sequence[Weight], distinct: int, layers: int) -> str:
    largest = max(len(weights[number].values) for number in vector.members)
    if len(vector.values) < largest:
        return f"random-vector padding: {len(vector.values)} values, tiled over {layers} layers"
    if all(len(weights[number].values) == largest for number in vector.members):
        return f"one-layer: {layers} layers share one set of {largest} values"
    if 2 * distinct <= len(vector.values):
        return (
            f"random-vector padding, permuted: {distinct} distinct values in {largest}, "
            f"prefixes of it in {layers} layers"
        )
    return f"max-layer padding: {layers} layers are prefixes of {largest} values"
