"""Parts of an entry, decoded without the rest where the format allows it (spec sections 5 to 7)."""

from __future__ import annotations

from collections.abc import Sequence

from ..common import bits
from ..common.bits import Packed
from ..common.words import Words
from ..container.manifest.rows import BoolRow, KeptRow, TensorRow, TiledRow, numel
from ..container.manifest.zero_table import ZERO_RULES
from ..container.reader import WHOLE
from ..network import fill
from .block_parts import block_parts
from .cache import Once
from .decoder import Decoder
from .mask_parts import MaskParts, Span, counted_parts, mask_parts


class PartDecoder:
    """Decodes parts of one entry, for any number of threads.

    Raw masks and raw blocks are read by range: their pages are checked, and the number of ones as far as it can be.
    Of what is in chunks those are decoded that a part touches. A mask of rANS bytes is decoded from its front to the
    part. All else is decoded whole, with all checks, at the first part that needs it. What was decoded beside parts is
    kept, of chunks only the last: a mask takes a bit an element; values of a coded block take what they take.

    Args:
        decoder: of an opened file.
        index: of the entry; an alias stands for its target.
    """

    def __init__(self, decoder: Decoder, index: int) -> None:
        self._decoder = decoder
        self._index = index
        self._row = row = decoder.manifest.resolve(index)
        self._count = numel(row.shape)
        self._masks: Once[Packed] = Once()
        self._mask: MaskParts | None = None  # of a tiled layer or a bool tensor, unless it is decoded whole
        if isinstance(row, TensorRow | KeptRow):
            count = self._count if isinstance(row, TensorRow) else decoder.manifest.masks[row.mask].ones
            self._block = block_parts(decoder, row.block, decoder.start(index), count)
        if isinstance(row, KeptRow):
            self._kept_mask = counted_parts(decoder, row.mask, self._whole_mask)
        elif not isinstance(row, TensorRow) and self._bit_each(row):
            self._mask = mask_parts(decoder, row.mask, self._whole_mask)

    def expect(self, parts: Sequence[Span]) -> None:
        """Announce parts (first element, and the one after the last) that `fill` will be called for, in this order.

        A file far away is read in few requests then. Raises as `fill`.
        """
        row, decoder = self._row, self._decoder
        expect = decoder.container.expect
        if isinstance(row, TiledRow | BoolRow):
            masks, blocks = decoder.prototype_sections(row) if isinstance(row, TiledRow) else (set(), set())
            spans = [WHOLE] if self._mask is None else self._mask.spans(parts)
            expect(masks, blocks, mask_parts=[(row.mask, span) for span in spans])
            return
        if isinstance(row, KeptRow):
            mask_spans = [(row.mask, span) for span in self._kept_mask.spans(parts)]
            if self._block.is_whole:
                expect([], [row.block], mask_parts=mask_spans)
                return
            expect([], [], mask_parts=mask_spans)  # the places of values follow from the mask
            parts = [self._kept_mask.places(*part) for part in parts]
        expect([], [], block_parts=[(row.block, span) for span in self._block.spans(parts)])

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
            out[:] = self._block.part(start, stop)
        elif isinstance(row, KeptRow):
            first = self._kept_mask.before(start)
            piece = self._kept_mask.part(start, stop)
            fill.scatter(out, piece, self._block.part(first, first + bits.count_ones(piece)))
        elif isinstance(row, BoolRow):
            assert self._mask is not None
            out[:] = bits.unpack(self._mask.part(start, stop), stop - start)
        else:
            self._fill_tiled(row, out, start, stop)

    def _bit_each(self, row: TiledRow | BoolRow) -> bool:
        """Return whether every element has a bit of its own, unless the prototype has zeros."""
        if isinstance(row, BoolRow):
            return True
        return self._decoder.manifest.masks[row.mask].length == self._count and row.second is None

    def _fill_tiled(self, row: TiledRow, out: Words, start: int, stop: int) -> None:
        first, second = self._decoder.tile(row.prototype, row.scale_bits), self._decoder.second(row)
        # Idle positions have no bit: the place of a later one follows from all before.
        if self._mask is None or first.has_zero:
            piece = bits.part(self._whole_mask(), start, stop)
        else:
            piece = self._mask.part(start, stop)
        other = None if second is None else (second[0], (second[1] + start) % len(second[0]))
        fill.fill_masked(out, piece, ZERO_RULES[row.zero].name, (first, (row.phase + start) % len(first)), other)

    def _whole_mask(self) -> Packed:
        return self._masks(0, lambda: self._decoder.bits(self._index))
