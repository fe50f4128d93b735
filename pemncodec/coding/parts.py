"""Parts of an entry, decoded without the rest where the format allows it (spec sections 5 to 7)."""

from __future__ import annotations

from collections.abc import Sequence

from ..common import bits
from ..common.bits import Packed
from ..common.words import Words
from ..container.manifest.coder_table import BLOCK_RAW, MASK_RANS_BYTES, MASK_RAW
from ..container.manifest.rows import BoolRow, KeptRow, TensorRow, TiledRow, numel
from ..container.manifest.zero_table import ZERO_RULES
from ..network import fill
from ..network.tile import Tile
from .cache import Once
from .decoder import Decoder
from .masks.front import MaskFront


class PartDecoder:
    """Decodes parts of one entry, for any number of threads.

    Raw masks and raw blocks are read by range: their pages are checked, and the number of ones as far as it can be.
    A mask of rANS bytes is decoded from its front to the part. All else is decoded whole, with all checks, at the first
    part that needs it. What was decoded beside parts is kept: a mask takes a bit an element; values of a coded block
    take what they take.

    Args:
        decoder: of an opened file.
        index: of the entry; an alias stands for its target.
    """

    def __init__(self, decoder: Decoder, index: int) -> None:
        self._decoder = decoder
        self._index = index
        self._row = decoder.manifest.resolve(index)
        self._count = numel(self._row.shape)
        self._masks: Once[Packed] = Once()
        self._fronts: Once[MaskFront] = Once()
        self._values: Once[Words] = Once()
        self._counted = (0, 0)  # some position, and the ones before it

    def expect(self, parts: Sequence[tuple[int, int]]) -> None:
        """Announce parts (first element, and the one after the last) that `fill` will be called for, in this order.

        A file far away is read in few requests then. Raises as `fill`.
        """
        row, decoder = self._row, self._decoder
        expect = decoder.container.expect
        if isinstance(row, TiledRow | BoolRow):
            masks, blocks = decoder.prototype_sections(row) if isinstance(row, TiledRow) else (set(), set())
            if decoder.manifest.masks[row.mask].coder == MASK_RAW and self._bit_each(row):
                spans = [(row.mask, slice(start // 8, bits.byte_length(stop))) for start, stop in parts]
                expect(masks, blocks, mask_parts=spans)
            else:
                expect({*masks, row.mask}, blocks)
        elif decoder.manifest.blocks[row.block].coder != BLOCK_RAW:
            expect([row.mask] if isinstance(row, KeptRow) else [], [row.block])
        else:
            if isinstance(row, KeptRow):  # the places of values follow from the mask
                expect([row.mask], [])
                parts = [self._kept(*part)[1:] for part in parts]
            size, begin = decoder.dtype(self._index).itemsize, decoder.start(self._index)
            stored = [(row.block, slice((begin + start) * size, (begin + stop) * size)) for start, stop in parts]
            expect([], [], block_parts=stored)

    def fill(self, out: Words, start: int) -> None:
        """Fill `out` with the elements from `start` on, of which there are enough.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
            BaseFileError: the file is a delta, and its base was not given, or is another file.
        """
        if not len(out):
            if not self._count:  # its sections may be damaged all the same
                self._decoder.words(self._index)
            return
        row, stop = self._row, start + len(out) // self._decoder.dtype(self._index).words_per_element
        if isinstance(row, TensorRow):
            out[:] = self._stored(row.block, self._count, start, stop)
        elif isinstance(row, KeptRow):
            piece, first, last = self._kept(start, stop)
            fill.scatter(out, piece, self._stored(row.block, self._decoder.manifest.masks[row.mask].ones, first, last))
        elif isinstance(row, BoolRow):
            out[:] = bits.unpack(self._bits(row, start, stop), stop - start)
        else:
            self._fill_tiled(row, out, start, stop)

    def _bit_each(self, row: TiledRow | BoolRow) -> bool:
        """Return whether every element has a bit of its own, unless the prototype has zeros."""
        if isinstance(row, BoolRow):
            return True
        return self._decoder.manifest.masks[row.mask].length == self._count and row.second is None

    def _fill_tiled(self, row: TiledRow, out: Words, start: int, stop: int) -> None:
        first, second = self._tile(row), self._decoder.second(row)
        # Idle positions have no bit: the place of a later one follows from all before.
        if not self._bit_each(row) or first.has_zero:
            piece = bits.part(self._whole_mask(), start, stop)
        else:
            piece = self._bits(row, start, stop)
        other = None if second is None else (second[0], (second[1] + start) % len(second[0]))
        fill.fill_masked(out, piece, ZERO_RULES[row.zero].name, (first, (row.phase + start) % len(first)), other)

    def _bits(self, row: TiledRow | BoolRow, start: int, stop: int) -> Packed:
        """Bits start … stop − 1 of a mask that has a bit for every element."""
        if self._decoder.manifest.masks[row.mask].coder == MASK_RAW:
            return self._decoder.raw_mask_part(row.mask, start, stop)
        return bits.part(self._mask_until(stop), start, stop)

    def _tile(self, row: TiledRow) -> Tile:
        return self._decoder.tile(row.prototype, row.scale_bits)

    def _kept(self, start: int, stop: int) -> tuple[Packed, int, int]:
        """Bits start … stop − 1 of a kept layer, and the places of their values: the first, and one after the last."""
        packed = self._mask_until(stop)
        piece = bits.part(packed, start, stop)
        position, ones = self._counted
        if position > start:
            position = ones = 0
        first = ones + bits.count_ones(bits.part(packed, position, start))
        last = first + bits.count_ones(piece)
        self._counted = stop, last  # most parts are asked for in order
        return piece, first, last

    def _mask_until(self, stop: int) -> Packed:
        """Bits 0 … stop − 1, or more, of a mask that has a bit for every element."""
        assert not isinstance(self._row, TensorRow)
        number = self._row.mask
        if self._decoder.manifest.masks[number].coder != MASK_RANS_BYTES:
            return self._whole_mask()
        return self._fronts(0, lambda: self._decoder.mask_front(number)).until(stop)

    def _whole_mask(self) -> Packed:
        return self._masks(0, lambda: self._decoder.bits(self._index))

    def _stored(self, block: int, count: int, start: int, stop: int) -> Words:
        """Values start … stop − 1 of the `count` that the entry has in a block."""
        decoder, begin = self._decoder, self._decoder.start(self._index)
        if decoder.manifest.blocks[block].coder == BLOCK_RAW:
            return decoder.raw_block_part(block, begin + start, begin + stop)
        per = decoder.dtype(self._index).words_per_element
        return self._values(0, lambda: decoder.values(block, begin, count))[start * per : stop * per]
