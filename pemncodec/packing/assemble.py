"""`Draft` -> `MaskedNetwork`: find the prototypes, and express every layer in the cheapest way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..checkpoints import metadata as own_metadata
from ..checkpoints.draft import Draft, DraftEntry, MaskedWeight, PlainTensor, SeededWeight, TiedTensor
from ..common.progress import Progress, silent
from ..errors import NetworkError, UnsupportedTensorError
from ..errors.quoting import quoted
from ..generators.base import BaseGenerator
from ..network import fill
from ..network.mask import Mask
from ..network.model import (
    Alias,
    Entry,
    GeneratedPrototype,
    KeptFill,
    Layer,
    MaskedNetwork,
    StoredPrototype,
    Tensor,
    TileFill,
)
from . import coats
from .options import Seeding
from .seeds.find import find_generators
from .sharing.describe import describe
from .sharing.find import find_vectors
from .sharing.vector import Vector, Weight

UNKNOWN = Seeding()


@dataclass(frozen=True)
class Assembled:
    """A network, what was found in it, and what the user should know of that; a line each."""

    network: MaskedNetwork
    findings: list[str]
    notes: list[str]


def assemble(
    draft: Draft,
    metadata: dict[str, str] | None = None,
    progress: Progress = silent,
    seeding: Seeding = UNKNOWN,
) -> Assembled:
    """Turn a recognised checkpoint into a network.

    Args:
        draft: the checkpoint.
        metadata: string to string, stored beside the `pemn.` keys of spec section 10.
        seeding: which seed of PyTorch may have made the random weights.

    Raises:
        NetworkError: metadata with a reserved or empty key.
    """
    for key in metadata or {}:
        if not key or key.startswith(own_metadata.RESERVED):
            raise NetworkError(
                f"metadata key {key!r} is empty or reserved: choose one that does not begin with 'pemn.'"
            )
    entries = [_maskable(entry) for entry in draft.entries]
    weights = [entry for entry in entries if isinstance(entry, MaskedWeight)]
    progress(0, len(draft.entries), "finding prototypes")
    views = [Weight(weight.dtype, weight.values, weight.mask, weight.known) for weight in weights]
    vectors = find_vectors(views)
    names = [
        f"{weight.name} of task {draft.tasks[weight.task - 1]}" if weight.task else weight.name for weight in weights
    ]
    elements = sum(math.prod(entry.shape) for entry in entries if not isinstance(entry, TiedTensor))
    seeded = find_generators(vectors, views, names, _known(entries, seeding), progress, elements)
    for number in seeded.generators:
        vectors[number].presence = None  # none of its elements is stored
    network = MaskedNetwork(metadata={**(metadata or {}), **own_metadata.write(draft)}, tasks=list(draft.tasks))
    seeds: dict[GeneratedPrototype, int] = {}
    fills = {
        (weights[number].name, weights[number].task): filled
        for index, vector in enumerate(vectors)
        for number, filled in zip(
            vector.members, _fills(network, vector, weights, seeds, seeded.generators.get(index)), strict=True
        )
    }
    for index, entry in enumerate(entries):
        progress(index, len(entries), entry.name)
        network.entries.append(_entry(network, entry, fills, seeds))
    progress(len(entries), len(entries), "")
    findings = describe(vectors, views) + seeded.findings
    plain = sum(new is not old for new, old in zip(entries, draft.entries, strict=True))
    if plain:
        findings.append(f"{plain} masked tensors of a dtype without masks: their effective values are stored")
    findings += [line for prototype in seeds if (line := prototype.generator.finding) is not None]
    return Assembled(network, findings, seeded.notes)


def _maskable(entry: DraftEntry) -> DraftEntry:
    """The entry itself; the effective values of a masked weight whose dtype the format does not mask (spec 4.8)."""
    if not isinstance(entry, MaskedWeight) or entry.dtype.maskable:
        return entry
    if entry.dtype.name == "float8_e8m0fnu":
        raise UnsupportedTensorError(f"{quoted(entry.name)} has a mask, but its dtype {entry.dtype} has no zero")
    keep = np.repeat(entry.mask.to_bool(), entry.dtype.words_per_element)
    values = np.where(keep, entry.values, np.zeros(1, dtype=entry.values.dtype))
    return PlainTensor(entry.name, entry.dtype, entry.shape, values, entry.task)


def _known(entries: Sequence[DraftEntry], seeding: Seeding) -> Seeding:
    """The seed of PyTorch that other layers of the draft come from, where none is said: tasks share a backbone."""
    if seeding != UNKNOWN:
        return seeding
    made = [entry.prototype.generator.torch_seed for entry in entries if isinstance(entry, SeededWeight)]
    return next((Seeding(seed) for seed in made if seed is not None), UNKNOWN)


def _generated(network: MaskedNetwork, prototype: GeneratedPrototype, seeds: dict[GeneratedPrototype, int]) -> int:
    """The number of a prototype, which is there once."""
    if prototype not in seeds:
        network.prototypes.append(prototype)
        seeds[prototype] = len(network.prototypes) - 1
    return seeds[prototype]


def _fills(
    network: MaskedNetwork,
    vector: Vector,
    weights: list[MaskedWeight],
    seeds: dict[GeneratedPrototype, int],
    generator: BaseGenerator | None,
) -> list[TileFill | KeptFill]:
    if generator is not None:
        number = _generated(network, GeneratedPrototype(generator), seeds)
        return [TileFill(number, scale=scale) for scale in vector.scales]
    if not vector.shared:
        members = [weights[number] for number in vector.members]
        return [KeptFill(weight.dtype, partial(fill.kept, weight.values, weight.mask.packed)) for weight in members]
    values, presence = vector.values, None
    if vector.presence is not None:
        values = np.where(vector.presence, values, np.zeros(1, dtype=values.dtype))
        presence = Mask.from_bool(vector.presence)
    network.prototypes.append(StoredPrototype(vector.dtype, values, presence))
    return [TileFill(len(network.prototypes) - 1, scale=scale) for scale in vector.scales]


def _entry(
    network: MaskedNetwork,
    entry: DraftEntry,
    fills: dict[tuple[str, int], TileFill | KeptFill],
    seeds: dict[GeneratedPrototype, int],
) -> Entry:
    if isinstance(entry, PlainTensor):
        return Tensor(entry.name, entry.dtype, entry.shape, entry.values, entry.task)
    if isinstance(entry, TiedTensor):
        return Alias(entry.name, entry.target, entry.task)
    if isinstance(entry, SeededWeight) and entry.coats:
        return coats.layer(network, entry, partial(_generated, network, entry.prototype, seeds))
    network.masks.append(entry.mask)
    mask = len(network.masks) - 1
    if isinstance(entry, MaskedWeight):
        return Layer(entry.name, entry.shape, mask, fills[entry.name, entry.task], entry.task)
    assert isinstance(entry, SeededWeight)
    number = _generated(network, entry.prototype, seeds)
    filled = TileFill(number, zero=entry.zero, scale=entry.factor)
    return Layer(entry.name, entry.shape, mask, filled, entry.task)
