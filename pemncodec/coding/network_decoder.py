"""A decoded file as the model in the middle: prototypes, masks, layers, tensors; nothing is filled."""

from __future__ import annotations

from ..common.dtypes import float32_of
from ..common.progress import Progress, silent
from ..container.manifest.rows import AliasRow, KeptRow, PrototypeRow, TensorRow, ValuesRow, numel
from ..container.manifest.zero_table import ZERO_RULES
from ..network.mask import Mask
from ..network.model import (
    Alias,
    Entry,
    GeneratedPrototype,
    KeptFill,
    Layer,
    MaskedNetwork,
    Prototype,
    StoredPrototype,
    Tensor,
    TileFill,
)
from .decoder import Decoder
from .prototypes import generator_of


def decode_network(decoder: Decoder, progress: Progress = silent) -> MaskedNetwork:
    """Everything in a file, all tasks.

    Raises:
        LimitError, ChecksumError, PayloadError: as spec section 9 says.
    """
    manifest = decoder.manifest
    decoder.expect(range(len(manifest.entries)))
    network = MaskedNetwork(metadata=dict(manifest.metadata), tasks=list(manifest.tasks))
    for index, prototype in enumerate(manifest.prototypes):
        made = _prototype(decoder, index, prototype)
        if index != manifest.bools:
            network.prototypes.append(made)
    for index, row in enumerate(manifest.entries):
        progress(index, len(manifest.entries), row.name)
        network.entries.append(_entry(decoder, network, index))
    progress(len(manifest.entries), len(manifest.entries), "")
    return network


def _prototype(decoder: Decoder, index: int, row: PrototypeRow) -> Prototype:
    values = decoder.prototype(index)  # for generators too: this checks the digest
    if not isinstance(row, ValuesRow):
        return GeneratedPrototype(generator_of(row))
    presence = None
    if row.presence is not None:
        presence = Mask(decoder.mask(row.presence), row.length)
    return StoredPrototype(decoder.manifest.prototype_dtype(index), values, presence)


def _entry(decoder: Decoder, network: MaskedNetwork, index: int) -> Entry:
    row = decoder.manifest.entries[index]
    if isinstance(row, AliasRow):
        return Alias(row.name, decoder.manifest.entries[row.target].name, row.task)
    if isinstance(row, TensorRow) or not decoder.manifest.is_masked(index):
        return Tensor(row.name, decoder.dtype(index), row.shape, decoder.words(index), row.task)
    network.masks.append(Mask(decoder.layer_mask(index), numel(row.shape)))
    if isinstance(row, KeptRow):
        kept = KeptFill(decoder.dtype(index), decoder.kept(index))
        return Layer(row.name, row.shape, len(network.masks) - 1, kept, row.task)
    scale = None if row.scale_bits is None else float32_of(row.scale_bits)
    first, second = _kept_number(decoder, row.prototype), _kept_number(decoder, row.second)
    assert first is not None
    tiled = TileFill(first, row.phase, ZERO_RULES[row.zero].name, scale, second, row.second_phase)
    return Layer(row.name, row.shape, len(network.masks) - 1, tiled, row.task)


def _kept_number(decoder: Decoder, prototype: int | None) -> int | None:
    """Return the number of a prototype without that of bool tensors, which are tensors in a network."""
    bools = decoder.manifest.bools
    return prototype if prototype is None or bools is None or prototype < bools else prototype - 1
