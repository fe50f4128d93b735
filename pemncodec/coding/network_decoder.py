"""A decoded file as the model in the middle: prototypes, masks, layers, tensors; nothing is filled."""

from __future__ import annotations

from ..common.dtypes import float32_of
from ..common.progress import Progress, silent
from ..container.manifest.rows import AliasRow, KeptRow, PlainRow, PrototypeRow, ValuesRow, numel
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
        network.prototypes.append(_prototype(decoder, index, prototype))
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
    if isinstance(row, PlainRow):
        return Tensor(row.name, decoder.dtype(index), row.shape, decoder.words(index), row.task)
    network.masks.append(Mask(decoder.layer_mask(index), numel(row.shape)))
    if isinstance(row, KeptRow):
        kept = KeptFill(decoder.dtype(index), decoder.kept(index))
        return Layer(row.name, row.shape, len(network.masks) - 1, kept, row.task)
    scale = None if row.scale_bits is None else float32_of(row.scale_bits)
    tiled = TileFill(row.prototype, row.phase, ZERO_RULES[row.zero].name, scale, row.second, row.second_phase)
    return Layer(row.name, row.shape, len(network.masks) - 1, tiled, row.task)
