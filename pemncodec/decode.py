"""container -> values: the sections of a file, decoded on demand (spec sections 4.7 and 5 to 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import bits, fill
from .bits import Packed
from .container.container import Container
from .container.manifest import (
    DEFAULT_MAX_BYTES,
    DISTRIBUTIONS,
    ZERO_NAMES,
    ZERO_NEGATED,
    ZERO_ZERO,
    AliasRow,
    GeneratorRow,
    KeptRow,
    TensorRow,
    TiledRow,
    ValuesRow,
    numel,
)
from .dtypes import DType
from .errors import LimitError, NetworkError, PayloadError
from .fill import Tile
from .mask import Mask
from .masks import decode_mask
from .network import (
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
from .progress import Progress, silent
from .prototypes.generator import Generator, digest
from .tensors import decode_block
from .words import Words, word_type

# Blocks of many small tensors are decoded once and kept; large ones belong to one tensor each.
_CACHED_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class LayerParts:
    """A masked layer, taken apart: what `masked` and sparse layouts are made of.

    Attributes:
        packed: the mask, one bit for every element, zero at idle positions.
        ones: number of ones in it.
        values: one period of the prototype (scaled), or the kept values, as words.
    """

    packed: Packed
    ones: int
    values: Words


class Decoder:
    """Decodes the sections of a container, each when it is asked for.

    Args:
        container: an opened file.
        max_bytes: limit of spec section 4.7; checked for what is decoded at a time.
    """

    def __init__(self, container: Container, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.container = container
        self.manifest = container.manifest
        self.max_bytes = max_bytes
        self._counts, self._prototype_starts, self._entry_starts = self.manifest.block_users()
        self._blocks: dict[int, Words] = {}
        self._prototypes: dict[int, Words] = {}
        self._tiles: dict[tuple[int, int | None], Tile] = {}

    def check_limit(self, count: int, what: str) -> None:
        """Refuse to make more than `max_bytes`.

        Raises:
            LimitError: `count` bytes are more.
        """
        if count > self.max_bytes:
            raise LimitError(
                f"{what} decodes to {count} bytes, and max_bytes allows {self.max_bytes}: raise it if you "
                "trust the file"
            )

    # --- sections ---------------------------------------------------------------------------------------------

    def mask(self, index: int) -> Packed:
        """The bits of a mask as stored."""
        row = self.manifest.masks[index]
        self.check_limit(bits.byte_length(row.length), f"mask {index}")
        return decode_mask(row, self.container.mask_payload(index), index)

    def _block(self, index: int) -> Words:
        if index in self._blocks:
            return self._blocks[index]
        row, count = self.manifest.blocks[index], self._counts[index]
        size = count * row.dtype.itemsize
        self.check_limit(size, f"block {index}")
        words = decode_block(row, self.container.block_payload(index), count, index)
        if size <= _CACHED_BLOCK:
            self._blocks[index] = words
        return words

    def _values(self, block: int, start: int, count: int) -> Words:
        per = self.manifest.blocks[block].dtype.words_per_element
        return self._block(block)[start * per : (start + count) * per]

    def prototype(self, index: int) -> Words:
        """All elements of a prototype as words; all-zero bits where not stored."""
        if index not in self._prototypes:
            row = self.manifest.prototypes[index]
            self.check_limit(row.length * self.manifest.prototype_dtype(index).itemsize, f"prototype {index}")
            if isinstance(row, GeneratorRow):
                values = _generate(row, index)
            else:
                values = self._values(row.block, self._prototype_starts[index], self.manifest.stored_values(row))
                if row.presence is not None:
                    whole = np.empty(row.length, dtype=values.dtype)
                    fill.scatter(whole, self.mask(row.presence), values)
                    values = whole
            self._prototypes[index] = values
        return self._prototypes[index]

    def tile(self, index: int, scale_bits: int | None) -> Tile:
        """A prototype, scaled where `scale_bits` is given, as what fills layers."""
        key = index, scale_bits
        if key not in self._tiles:
            values = self.prototype(index)
            self._tiles[key] = Tile(values if scale_bits is None else fill.scaled(values, scale_bits))
        return self._tiles[key]

    # --- entries ----------------------------------------------------------------------------------------------

    def dtype(self, index: int) -> DType:
        """Element type of an entry."""
        return self.manifest.entry_dtype(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of an entry."""
        return self.manifest.resolve(index).shape

    def check_entry(self, index: int) -> None:
        """Refuse an entry that is larger than `max_bytes`, with the prototypes that it needs."""
        row = self.manifest.resolve(index)
        size = numel(row.shape) * self.dtype(index).itemsize
        self.check_limit(size, f"tensor {row.name!r}")

    def words(self, index: int, out: Words | None = None) -> Words:
        """The dense values of an entry, as words.

        Args:
            out: where to put a masked layer; a new array by default. A plain tensor comes as a read-only view.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        self.check_entry(index)
        row = self.manifest.resolve(index)
        count = numel(row.shape)
        if isinstance(row, TensorRow):
            return self._values(row.block, self._start(index), count)
        if out is None:
            out = np.empty(count, dtype=word_type(self.dtype(index)))
        parts = self._parts(row, index)
        if isinstance(row, KeptRow):
            fill.scatter(out, parts.packed, parts.values)
            return out
        tile = self.tile(row.prototype, row.scale_bits)
        if row.zero == ZERO_ZERO:
            fill.fill_zero(out, parts.packed, tile, row.phase)
        elif row.zero == ZERO_NEGATED:
            fill.fill_negated(out, parts.packed, tile, row.phase)
        else:
            assert row.second is not None
            second = self.tile(row.second, row.scale_bits)
            fill.fill_second(out, parts.packed, tile, row.phase, second, row.second_phase)
        return out

    def parts(self, index: int) -> LayerParts:
        """Mask and values of a masked layer.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert not isinstance(row, TensorRow)
        return self._parts(row, index)

    def filled(self, index: int) -> Words:
        """A tiled layer without its mask: the prototype at every position, in a new array."""
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        out = np.empty(numel(row.shape), dtype=word_type(self.dtype(index)))
        fill.fill(out, self.tile(row.prototype, row.scale_bits), row.phase)
        return out

    def unstored(self, index: int) -> Words | None:
        """For a tiled layer: ones where the prototype's elements are not stored; None if all are."""
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        prototype = self.manifest.prototypes[row.prototype]
        if not isinstance(prototype, ValuesRow) or prototype.presence is None:
            return None
        absent = 1 - bits.unpack(self.mask(prototype.presence), prototype.length).view(np.uint8)
        out = np.empty(numel(row.shape), dtype=np.uint8)
        fill.fill(out, Tile(absent), row.phase)
        return out

    def _start(self, index: int) -> int:
        row = self.manifest.entries[index]
        return self._entry_starts[row.target if isinstance(row, AliasRow) else index]

    def _parts(self, row: KeptRow | TiledRow, index: int) -> LayerParts:
        stored = self.manifest.masks[row.mask]
        packed = self.mask(row.mask)
        count = numel(row.shape)
        if isinstance(row, KeptRow):
            return LayerParts(packed, stored.ones, self._values(row.block, self._start(index), stored.ones))
        tile = self.tile(row.prototype, row.scale_bits)
        second = None
        if row.second is not None:
            second = self.tile(row.second, row.scale_bits), row.second_phase
        if second is None and stored.length == count and not tile.has_zero():
            return LayerParts(packed, stored.ones, tile.values)
        try:
            packed = fill.spread(packed, stored.length, fill.active(count, tile, row.phase, second))
        except PayloadError as reason:
            raise PayloadError(f"layer {row.name!r}: {reason}") from None
        return LayerParts(packed, stored.ones, tile.values)

    # --- the whole --------------------------------------------------------------------------------------------

    def network(self, progress: Progress = silent) -> MaskedNetwork:
        """Everything in the file, as the model in the middle; weights are not filled.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        manifest = self.manifest
        network = MaskedNetwork(metadata=dict(manifest.metadata), tasks=list(manifest.tasks))
        for index, prototype in enumerate(manifest.prototypes):
            network.prototypes.append(self._network_prototype(index, prototype))
        for index, row in enumerate(manifest.entries):
            progress(index, len(manifest.entries), row.name)
            network.entries.append(self._network_entry(network, index))
        progress(len(manifest.entries), len(manifest.entries), "")
        return network

    def _network_prototype(self, index: int, row: GeneratorRow | ValuesRow) -> Prototype:
        values = self.prototype(index)  # for generators too: this checks the digest
        if isinstance(row, GeneratorRow):
            return GeneratedPrototype(_generator(row))
        presence = None
        if row.presence is not None:
            presence = Mask(self.mask(row.presence), row.length)
        return StoredPrototype(self.manifest.prototype_dtype(index), values, presence)

    def _network_entry(self, network: MaskedNetwork, index: int) -> Entry:
        row = self.manifest.entries[index]
        if isinstance(row, AliasRow):
            return Alias(row.name, self.manifest.entries[row.target].name, row.task)
        if isinstance(row, TensorRow):
            return Tensor(row.name, self.dtype(index), row.shape, self.words(index), row.task)
        parts = self.parts(index)
        network.masks.append(Mask(parts.packed, numel(row.shape)))
        if isinstance(row, KeptRow):
            kept = KeptFill(self.dtype(index), parts.values)
            return Layer(row.name, row.shape, len(network.masks) - 1, kept, row.task)
        scale = None if row.scale_bits is None else float(np.uint32(row.scale_bits).view(np.float32))
        tiled = TileFill(row.prototype, row.phase, ZERO_NAMES[row.zero], scale, row.second, row.second_phase)
        return Layer(row.name, row.shape, len(network.masks) - 1, tiled, row.task)


def _generator(row: GeneratorRow) -> Generator:
    scale = float(np.uint32(row.scale_bits).view(np.float32))
    return Generator(DISTRIBUTIONS[row.distribution], row.length, row.seed, row.stream, scale, row.patches)


def _generate(row: GeneratorRow, index: int) -> Words:
    try:
        values = _generator(row).values()
    except NetworkError as reason:
        raise PayloadError(f"prototype {index}: {reason}") from None
    found = digest(values)
    if found != row.digest:
        raise PayloadError(
            f"prototype {index}: the values made from the seed have the digest {found:08x}, and the file says "
            f"{row.digest:08x}"
        )
    return values.view(np.uint32)
