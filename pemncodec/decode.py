"""container -> values: the sections of a file, decoded on demand (spec sections 4.7 and 5 to 8)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from . import bits, fill
from .bits import Packed
from .container.container import Container
from .container.manifest import (
    DEFAULT_MAX_BYTES,
    DISTRIBUTIONS,
    ZERO_NAMES,
    AliasRow,
    GeneratorRow,
    KeptRow,
    TensorRow,
    TiledRow,
    ValuesRow,
    numel,
)
from .dtypes import DType, float32_of
from .errors import LimitError, NetworkError, PayloadError
from .fill import ScaledTile, Tile
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
        # What has several users is decoded once and kept: a hostile file may refer to one section 10^5 times.
        with_block = [*self.manifest.prototypes, *self.manifest.entries]
        self._block_users = Counter(row.block for row in with_block if isinstance(row, ValuesRow | TensorRow | KeptRow))
        self._mask_users = Counter(row.mask for row in self.manifest.entries if isinstance(row, KeptRow | TiledRow))
        self._blocks: dict[int, Words] = {}
        self._masks: dict[int, Packed] = {}
        self._tiles: dict[int, Tile] = {}
        self._extremes: dict[int, tuple[np.float32, np.float32]] = {}
        self._unstored: dict[int, Tile] = {}

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
        if index in self._masks:
            return self._masks[index]
        row = self.manifest.masks[index]
        self.check_limit(bits.byte_length(row.length), f"mask {index}")
        packed = decode_mask(row, self.container.mask_payload(index), index)
        if self._mask_users[index] > 1:
            self._masks[index] = packed
        return packed

    def _block(self, index: int) -> Words:
        if index in self._blocks:
            return self._blocks[index]
        row, count = self.manifest.blocks[index], self._counts[index]
        self.check_limit(count * row.dtype.itemsize, f"block {index}")
        words = decode_block(row, self.container.block_payload(index), count, index)
        if self._block_users[index] > 1:
            self._blocks[index] = words
        return words

    def _values(self, block: int, start: int, count: int) -> Words:
        per = self.manifest.blocks[block].dtype.words_per_element
        return self._block(block)[start * per : (start + count) * per]

    def prototype(self, index: int) -> Words:
        """All elements of a prototype as words; all-zero bits where not stored."""
        return self._tile(index, None).values

    def _tile(self, index: int, scale_bits: int | None) -> Tile:
        if index not in self._tiles:
            self._tiles[index] = Tile(self._decode_prototype(index))
        tile = self._tiles[index]
        if scale_bits is None:
            return tile
        if index not in self._extremes:
            self._extremes[index] = fill.extremes(tile.values)
        return ScaledTile(tile, self._extremes[index], scale_bits)

    def _decode_prototype(self, index: int) -> Words:
        row = self.manifest.prototypes[index]
        self.check_limit(row.length * self.manifest.prototype_dtype(index).itemsize, f"prototype {index}")
        if isinstance(row, GeneratorRow):
            return _generate(row, index)
        values = self._values(row.block, self._prototype_starts[index], self.manifest.stored_values(row))
        if row.presence is None:
            return values
        whole = np.empty(row.length, dtype=values.dtype)
        fill.scatter(whole, self.mask(row.presence), values)
        return whole

    # --- entries ----------------------------------------------------------------------------------------------

    def dtype(self, index: int) -> DType:
        """Element type of an entry."""
        return self.manifest.entry_dtype(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of an entry."""
        return self.manifest.resolve(index).shape

    def check_entry(self, index: int) -> None:
        """Refuse an entry that is larger than `max_bytes`, before memory is taken for it."""
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
        packed = self._layer_mask(row)
        if isinstance(row, KeptRow):
            fill.scatter(out, packed, self.kept(index))
            return out
        first = self._tile(row.prototype, row.scale_bits), row.phase
        fill.fill_masked(out, packed, ZERO_NAMES[row.zero], first, self._second(row))
        return out

    def layer_mask(self, index: int) -> Packed:
        """The mask of a layer: one bit for every element, zero where the file has none.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert not isinstance(row, TensorRow)
        return self._layer_mask(row)

    def kept(self, index: int) -> Words:
        """The kept values of a kept layer, in order."""
        row = self.manifest.resolve(index)
        assert isinstance(row, KeptRow)
        return self._values(row.block, self._start(index), self.manifest.masks[row.mask].ones)

    def filled(self, index: int) -> Words:
        """A tiled layer without its mask: the prototype at every position, in a new array."""
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        out = np.empty(numel(row.shape), dtype=word_type(self.dtype(index)))
        fill.fill(out, self._tile(row.prototype, row.scale_bits), row.phase)
        return out

    def has_idle(self, index: int) -> bool:
        """Whether a tiled layer may have positions without a bit, because the prototype is zero there."""
        row = self.manifest.resolve(index)
        return isinstance(row, TiledRow) and self._tile(row.prototype, row.scale_bits).has_zero

    def unstored(self, index: int) -> Words | None:
        """For a tiled layer: ones where the prototype's elements are not stored; None if all are."""
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        prototype = self.manifest.prototypes[row.prototype]
        if not isinstance(prototype, ValuesRow) or prototype.presence is None:
            return None
        if row.prototype not in self._unstored:
            present = bits.unpack(self.mask(prototype.presence), prototype.length)
            self._unstored[row.prototype] = Tile((~present).view(np.uint8))
        out = np.empty(numel(row.shape), dtype=np.uint8)
        fill.fill(out, self._unstored[row.prototype], row.phase)
        return out

    def _start(self, index: int) -> int:
        row = self.manifest.entries[index]
        return self._entry_starts[row.target if isinstance(row, AliasRow) else index]

    def _second(self, row: TiledRow) -> tuple[Tile, int] | None:
        """The second prototype and its phase, where a zero bit stands for it."""
        return None if row.second is None else (self._tile(row.second, row.scale_bits), row.second_phase)

    def _layer_mask(self, row: KeptRow | TiledRow) -> Packed:
        stored = self.manifest.masks[row.mask]
        packed = self.mask(row.mask)
        count = numel(row.shape)
        if isinstance(row, KeptRow):
            return packed
        tile, second = self._tile(row.prototype, row.scale_bits), self._second(row)
        if second is None and stored.length == count and not tile.has_zero:
            return packed
        try:
            return fill.spread(packed, stored.length, fill.active(count, tile, row.phase, second))
        except PayloadError as reason:
            raise PayloadError(f"layer {row.name!r}: {reason}") from None

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
        network.masks.append(Mask(self.layer_mask(index), numel(row.shape)))
        if isinstance(row, KeptRow):
            kept = KeptFill(self.dtype(index), self.kept(index))
            return Layer(row.name, row.shape, len(network.masks) - 1, kept, row.task)
        scale = None if row.scale_bits is None else float32_of(row.scale_bits)
        tiled = TileFill(row.prototype, row.phase, ZERO_NAMES[row.zero], scale, row.second, row.second_phase)
        return Layer(row.name, row.shape, len(network.masks) - 1, tiled, row.task)


def _generator(row: GeneratorRow) -> Generator:
    scale = float32_of(row.scale_bits)
    return Generator(
        DISTRIBUTIONS[row.distribution],
        row.length,
        row.seed,
        row.stream,
        scale,
        row.patches,
        row.period,
        row.zeros,
    )


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
