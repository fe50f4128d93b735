"""Say in the paper's words which prototypes were found (Bai et al., NeurIPS 2022, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..words import Words
from .vector import Vector, Weight

_MOST_LINES = 8
_UNSIGNED = "unsigned constant: one value a layer"


def describe(vectors: Sequence[Vector], weights: Sequence[Weight]) -> list[str]:
    """One line a finding, the strategy of the whole network first where it has a name."""
    filled = [vector for vector in vectors if len(vector.values)]
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
        lines.append(f"of {total} shared values {stored} are kept by some layer, and stored")
    return lines


def _from_kept_values(found: Sequence[Vector], filled: Sequence[Vector], weights: Sequence[Weight]) -> list[str]:
    """Lines for vectors that kept values show, and what is left."""
    layers = sum(len(vector.members) for vector in filled)
    others = layers - sum(len(vector.members) for vector in found)
    if len(found) > 1 or others:
        if all(_one_length(vector, weights) == len(vector.values) for vector in found):
            return [f"{_one_layer(found, layers)} (from kept values)"]
        if all(_distinct(vector) == 1 for vector in found) and not others:
            return [f"{_UNSIGNED} (from kept values)"]
        if all(len(vector.members) == 1 for vector in found) and not others:
            return [f"{_tiled(found)} (from kept values)"]
    lines = [f"{_one_vector(vector, weights)} (from kept values)" for vector in found[:_MOST_LINES]]
    if len(found) > len(lines):
        count = sum(len(vector.members) for vector in found[_MOST_LINES:])
        lines.append(f"{len(found) - len(lines)} more prototypes for {count} layers")
    if others:
        lines.append(f"{others} layers have their own values")
    return lines


def _distinct(vector: Vector) -> int:
    """Number of distinct values, where it is 1 or 2; otherwise 3, for many. Never sorts a whole layer."""
    values = _known(vector)
    few = np.unique(values[:4096])
    if len(few) > 2:
        return 3
    others = values[(values != few[0]) & (values != few[-1])]
    return 3 if len(others) else len(few)


def _signed(vector: Vector) -> bool:
    """Whether the values are c and −c."""
    few = np.unique(_known(vector)[:4096])
    return _distinct(vector) == 2 and int(few[0] ^ few[-1]) == 1 << 8 * vector.values.itemsize - 1


def _known(vector: Vector) -> Words:
    return vector.values if vector.known is None else vector.values[vector.known]


def _one_length(vector: Vector, weights: Sequence[Weight]) -> int | None:
    """The length of all members, where it is one."""
    lengths = {len(weights[number].values) for number in vector.members}
    return lengths.pop() if len(lengths) == 1 else None


def _strategy(vectors: Sequence[Vector], weights: Sequence[Weight]) -> str:
    layers = sum(len(vector.members) for vector in vectors)
    distinct = [_distinct(vector) for vector in vectors]
    if all(count == 1 for count in distinct):
        return _UNSIGNED
    if all(count == 2 for count in distinct):
        return "signed constant: two values a layer"
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
    signs = " (signed constant)" if vector.known is not None and _signed(vector) else ""
    if len(vector.values) == 1:
        return f"unsigned constant: one value in {layers} layers"
    if len(vector.values) < largest:
        return f"random-vector padding: {len(vector.values)} values{signs}, tiled over {layers} layers"
    if _one_length(vector, weights) is not None:
        return f"one-layer: {layers} layers share one set of {largest} values{signs}"
    values = _known(vector)
    distinct = len(np.unique(values))
    if 2 * distinct <= len(values) and not signs:
        return (
            f"random-vector padding, permuted: {distinct} distinct values in {largest}, "
            f"prefixes of it in {layers} layers"
        )
    return f"max-layer padding: {layers} layers are prefixes of {largest} values{signs}"
