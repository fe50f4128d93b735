"""The rows of the manifest that refer to masks and blocks: prototypes and entries (spec sections 4.5 and 4.6)."""

from __future__ import annotations

from collections.abc import Mapping

from ..container.manifest.rows import (
    AliasRow,
    EntryRow,
    KeptRow,
    PrototypeRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)
from ..container.manifest.zero_table import zero_id
from ..errors import NetworkError
from ..network.model import Alias, GeneratedPrototype, KeptFill, Layer, MaskedNetwork, Tensor, TileFill
from .blocks.encoded import EncodedBlocks
from .masks.encoded import EncodedMasks


def prototype_order(network: MaskedNetwork) -> dict[int, int]:
    """Return the number that each prototype gets in the file, in the order in which layers refer to them."""
    order: dict[int, int] = {}
    for layer in network.layers:
        if isinstance(layer.fill, TileFill):
            for index in (layer.fill.prototype, layer.fill.second):
                if index is not None:
                    order.setdefault(index, len(order))
    return order


def prototype_row(network: MaskedNetwork, index: int, blocks: EncodedBlocks, masks: EncodedMasks) -> PrototypeRow:
    """Return the row of a prototype."""
    prototype = network.prototypes[index]
    if isinstance(prototype, GeneratedPrototype):
        return prototype.generator.row()
    return ValuesRow(prototype.length, blocks.of("prototype", index), masks.of_prototype(index))


def entry_rows(
    network: MaskedNetwork, order: Mapping[int, int], blocks: EncodedBlocks, masks: Mapping[int, int]
) -> list[EntryRow]:
    """Return the rows of all entries.

    Args:
        order: from `prototype_order`.
        masks: the number of the mask of each layer, by the index of its entry.
    """
    entries = enumerate(network.entries)
    positions = {(one.name, one.task): number for number, one in entries if not isinstance(one, Alias)}
    rows: list[EntryRow] = []
    for index, entry in enumerate(network.entries):
        if isinstance(entry, Tensor):
            rows.append(TensorRow(entry.name, entry.task, entry.shape, blocks.of("tensor", index)))
        elif isinstance(entry, Alias):
            rows.append(AliasRow(entry.name, entry.task, _target(entry, positions)))
        elif isinstance(entry.fill, KeptFill):
            rows.append(KeptRow(entry.name, entry.task, entry.shape, masks[index], blocks.of("kept", index)))
        else:
            rows.append(_tiled_row(entry, entry.fill, masks[index], order))
    return rows


def _target(alias: Alias, positions: Mapping[tuple[str, int], int]) -> int:
    """Return the number of the entry that an alias stands for."""
    for task in (alias.task, 0):
        if (alias.target, task) in positions:
            return positions[alias.target, task]
    raise NetworkError(f"alias {alias.name!r} stands for {alias.target!r}, which is not there")


def _tiled_row(layer: Layer, tiled: TileFill, mask: int, order: Mapping[int, int]) -> TiledRow:
    zero = zero_id(tiled.zero)
    assert zero is not None  # check_network() made sure
    return TiledRow(
        name=layer.name,
        task=layer.task,
        shape=layer.shape,
        mask=mask,
        prototype=order[tiled.prototype],
        phase=tiled.phase,
        zero=zero,
        scale_bits=tiled.scale_bits,
        second=None if tiled.second is None else order[tiled.second],
        second_phase=tiled.second_phase,
    )
