"""The tables of a file, and the sections that they refer to (spec section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.progress import Progress
from ..container.manifest.rows import (
    BASE_KEY,
    AliasRow,
    BoolRow,
    EntryRow,
    KeptRow,
    Manifest,
    PrototypeRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)
from ..container.manifest.zero_table import zero_id
from ..container.writer import Sections
from ..errors import NetworkError
from ..network.model import Alias, GeneratedPrototype, KeptFill, Layer, MaskedNetwork, Tensor, TileFill
from .blocks.encoded import EncodedBlocks
from .delta.base_files import BaseFiles
from .delta.matching import Against
from .delta.opened import open_base
from .masks.encoded import EncodedMasks


@dataclass(frozen=True)
class Tables:
    """The manifest of a file and its sections.

    Attributes:
        sections: payloads of the masks, and of the blocks.
        saved: bytes that differences from the base have saved; 0 if there are none.
    """

    manifest: Manifest
    sections: Sequence[Sections]
    saved: int


def encode_tables(
    network: MaskedNetwork, progress: Progress, folder: Path | None, base: BaseFiles, *, seekable: bool = False
) -> Tables:
    """Encode all masks and blocks, and return them with the rows that refer to them.

    Args:
        network: consistent, as `check_network` says.
        folder: where a temporary file may be.
        base: the file that masks and blocks may be differences from, and those that it needs; None: no file.
        seekable: whether large masks and blocks are in chunks.

    Raises:
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    with open_base(base) as opened:
        return _encoded(network, progress, folder, Against(network, opened), seekable)


def _encoded(
    network: MaskedNetwork, progress: Progress, folder: Path | None, against: Against, seekable: bool
) -> Tables:
    order = _order(network)
    blocks = EncodedBlocks(network, order, against, folder, seekable=seekable)
    masks = EncodedMasks(network, against, folder, seekable=seekable)
    # Masks are numbered in the order in which the manifest refers to them: presence, kept, tiled, bool.
    prototypes = [_prototype_row(network, index, blocks, masks) for index in order]
    of_entries = masks.of_entries(progress)
    saved = blocks.saved + masks.saved
    # A delta names its base, and no other file does: the network may come from a delta.
    metadata = {key: value for key, value in network.metadata.items() if key != BASE_KEY}
    metadata |= {BASE_KEY: against.digest} if saved else {}
    manifest = Manifest(
        metadata=dict(sorted(metadata.items(), key=lambda pair: pair[0].encode())),
        tasks=tuple(network.tasks),
        masks=tuple(masks.rows),
        blocks=tuple(blocks.rows),
        prototypes=tuple(prototypes),
        entries=tuple(_entry_rows(network, order, blocks, of_entries)),
    )
    return Tables(manifest, (masks.payloads, blocks.payloads), saved)


def _order(network: MaskedNetwork) -> dict[int, int]:
    """Return the number that each prototype gets in the file, in the order in which layers refer to them."""
    order: dict[int, int] = {}
    for layer in network.layers:
        if isinstance(layer.fill, TileFill):
            for index in (layer.fill.prototype, layer.fill.second):
                if index is not None:
                    order.setdefault(index, len(order))
    return order


def _prototype_row(network: MaskedNetwork, index: int, blocks: EncodedBlocks, masks: EncodedMasks) -> PrototypeRow:
    """Return the row of a prototype."""
    prototype = network.prototypes[index]
    if isinstance(prototype, GeneratedPrototype):
        return prototype.generator.row()
    return ValuesRow(prototype.length, blocks.of("prototype", index), masks.of_prototype(index))


def _entry_rows(
    network: MaskedNetwork, order: Mapping[int, int], blocks: EncodedBlocks, masks: Mapping[int, int]
) -> list[EntryRow]:
    """Return the rows of all entries.

    Args:
        order: from `_order`.
        masks: the number of the mask of each layer, and of each bool tensor that is one, by the index of its entry.
    """
    entries = enumerate(network.entries)
    positions = {(one.name, one.task): number for number, one in entries if not isinstance(one, Alias)}
    rows: list[EntryRow] = []
    for index, entry in enumerate(network.entries):
        if isinstance(entry, Tensor) and index in masks:
            rows.append(BoolRow(entry.name, entry.task, entry.shape, masks[index]))
        elif isinstance(entry, Tensor):
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
    raise NetworkError(f"alias {alias.name!r} stands for {alias.target!r}, which does not exist")


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
