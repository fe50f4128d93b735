"""`MaskedNetwork` -> bytes: number what is shared, group small arrays, code each the smallest way.

The result is a function of the network alone (spec section 11): everything is numbered in the order of
first use, and ties go to the lowest id.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..common.bits import Packed
from ..common.progress import Progress, silent
from ..common.words import Words
from ..container.manifest.rows import (
    BASE_KEY,
    ZERO_NAMES,
    AliasRow,
    BlockRow,
    EntryRow,
    KeptRow,
    Manifest,
    MaskRow,
    PrototypeRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)
from ..container.writer import EncodedFile, Sections, write_container
from ..errors import NetworkError, PayloadError
from ..network import fill
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
from ..network.tile import Tile, scaled
from ..network.validation import check_network
from .blocks.grouping import Source, encode_groups
from .decoder import Decoder
from .delta.base_files import BaseFiles, Bases
from .delta.base_values import BaseValues
from .delta.matching import Against, BaseMask, OpenedBase
from .masks.coders import encode_flips, encode_mask
from .prototypes import row_of

# What the name of a base takes in the manifest, about. A delta that saves less is none.
_BASE_BYTES = 80


def encode(network: MaskedNetwork, progress: Progress = silent, base: BaseFiles = None) -> bytes:
    """The bytes of a `.pemn` file; arguments and errors as `encode_file`."""
    return encode_file(network, progress, base=base).to_bytes()


def encode_file(
    network: MaskedNetwork, progress: Progress = silent, folder: Path | None = None, base: BaseFiles = None
) -> EncodedFile:
    """A `.pemn` file, ready to be written.

    Args:
        folder: where a temporary file may be for what would take much memory; by default there is none.
        base: another `.pemn` file, and what it needs itself. What is smaller as a difference from it is stored as one,
            and the file is a delta then (spec section 6.2); where that saves little, the file is complete in itself.

    Raises:
        NetworkError: the network contradicts itself or does not fit the format.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    check_network(network)
    with open_base(base) as opened:
        encoder = _Encoder(network, progress, folder, opened)
        encoded = encoder.run()
    if 0 < encoder.saved <= _BASE_BYTES:
        return _Encoder(network, progress, folder, None).run()
    return encoded


@contextmanager
def open_base(given: BaseFiles) -> Iterator[OpenedBase | None]:
    """The base among the files that were given; the others are what it needs itself. None if there are no files.

    Raises:
        BaseFileError: it is not clear which one it is.
        FormatError, FileAccessError: a file cannot be read.
    """
    bases = Bases(given)
    try:
        file = bases.newest()
        if file is None:
            yield None
        else:
            yield OpenedBase(file.digest, BaseValues(Decoder(file.container, bases=bases), file.name))
    finally:
        bases.close()


class _Encoder:
    """Encodes once.

    Attributes:
        saved: bytes that differences from the base have saved so far; 0 if there are none.
    """

    def __init__(
        self, network: MaskedNetwork, progress: Progress, folder: Path | None, base: OpenedBase | None
    ) -> None:
        self.network = network
        self.progress = progress
        self.against = Against(network, base)
        self.saved = 0
        entries = enumerate(network.entries)
        self.positions = {(one.name, one.task): number for number, one in entries if not isinstance(one, Alias)}
        self.tiles: dict[int, Tile] = {}
        fills = [layer.fill for layer in network.layers if isinstance(layer.fill, TileFill)]
        self.users = Counter(index for fill in fills for index in (fill.prototype, fill.second))
        self.mask_rows: list[MaskRow] = []
        self.mask_payloads = Sections(folder)
        self.mask_indices: dict[tuple[int, bytes], int] = {}
        self.block_rows: list[BlockRow] = []
        self.block_payloads = Sections(folder)
        self.blocks_of: dict[tuple[str, int], int] = {}

    def run(self) -> EncodedFile:
        network = self.network
        layers = [(index, entry) for index, entry in enumerate(network.entries) if isinstance(entry, Layer)]
        order = self._prototype_order([layer for _, layer in layers])
        self._encode_blocks(order)
        # Masks are numbered in the order in which the manifest refers to them: presence, kept, tiled.
        prototype_rows = [self._prototype_row(index) for index in order]
        masks: dict[int, int] = {}
        total = sum(layer.numel for _, layer in layers)
        done = 0
        for kind in (KeptFill, TileFill):
            for index, layer in layers:
                if isinstance(layer.fill, kind):
                    self.progress(done, total, layer.name)
                    packed, length = self._stored_mask(layer)
                    masks[index] = self._add_mask(packed, length, self.against.mask_of_layer(layer, length))
                    done += layer.numel
        self.progress(done, total, "")
        rows = [self._entry_row(index, entry, masks, order) for index, entry in enumerate(network.entries)]
        manifest = Manifest(
            metadata=dict(sorted(self._metadata().items(), key=lambda pair: pair[0].encode())),
            tasks=tuple(network.tasks),
            masks=tuple(self.mask_rows),
            blocks=tuple(self.block_rows),
            prototypes=tuple(prototype_rows),
            entries=tuple(rows),
        )
        return write_container(manifest, [self.mask_payloads, self.block_payloads])

    def _metadata(self) -> dict[str, str]:
        """A delta names its base, and no other file does: the network may come from a delta."""
        own = {key: value for key, value in self.network.metadata.items() if key != BASE_KEY}
        return own | {BASE_KEY: self.against.digest} if self.saved else own

    @staticmethod
    def _prototype_order(layers: Sequence[Layer]) -> dict[int, int]:
        """The number that each prototype gets in the file, in that order."""
        order: dict[int, int] = {}
        for layer in layers:
            if isinstance(layer.fill, TileFill):
                for index in (layer.fill.prototype, layer.fill.second):
                    if index is not None:
                        order.setdefault(index, len(order))
        return order

    # --- masks ------------------------------------------------------------------------------------------------

    def _tile(self, index: int, scale_bits: int | None) -> Tile:
        tile = self.tiles.get(index) or Tile(self.network.prototype_values(index))
        if self.users[index] > 1:
            self.tiles[index] = tile
        try:
            return scaled(tile, scale_bits)
        except PayloadError as reason:
            raise NetworkError(str(reason)) from None

    def _stored_mask(self, layer: Layer) -> tuple[Packed, int]:
        """The bits at the positions that are not idle (spec section 7)."""
        mask = self.network.masks[layer.mask]
        if isinstance(layer.fill, KeptFill):
            return mask.packed, mask.length
        tile = self._tile(layer.fill.prototype, layer.fill.scale_bits)
        second = None
        if layer.fill.second is not None:
            second = self._tile(layer.fill.second, layer.fill.scale_bits), layer.fill.second_phase
        elif not tile.has_zero:
            return mask.packed, mask.length
        return fill.gather(mask.packed, layer.numel, tile, layer.fill.phase, second)

    def _add_mask(self, packed: Packed, length: int, base: BaseMask | None) -> int:
        key = length, hashlib.blake2b(packed.data).digest()
        if key not in self.mask_indices:
            row, payload = encode_mask(packed, length)
            if base is not None:
                flips, flips_payload = encode_flips(packed, length, base.number, base.packed)
                if flips.size < row.size:
                    self.saved += row.size - flips.size
                    row, payload = flips, flips_payload
            self.mask_indices[key] = len(self.mask_rows)
            self.mask_rows.append(row)
            self.mask_payloads.add(payload)
        return self.mask_indices[key]

    # --- blocks -----------------------------------------------------------------------------------------------

    def _encode_blocks(self, order: Mapping[int, int]) -> None:
        for block in encode_groups(self._sources(order)):
            for user in block.users:
                self.blocks_of[user] = len(self.block_rows)
            self.saved += block.saved
            self.block_rows.append(block.row)
            self.block_payloads.add(block.payload)

    def _sources(self, order: Mapping[int, int]) -> list[Source]:
        """Return the arrays that are stored in blocks, in the order of spec section 4.4."""
        network, against = self.network, self.against
        sources: list[Source] = []
        for index in order:
            prototype = network.prototypes[index]
            if isinstance(prototype, StoredPrototype):
                count = prototype.length if prototype.presence is None else prototype.presence.count
                size = count * prototype.dtype.itemsize
                load, reference = partial(_stored, prototype), against.prototype(index)
                sources.append(Source(("prototype", index), prototype.dtype, 0, "", size, load, reference))
        for index, entry in enumerate(network.entries):
            if isinstance(entry, Tensor):
                kind = entry.name.rsplit(".", 1)[-1]
                size, load, reference = entry.values.nbytes, partial(_values, entry), against.tensor(entry)
                sources.append(Source(("tensor", index), entry.dtype, entry.task, kind, size, load, reference))
            elif isinstance(entry, Layer) and isinstance(entry.fill, KeptFill):
                size = network.masks[entry.mask].count * entry.fill.dtype.itemsize
                load, reference = partial(_values, entry.fill), against.kept(entry, entry.fill.dtype)
                sources.append(Source(("kept", index), entry.fill.dtype, entry.task, "", size, load, reference))
        return sources

    # --- rows -------------------------------------------------------------------------------------------------

    def _prototype_row(self, index: int) -> PrototypeRow:
        prototype = self.network.prototypes[index]
        if isinstance(prototype, GeneratedPrototype):
            return row_of(prototype.generator)
        presence = None
        if prototype.presence is not None:
            length = prototype.presence.length
            base = self.against.mask_of_prototype(index, length)
            presence = self._add_mask(prototype.presence.packed, length, base)
        return ValuesRow(prototype.length, self.blocks_of["prototype", index], presence)

    def _target(self, alias: Alias) -> int:
        """The number of the entry that an alias stands for."""
        for task in (alias.task, 0):
            if (alias.target, task) in self.positions:
                return self.positions[alias.target, task]
        raise NetworkError(f"alias {alias.name!r} stands for {alias.target!r}, which is not there")

    def _entry_row(self, index: int, entry: Entry, masks: dict[int, int], order: Mapping[int, int]) -> EntryRow:
        if isinstance(entry, Tensor):
            return TensorRow(entry.name, entry.task, entry.shape, self.blocks_of["tensor", index])
        if isinstance(entry, Alias):
            return AliasRow(entry.name, entry.task, self._target(entry))
        if isinstance(entry.fill, KeptFill):
            return KeptRow(entry.name, entry.task, entry.shape, masks[index], self.blocks_of["kept", index])
        tiled = entry.fill
        return TiledRow(
            name=entry.name,
            task=entry.task,
            shape=entry.shape,
            mask=masks[index],
            prototype=order[tiled.prototype],
            phase=tiled.phase,
            zero=ZERO_NAMES.index(tiled.zero),
            scale_bits=tiled.scale_bits,
            second=None if tiled.second is None else order[tiled.second],
            second_phase=tiled.second_phase,
        )


def _stored(prototype: StoredPrototype) -> Words:
    """The elements that a file holds."""
    return prototype.values if prototype.presence is None else fill.kept(prototype.values, prototype.presence.packed)


def _values(holder: Tensor | KeptFill) -> Words:
    return holder.values
