"""Vectors that PyTorch's CPU generator drew: found again from their values (spec sections 8.8 and 8.9).

What is claimed reproduces every value that a mask keeps; elements that differ are patched, where that is smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .container.generators import FUSED, PYTORCH_BLOCK
from .container.patches import Patches
from .dtypes import FLOAT32, float32_of
from .options import Seeding
from .progress import Progress, silent
from .prototypes.find import folded
from .prototypes.pytorch import PytorchGenerator
from .prototypes.pytorch_numbers import DIALECTS
from .prototypes.seeds import Found, Prober, Target, origin, search
from .prototypes.vector import Vector, Weight

# Seeds that people choose beyond the first ten thousand.
USUAL = (12345, 31337, 123456, 1234567, 12345678, 123456789, 20190523, 20200101, 20210101, 20220101, 3735928559)
# What a generator costs in the manifest, and at most what a float32 value does in a block, in bytes.
_ROW_BYTES, _VALUE_BYTES = 32, 3
# In a longer one sixteen elements that differ do not hide where it was drawn.
_SHORT = 1 << 15
# What patches may take of a manifest, which has at most 2^24 bytes.
_MOST_PATCH_BYTES = 1 << 23


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
        number for number, each in enumerate(vectors) if each.dtype == FLOAT32 and len(each.values) >= PYTORCH_BLOCK
    ]
    targets = [_target(vectors[number], weights, names) for number in numbers]
    if not targets:
        return Seeded({}, [], ["no layer has float32 values that a seed could have made"])
    seed = seeding.seed if seeding.seed is not None else _find_seed(targets, seeding.tried, progress)
    if seed is None:
        return Seeded({}, [], [f"none of the seeds 0 … {seeding.tried - 1}, nor a usual one, made these weights"])
    given, seed = seed, seed & 0xFFFFFFFF  # what the CPU generator takes of it
    found = _with_prefixes(targets, search(targets, seed, progress), seed, progress)
    generators: list[PytorchGenerator | None] = []
    room = _MOST_PATCH_BYTES
    for target, one in zip(targets, found, strict=True):
        made = None if one is None else _generator(one, target, seed, room)
        room -= 0 if made is None else _patch_bytes(made)
        generators.append(made)
    called = [
        origin.called(target.name, len(vectors[number].members))
        for number, target in zip(numbers, targets, strict=True)
    ]
    return Seeded(
        {number: made for number, made in zip(numbers, generators, strict=True) if made is not None},
        origin.findings(given, called, generators),
        origin.notes(given, called, generators, [one is not None for one in found]),
    )


def _with_prefixes(
    targets: Sequence[Target], found: Sequence[Found | None], seed: int, progress: Progress
) -> list[Found | None]:
    """Also vectors that are the beginning of a longer tensor (random-vector padding keeps the first d values of one).

    The last sixteen elements of a normal tensor whose length is no multiple of sixteen are drawn again, after all
    others; of a beginning they are not, so that they are patched.
    """
    complete = list(found)
    numbers = [n for n, one in enumerate(found) if one is None and _beginning(targets[n]) is not None]
    whole = [beginning for n in numbers if (beginning := _beginning(targets[n])) is not None]
    for number, one in zip(numbers, search(whole, seed, progress) if whole else [], strict=True):
        target = targets[number]
        if one is None or one.distribution != "normal":
            continue
        made = _plain(one, len(target.values), seed).values().view(np.uint32)
        words = np.where(target.wanted, target.values - made, np.uint32(0))
        places = np.flatnonzero(words)
        complete[number] = replace(one, differences=Patches.of(places.tolist(), words[places].tolist()))
    return complete


def _beginning(target: Target) -> Target | None:
    """The elements that were drawn once, if that are not all of them."""
    count = len(target.values) // PYTORCH_BLOCK * PYTORCH_BLOCK
    if count in (0, len(target.values)):
        return None
    return Target(target.name, target.values[:count], target.wanted[:count])


def _find_seed(targets: Sequence[Target], tried: int, progress: Progress) -> int | None:
    candidates = [*range(tried), *(seed for seed in USUAL if seed >= tried)]
    short = [target for target in targets if len(target.values) < _SHORT]
    beginnings = [each for target in short if (each := _beginning(target)) is not None]
    comes_from = Prober(targets, beginnings)
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


def _plain(found: Found, length: int, seed: int) -> PytorchGenerator:
    scale, low = float32_of(found.scale), float32_of(found.low)
    return PytorchGenerator(found.distribution, length, seed, found.offset, scale, low, dialect=found.dialect)


def _generator(found: Found, target: Target, seed: int, room: int) -> PytorchGenerator | None:
    """The generator with its patches, unless values are smaller or the patches do not fit."""
    plain = _plain(found, len(target.values), seed)
    made = replace(plain, steps=found.differences) if plain.distribution in DIALECTS else None
    if plain.dialect == FUSED:
        indices = found.differences.indices
        as_bits = replace(plain, patches=Patches.of(indices, target.values[np.array(indices, np.int64)].tolist()))
        # An older reader knows patches as bits: steps are for what they make much smaller.
        if made is None or 2 * _patch_bytes(made) > _patch_bytes(as_bits):
            made = as_bits
    assert made is not None  # signs have one dialect
    wanted = int(np.count_nonzero(target.wanted))
    size = _patch_bytes(made)
    return made if _ROW_BYTES + size < _VALUE_BYTES * wanted and size <= room else None


def _patch_bytes(generator: PytorchGenerator) -> int:
    """Bytes of patches in the manifest, before it is compressed."""
    patches = Patches(generator.patches or generator.steps)
    indices = np.array([-1, *patches.indices], np.int64)
    gaps: NDArray[np.int64] = indices[1:] - indices[:-1] - 1
    if generator.patches:
        return _varint_bytes(gaps) + 4 * len(patches)
    words: NDArray[np.int64] = np.array(patches.words, np.uint32).view(np.int32).astype(np.int64)
    return _varint_bytes(gaps) + _varint_bytes(2 * np.abs(words))


def _varint_bytes(values: NDArray[np.int64]) -> int:
    """Bytes of a column of LEB128 integers."""
    return sum(int(np.count_nonzero(values >= 1 << shift)) for shift in range(7, 63, 7)) + len(values)
