"""container -> values: the sections of a file, decoded on demand (spec sections 4.7 and 5 to 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from . import bits, fill
from .base import Bases
from .base_values import BaseValues
from .bits import Packed
from .container.container import Container
from .container.cursor import Payload
from .container.generators import PytorchRow
from .container.manifest import (
    DEFAULT_MAX_BYTES,
    ZERO_NAMES,
    AliasRow,
    KeptRow,
    TensorRow,
    TiledRow,
    ValuesRow,
    numel,
    numel_of,
)
from .dtypes import DType
from .errors import LimitError, PayloadError
from .fill import Filler, ScaledTile, Tile
from .generated import generate
from .masks import decode_mask
from .once import Once
from .quoting import quoted
from .tensors import decode_block
from .words import Words, word_type


class Decoder:
    """Decodes the sections of a container, each when it is asked for, by any number of threads.

    Args:
        container: an opened file.
        max_bytes: limit of spec section 4.7; checked for what is decoded at a time, of this file and of its base.
        bases: files of which one is the base, if the file is a delta.
    """

    def __init__(self, container: Container, max_bytes: int = DEFAULT_MAX_BYTES, bases: Bases | None = None) -> None:
        self.container = container
        self.manifest = container.manifest
        self.max_bytes = max_bytes
        self._counts, self._prototype_starts, self._entry_starts = self.manifest.block_users()
        # What has several users is decoded once and kept: a hostile file may refer to one section 10^5 times.
        self._block_users = self.manifest.users_by_block()
        self._mask_users = Counter(row.mask for row in self.manifest.entries if isinstance(row, KeptRow | TiledRow))
        tiled = [row for row in self.manifest.entries if isinstance(row, TiledRow)]
        self._prototype_users = Counter(index for row in tiled for index in (row.prototype, row.second))
        self._blocks: Once[Words] = Once()
        self._masks: Once[Packed] = Once()
        self._tiles: Once[Tile] = Once()
        self._last_tile: tuple[int, Tile] = (-1, Tile(np.empty(0, dtype=np.uint8)))
        self._extremes: Once[tuple[np.float32, np.float32]] = Once()
        self._unstored: Once[Tile] = Once()
        self._bases = bases or Bases()
        self._base: Once[BaseValues] = Once()

    def check_limit(self, count: int, what: str) -> None:
        """Refuse to make more than `max_bytes`.

        Raises:
            LimitError: `count` bytes are more.
        """
        if count > self.max_bytes:
            raise LimitError(
                f"{what} decodes to {count} bytes, and max_bytes allows {self.max_bytes}: raise it if you "
                "trust the file (prototypes and the draws of seeds count, too)"
            )

    def base(self) -> BaseValues:
        """The base that a delta refers to (spec section 6.2), opened when it is first asked for.

        Raises:
            BaseFileError: it was not given.
            FormatError, FileAccessError: it cannot be read.
        """
        return self._base(0, self._open_base)

    def _open_base(self) -> BaseValues:
        file = self._bases.find(self.manifest.base or "")
        return BaseValues(Decoder(file.container, self.max_bytes, self._bases), file.name)

    # --- sections ---------------------------------------------------------------------------------------------

    def mask(self, index: int) -> Packed:
        """The bits of a mask as stored."""
        if self._mask_users[index] > 1:
            return self._masks(index, lambda: _read_only(self._decode_mask(index)))
        return self._decode_mask(index)

    def mask_payload(self, index: int) -> Payload:
        """The bytes of a mask in the file, if it is not larger than `max_bytes`."""
        self.check_limit(bits.byte_length(self.manifest.masks[index].length), f"mask {index}")
        return self.container.mask_payload(index)

    def _decode_mask(self, index: int) -> Packed:
        def of_base(number: int, length: int) -> Packed:
            return self.base().mask(number, length, index)

        return decode_mask(self.manifest.masks[index], self.mask_payload(index), index, of_base)

    def _block(self, index: int) -> Words:
        if len(self._block_users[index]) > 1:
            return self._blocks(index, lambda: _read_only(self._decode_block(index)))
        return self._decode_block(index)

    def _decode_block(self, index: int) -> Words:
        row, count = self.manifest.blocks[index], self._counts[index]
        self.check_limit(count * row.dtype.itemsize, f"block {index}")
        payload, add_base = self.container.block_payload(index), partial(self._add_base, index)
        return decode_block(row, payload, count, index, len(self._block_users[index]), add_base)

    def _add_base(self, block: int, references: Sequence[int], words: Words) -> None:
        """Make elements of what is different from the base, user by user (spec section 6.2)."""
        dtype, base = self.manifest.blocks[block].dtype, self.base()
        users = list(zip(self._block_users[block], references, strict=True))
        # Of a kept layer the block holds few elements, and the base is decoded for all.
        needed = sum(numel_of(row) for row, reference in users if reference)
        self.check_limit(needed * dtype.itemsize, f"what block {block} takes of its base")
        start = 0
        for number, (row, reference) in enumerate(users):
            stop = start + self.manifest.stored_values(row) * dtype.words_per_element
            if reference:
                mask = self.manifest.stored_mask(row)
                packed = None if mask is None else self.mask(mask)
                add = base.add_prototype if isinstance(row, ValuesRow) else base.add_entry
                add(words[start:stop], reference - 1, dtype, numel_of(row), packed, (block, number))
            start = stop

    def _values(self, block: int, start: int, count: int) -> Words:
        per = self.manifest.blocks[block].dtype.words_per_element
        return self._block(block)[start * per : (start + count) * per]

    def prototype(self, index: int) -> Words:
        """All elements of a prototype as words; all-zero bits where not stored."""
        return self.tile(index, None).values

    def tile(self, index: int, scale_bits: int | None) -> Tile:
        """A prototype as it fills layers, times a float32 if there is one (spec section 8.4)."""
        if self._prototype_users[index] > 1:
            tile = self._tiles(index, lambda: Tile(self._decode_prototype(index)))
        else:  # one layer may ask a few times, and then nobody any more
            last, tile = self._last_tile
            if last != index:
                tile = Tile(self._decode_prototype(index))
                self._last_tile = index, tile
        if scale_bits is None:
            return tile
        return ScaledTile(tile, self._extremes(index, lambda: fill.extremes(tile.values)), scale_bits)

    def _decode_prototype(self, index: int) -> Words:
        row = self.manifest.prototypes[index]
        draws = 4 * row.draws if isinstance(row, PytorchRow) else 0
        self.check_limit(row.length * self.manifest.prototype_dtype(index).itemsize + draws, f"prototype {index}")
        if not isinstance(row, ValuesRow):
            return generate(row, index)
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

    def size(self, index: int) -> int:
        """Bytes of an entry, dense."""
        return numel(self.shape(index)) * self.dtype(index).itemsize

    def check_entry(self, index: int) -> None:
        """Refuse an entry that is larger than `max_bytes`, before memory is taken for it."""
        self.check_limit(self.size(index), f"tensor {quoted(self.manifest.resolve(index).name)}")

    def words(self, index: int) -> Words:
        """The dense values of an entry, as words; those of a plain tensor come as a read-only view.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        self.check_entry(index)
        row = self.manifest.resolve(index)
        if isinstance(row, TensorRow):
            return self._values(row.block, self._start(index), numel(row.shape))
        out = np.empty(numel(row.shape), dtype=word_type(self.dtype(index)))
        self.filler(index)(out, 0)
        return out

    def pieces(self, index: int) -> Iterator[Words]:
        """The dense values of an entry one after the other, in pieces of at most `fill.PIECE` words.

        A piece is valid until the next one is asked for. Raises as `words`.
        """
        self.check_entry(index)
        row = self.manifest.resolve(index)
        if isinstance(row, TensorRow):
            words = self.words(index)
            for start in range(0, len(words), fill.PIECE):
                yield words[start : start + fill.PIECE]
            return
        count, filler = numel(row.shape), self.filler(index)
        buffer = np.empty(min(count, fill.PIECE), dtype=word_type(self.dtype(index)))
        for start in range(0, count, fill.PIECE):
            piece = buffer[: min(fill.PIECE, count - start)]
            filler(piece, start)
            yield piece

    def filler(self, index: int) -> Filler:
        """Decodes what a layer needs, and returns what fills any part of it; errors as `words`."""
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert not isinstance(row, TensorRow)
        packed = self._layer_mask(row)
        if isinstance(row, KeptRow):
            return fill.scattering(packed, self.kept(index))
        first, second = self.tile(row.prototype, row.scale_bits), self._second(row)

        def fill_part(out: Words, start: int) -> None:
            other = None if second is None else (second[0], (second[1] + start) % len(second[0]))
            phase = (row.phase + start) % len(first)
            fill.fill_masked(out, packed[start // 8 :], ZERO_NAMES[row.zero], (first, phase), other)

        return fill_part

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
        fill.fill(out, self.tile(row.prototype, row.scale_bits), row.phase)
        return out

    def has_idle(self, index: int) -> bool:
        """Whether a tiled layer may have positions without a bit, because the prototype is zero there."""
        row = self.manifest.resolve(index)
        return isinstance(row, TiledRow) and self.tile(row.prototype, row.scale_bits).has_zero

    def unstored(self, index: int) -> Words | None:
        """For a tiled layer: ones where the prototype's elements are not stored; None if all are."""
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        prototype = self.manifest.prototypes[row.prototype]
        if not isinstance(prototype, ValuesRow) or prototype.presence is None:
            return None
        presence = self.mask(prototype.presence)
        flags = self._unstored(row.prototype, lambda: Tile((~bits.unpack(presence, prototype.length)).view(np.uint8)))
        out = np.empty(numel(row.shape), dtype=np.uint8)
        fill.fill(out, flags, row.phase)
        return out

    def _start(self, index: int) -> int:
        row = self.manifest.entries[index]
        return self._entry_starts[row.target if isinstance(row, AliasRow) else index]

    def _second(self, row: TiledRow) -> tuple[Tile, int] | None:
        """The second prototype and its phase, where a zero bit stands for it."""
        return None if row.second is None else (self.tile(row.second, row.scale_bits), row.second_phase)

    def _layer_mask(self, row: KeptRow | TiledRow) -> Packed:
        stored = self.manifest.masks[row.mask]
        packed = self.mask(row.mask)
        count = numel(row.shape)
        if isinstance(row, KeptRow):
            return packed
        tile, second = self.tile(row.prototype, row.scale_bits), self._second(row)
        if second is None and stored.length == count and not tile.has_zero:
            return packed
        try:
            return fill.spread(packed, stored.length, count, tile, row.phase, second)
        except PayloadError as reason:
            raise PayloadError(f"layer {quoted(row.name)}: {reason}") from None


def _read_only(shared: Packed | Words) -> Words:
    """What is kept for others: a tensor that took over its memory would change them with it."""
    shared.flags.writeable = False
    return shared
