"""Vectors that PyTorch's CPU generator drew: found again from their values (spec section 8.8).

What is claimed reproduces every value that a mask keeps; a few elements may be patched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
# What a generator costs in the manifest, and a patch of it.
_ROW_BYTES, _PATCH_BYTES = 32, 5
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
    given, seed = seed, seed & 0xFFFFFFFF  # what the CPU generator takes of it
    found = _with_prefixes(targets, search(targets, seed, progress), seed, progress)
    generators = {
        number: _generator(one, len(target.values), seed)
        for number, target, one in zip(numbers, targets, found, strict=True)
        if one is not None
    }
    return Seeded(generators, *_said(given, targets, found))


def _with_prefixes(
    targets: Sequence[Target], found: Sequence[Found | None], seed: int, progress: Progress
) -> list[Found | None]:
    """Also vectors that are the beginning of a longer tensor (random-vector padding keeps the first d values of one).

    The last sixteen elements of a normal tensor whose length is no multiple of sixteen are drawn again, after all
    others; of a beginning they are not, so that they are patched.
    """
    complete = list(found)
    numbers = [n for n, one in enumerate(found) if one is None and len(targets[n].values) % BLOCK]
    whole = [_beginning(targets[n]) for n in numbers]
    for number, one in zip(numbers, search(whole, seed, progress) if whole else [], strict=True):
        target = targets[number]
        if one is None or one.distribution != "normal":
            continue
        values = _generator(replace(one, patches=()), len(target.values), seed).values().view(np.uint32)
        places = np.flatnonzero(target.wanted & (values != target.values)).tolist()
        if _ROW_BYTES + _PATCH_BYTES * len(places) < 4 * int(np.count_nonzero(target.wanted)):
            patches = tuple((place, int(target.values[place])) for place in places)
            complete[number] = replace(one, patches=patches)
    return complete


def _beginning(target: Target) -> Target:
    count = len(target.values) // BLOCK * BLOCK
    return Target(target.name, target.values[:count], target.wanted[:count])


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
