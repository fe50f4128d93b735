"""Vectors that PyTorch's CPU generator drew: found again from their values (spec sections 8.8 and 8.9).

What is claimed reproduces every value that a mask keeps; elements that differ are patched, where that is smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import FLOAT32, float32_of
from ...common.progress import Progress, silent
from ...container.manifest.patches import Patches
from ...container.manifest.pytorch_rows import FUSED, PYTORCH_BLOCK
from ...generators.pytorch.arithmetic import DIALECTS
from ...generators.pytorch.generator import PytorchGenerator
from ..options import Seeding
from ..sharing.find import folded
from ..sharing.vector import Vector, Weight
from . import Found, Prober, Target, default_window, origin, search
from .origin import Origin

# Common seeds, always tried (docs/seeds.md lists them).
USUAL = (
    *(42, 123, 256, 512, 666, 777, 999, 1024, 1111, 1234, 1337, 2018, 2019, 2020, 2021, 2022, 2023, 2024, 2025, 2026),
    *(3407, 4242, 4321, 5489, 8888, 9999, 12345, 31337, 31415, 54321, 65537, 99999, 123123, 123456, 314159, 271828),
    *(654321, 1234567, 12345678, 123456789, 987654321, 20190523, 20200101, 20210101, 20220101, 20230101, 20240101),
    *(20250101, 3735928559, 4294967295),
)
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
    elements: int = 0,
) -> Seeded:
    """Search where the vectors were drawn.

    Args:
        vectors: of `find_vectors`.
        weights: what they fill.
        names: of the weights.
        seeding: the seed, or how many to try.
        progress: is told how far the search is.
        elements: of the whole network, which says how far the search goes.
    """
    if seeding.seed is None and not seeding.tried:
        return NOTHING
    numbers = _candidates(vectors)
    targets = [_target(vectors[number], weights, names) for number in numbers]
    if not targets:
        return Seeded({}, [], [origin.nothing(vectors)])
    seed = seeding.seed if seeding.seed is not None else _find_seed(targets, seeding.tried, progress)
    if seed is None:
        return Seeded({}, [], [origin.no_seed(seeding.tried)])
    given, seed = seed, seed & 0xFFFFFFFF  # what the CPU generator takes of it
    window = default_window(targets, elements)
    rows: list[Origin] = []
    room = _MOST_PATCH_BYTES
    for number, target, one in zip(numbers, targets, _with_prefixes(targets, seed, progress, window), strict=True):
        made, size = (None, 0) if one is None else _generator(one, target, seed, room)
        room -= size
        rows.append(Origin(origin.called(target.name, len(vectors[number].members)), one, made))
    generators = {number: row.generator for number, row in zip(numbers, rows, strict=True) if row.generator is not None}
    return Seeded(generators, origin.findings(given, rows), origin.notes(given, rows, window))


def _candidates(vectors: Sequence[Vector]) -> list[int]:
    """The vectors that a seed could make so that it is smaller, in the order of the layers."""
    fit = [number for number, each in enumerate(vectors) if each.dtype == FLOAT32 and len(each.values) >= PYTORCH_BLOCK]
    return sorted(fit, key=lambda number: min(vectors[number].members))


def _with_prefixes(targets: Sequence[Target], seed: int, progress: Progress, window: int) -> list[Found | None]:
    """Also vectors that are the beginning of a longer tensor (random-vector padding keeps the first d values of one).

    The last sixteen elements of a normal tensor whose length is no multiple of sixteen are drawn again, after all
    others; of a beginning they are not, so that they are patched.
    """
    complete = search(targets, seed, progress, window)
    missed = {number: _beginning(targets[number]) for number, one in enumerate(complete) if one is None}
    whole = {number: beginning for number, beginning in missed.items() if beginning is not None}
    for number, one in zip(whole, search([*whole.values()], seed, progress, window) if whole else [], strict=True):
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
    candidates = [*range(tried), *sorted(seed for seed in USUAL if seed >= tried)]
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
    return Target(names[min(vector.members)], vector.values, wanted)


def _plain(found: Found, length: int, seed: int) -> PytorchGenerator:
    scale, low = float32_of(found.scale), float32_of(found.low)
    return PytorchGenerator(found.distribution, length, seed, found.offset, scale, low, dialect=found.dialect)


def _generator(found: Found, target: Target, seed: int, room: int) -> tuple[PytorchGenerator | None, int]:
    """The generator, and the bytes of its patches; none if values are smaller or the patches do not fit."""
    plain = _plain(found, len(target.values), seed)
    as_bits, as_steps = _patch_bytes(found.differences)
    # An older reader knows patches as bits, and signs have no others: steps are for what they make much smaller.
    stepped = plain.dialect != FUSED or (plain.distribution in DIALECTS and 2 * as_steps <= as_bits)
    size = as_steps if stepped else as_bits
    if _ROW_BYTES + size >= _VALUE_BYTES * int(np.count_nonzero(target.wanted)) or size > room:
        return None, 0
    if stepped:
        return replace(plain, steps=found.differences), size
    indices = found.differences.indices
    return replace(plain, patches=Patches.of(indices, target.values[np.array(indices, np.int64)].tolist())), size


def _patch_bytes(differences: Patches) -> tuple[int, int]:
    """Bytes of patches in the manifest, before it is compressed: as bits, and as steps."""
    indices = np.array([-1, *differences.indices], np.int64)
    gaps = _varint_bytes(indices[1:] - indices[:-1] - 1)
    words: NDArray[np.int64] = np.array(differences.words, np.uint32).view(np.int32).astype(np.int64)
    return gaps + 4 * len(differences), gaps + _varint_bytes(2 * np.abs(words))


def _varint_bytes(values: NDArray[np.int64]) -> int:
    """Bytes of a column of LEB128 integers."""
    return sum(int(np.count_nonzero(values >= 1 << shift)) for shift in range(7, 63, 7)) + len(values)
