"""container -> values: the entries of a file, decoded on demand (spec section 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..common import bits
from ..common.bits import Packed
from ..common.dtypes import DType
from ..common.words import Words, word_type
from ..container.manifest.rows import AliasRow, BoolRow, KeptRow, PlainRow, TensorRow, TiledRow, ValuesRow, numel
from ..container.manifest.zero_table import ZERO_RULES
from ..errors import PayloadError
from ..errors.quoting import quoted
from ..network import fill
from ..network.fill import Filler
from ..network.tile import BLOCK, Tile
from .delta.base_values import BaseValues
from .sections import SectionDecoder


class Decoder(SectionDecoder):
    """Decodes the entries of a container, each when it is asked for, by any number of threads."""

    def expect(self, indices: Iterable[int]) -> None:
        """Announce entries that will be decoded, so that a file far away is read in few requests."""
        masks: set[int] = set()
        blocks: set[int] = set()
        for index in indices:
            row = self.manifest.resolve(index)
            if isinstance(row, TiledRow):
                of_prototypes = self.prototype_sections(row)
                masks |= of_prototypes[0]
                blocks |= of_prototypes[1]
            elif not isinstance(row, BoolRow):
                blocks.add(row.block)
            if not isinstance(row, TensorRow):
                masks.add(row.mask)
        self.container.expect(masks, blocks)

    def prototype_sections(self, row: TiledRow) -> tuple[set[int], set[int]]:
        """The masks, and the blocks, that the prototypes of a tiled layer are stored in."""
        numbers = (row.prototype,) if row.second is None else (row.prototype, row.second)
        rows = [self.manifest.prototypes[number] for number in numbers]
        stored = [found for found in rows if isinstance(found, ValuesRow)]
        return {found.presence for found in stored if found.presence is not None}, {found.block for found in stored}

    def dtype(self, index: int) -> DType:
        """Element type of an entry."""
        return self.manifest.entry_dtype(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of an entry."""
        return self.manifest.resolve(index).shape

    def size(self, index: int) -> int:
        """Bytes of an entry, dense."""
        found = self._sizes.get(index)
        if found is None:
            found = self._sizes[index] = numel(self.shape(index)) * self.dtype(index).itemsize
        return found

    def check_entry(self, index: int) -> None:
        """Refuse an entry that is larger than `max_bytes`, before memory is taken for it."""
        size = self.size(index)
        if size > self.max_bytes:  # the name is escaped only where it is printed
            self.check_limit(size, f"tensor {quoted(self.manifest.resolve(index).name)}")

    def words(self, index: int) -> Words:
        """The dense values of an entry, as words; those of a plain tensor come as a read-only view.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        self.check_entry(index)
        row = self.manifest.resolve(index)
        if isinstance(row, TensorRow):
            return self.values(row.block, self.start(index), numel(row.shape))
        if isinstance(row, BoolRow):
            return bits.unpack(self.mask(row.mask), numel(row.shape)).view(np.uint8)
        out = np.empty(numel(row.shape), dtype=word_type(self.dtype(index)))
        self._filler(index, row)(out, 0)
        return out

    def pieces(self, index: int) -> Iterator[Words]:
        """The dense values of an entry one after the other, in pieces of at most `fill.PIECE` words.

        A piece is valid until the next one is asked for. Raises as `words`.
        """
        row = self.manifest.resolve(index)
        count = numel(row.shape)
        if isinstance(row, TensorRow) or count <= fill.PIECE:
            words = self.words(index)
            for start in range(0, len(words), fill.PIECE):
                yield words[start : start + fill.PIECE]
            return
        self.check_entry(index)
        if isinstance(row, BoolRow):
            packed = self.mask(row.mask)
            for start in range(0, count, fill.PIECE):
                yield bits.unpack(packed[start // 8 :], min(fill.PIECE, count - start)).view(np.uint8)
            return
        filler = self._filler(index, row)
        buffer = np.empty(min(count, fill.PIECE), dtype=word_type(self.dtype(index)))
        for start in range(0, count, fill.PIECE):
            piece = buffer[: min(fill.PIECE, count - start)]
            filler(piece, start)
            yield piece

    def filler(self, index: int) -> Filler:
        """Decodes what a layer needs, and returns what fills any part of it; errors as `words`."""
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert not isinstance(row, PlainRow)
        return self._filler(index, row)

    def _filler(self, index: int, row: KeptRow | TiledRow) -> Filler:
        packed = self._layer_mask(row)
        if isinstance(row, KeptRow):
            return fill.scattering(packed, self.kept(index))
        first, second = self.tile(row.prototype, row.scale_bits), self.second(row)

        def fill_part(out: Words, start: int) -> None:
            other = None if second is None else (second[0], (second[1] + start) % len(second[0]))
            phase = (row.phase + start) % len(first)
            fill.fill_masked(out, packed[start // 8 :], ZERO_RULES[row.zero].name, (first, phase), other)

        return fill_part

    def layer_mask(self, index: int) -> Packed:
        """The mask of a layer, or a bool tensor: one bit for every element, zero where the file has none.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        self.check_entry(index)
        return self.bits(index)

    def bits(self, index: int) -> Packed:
        """The mask of a layer, however large the layer would be; errors as `layer_mask`."""
        row = self.manifest.resolve(index)
        self.check_limit(bits.byte_length(numel(row.shape)), f"the mask of {quoted(row.name)}")
        if isinstance(row, TensorRow):
            return bits.pack(self.words(index).view(np.bool_))
        return self._layer_mask(row)

    def kept(self, index: int) -> Words:
        """The kept values of a kept layer, in order."""
        row = self.manifest.resolve(index)
        assert isinstance(row, KeptRow)
        return self.values(row.block, self.start(index), self.manifest.masks[row.mask].ones)

    def filled(self, index: int) -> Words:
        """A tiled layer without its mask: the prototype at every position, in a new array."""
        self.check_entry(index)
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        out = np.empty(numel(row.shape), dtype=word_type(self.dtype(index)))
        fill.fill(out, self.tile(row.prototype, row.scale_bits), row.phase)
        return out

    def has_idle(self, index: int) -> bool:
        """Return whether a tiled layer may have positions without a bit, because the prototype is zero there."""
        row = self.manifest.resolve(index)
        return isinstance(row, TiledRow) and self.tile(row.prototype, row.scale_bits).has_zero

    def idle(self, index: int) -> Callable[[int, int], NDArray[np.bool_]]:
        """Of a tiled layer: what says which of elements start … stop − 1 have no bit, though they are stored."""
        row = self.manifest.resolve(index)
        assert isinstance(row, TiledRow)
        tile, presence = self.tile(row.prototype, row.scale_bits), self._presence(row.prototype)

        def idle(start: int, stop: int) -> NDArray[np.bool_]:
            found = np.empty(stop - start, dtype=np.bool_)
            for at in range(start, stop, BLOCK):
                end = min(at + BLOCK, stop)
                flags = tile.slice(row.phase + at, end - at) == 0
                if presence is not None:
                    flags &= presence.slice(row.phase + at, end - at) != 0
                found[at - start : end - start] = flags
            return found

        return idle

    def _presence(self, prototype: int) -> Tile | None:
        """Ones where the elements of a prototype are stored; None if all are."""
        row = self.manifest.prototypes[prototype]
        if not isinstance(row, ValuesRow) or row.presence is None:
            return None
        stored = self.mask(row.presence)
        return self._stored(prototype, lambda: Tile(bits.unpack(stored, row.length).view(np.uint8)))

    def start(self, index: int) -> int:
        """The place of the first value of an entry among the elements of its block."""
        row = self.manifest.entries[index]
        return self._entry_starts[row.target if isinstance(row, AliasRow) else index]

    def second(self, row: TiledRow) -> tuple[Tile, int] | None:
        """The second prototype and its phase, where a zero bit stands for it."""
        return None if row.second is None else (self.tile(row.second, row.scale_bits), row.second_phase)

    def _layer_mask(self, row: KeptRow | TiledRow | BoolRow) -> Packed:
        stored = self.manifest.masks[row.mask]
        packed = self.mask(row.mask)
        count = numel(row.shape)
        if not isinstance(row, TiledRow):
            return packed
        tile, second = self.tile(row.prototype, row.scale_bits), self.second(row)
        if second is None and stored.length == count and not tile.has_zero:
            return packed
        try:
            return fill.spread(packed, stored.length, count, tile, row.phase, second)
        except PayloadError as reason:
            raise PayloadError(f"layer {quoted(row.name)}: {reason}") from None

    def _open_base(self) -> BaseValues:
        file = self._bases.find(self.manifest.base or "")
        return BaseValues(Decoder(file.container, self.max_bytes, self._bases, self._chain), file.name, self._chain)
