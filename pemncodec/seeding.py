"""Vectors that PyTorch's CPU generator drew: found again from their values (spec section 8.8).

What is claimed reproduces every value that a mask keeps; a few elements may be patched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dtypes import FLOAT32, float32_of
from .options import Seeding
from .progress import Progress, silent
from .prototypes.find import folded
from .prototypes.pytorch import BLOCK, PytorchGenerator
from .prototypes.seeds import Found, Prober, Target, search
from .prototypes.vector import Vector, Weight

# Seeds that people choose beyond the first ten thousand.
USUAL = (12345, 31337, 123456, 1234567, 12345678, 123456789, 20190523, 20200101, 20210101, 20220101, 3735928559)
_NAMES = {
    "uniform": "uniform",
    "normal": "normal",
    "uniform-signs": "signs of uniform",
    "normal-signs": "signs of normal",
}


@dataclass(frozen=True)
class Seeded:
    """Generators by the number of the vector, and what to say of them."""

    generators: dict[int, PytorchGenerator]
    findings: list[str]
    notes: list[str]


NOTHING = Seeded({}, [], [])


def find_generators(
    vectors: Sequence[Vector],
    weights: Sequence[Weight],
    names: Sequence[str],
    seeding: Seeding,
    progress: Progress = silent,
) -> Seeded:
    """Search where the vectors were drawn.

    Args:
        vectors: of `find_vectors`.
        weights: what they fill.
        names: of the weights.
        seeding: the seed, or how many to try.
    """
    if seeding.seed is None and not seeding.tried:
        return NOTHING
    numbers = [
        number for number, vector in enumerate(vectors) if vector.dtype == FLOAT32 and len(vector.values) >= BLOCK
    ]
    targets = [_target(vectors[number], weights, names) for number in numbers]
    if not targets:
        return Seeded({}, [], ["no layer has float32 values that a seed could have made"])
    seed = seeding.seed if seeding.seed is not None else _find_seed(targets, seeding.tried, progress)
    if seed is None:
        return Seeded({}, [], [f"none of the seeds 0 … {seeding.tried - 1}, nor a usual one, made these weights"])
    seed &= 0xFFFFFFFF  # what the CPU generator takes of it
    found = search(targets, seed, progress)
    generators = {
        number: _generator(one, len(target.values), seed)
        for number, target, one in zip(numbers, targets, found, strict=True)
        if one is not None
    }
    return Seeded(generators, *_said(seed, targets, found))


def _find_seed(targets: Sequence[Target], tried: int, progress: Progress) -> int | None:
    candidates = [*range(tried), *(seed for seed in USUAL if seed >= tried)]
    comes_from = Prober(targets)
    for number, seed in enumerate(candidates):
        progress(number, len(candidates), f"seed {seed}")
        if comes_from(seed & 0xFFFFFFFF):
            return int(seed)
    return None


def _target(vector: Vector, weights: Sequence[Weight], names: Sequence[str]) -> Target:
    wanted: NDArray[np.bool_] = np.zeros(len(vector.values), dtype=np.bool_)
    for member in vector.members:
        np.logical_or(wanted, folded(weights[member].mask, len(wanted)), out=wanted)
    return Target(names[vector.members[0]], vector.values, wanted)


def _generator(found: Found, length: int, seed: int) -> PytorchGenerator:
    scale, low = float32_of(found.scale), float32_of(found.low)
    return PytorchGenerator(_NAMES[found.distribution], length, seed, found.offset, scale, low, found.patches)


def _said(seed: int, targets: Sequence[Target], found: Sequence[Found | None]) -> tuple[list[str], list[str]]:
    made = [one for one in found if one is not None]
    patches = sum(len(one.patches) for one in made)
    findings, notes = [], []
    if made:
        kinds = ", ".join(sorted({_NAMES[one.distribution] for one in made}))
        line = f"torch.manual_seed({seed}) made {len(made)} of {len(targets)} vectors ({kinds})"
        findings.append(line + (f", {patches} elements patched" if patches else ""))
    missed = [target.name for target, one in zip(targets, found, strict=True) if one is None]
    if missed:
        which = f"{', '.join(map(repr, missed[:4]))}{', …' if len(missed) > 4 else ''}"
        notes.append(f"torch.manual_seed({seed}) did not make {len(missed)} of {len(targets)} vectors: {which}")
    return findings, notes
