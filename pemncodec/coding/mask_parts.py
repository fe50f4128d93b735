"""Parts of masks, decoded without the rest where their coder allows it (spec section 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from ..common import bits
from ..common.bits import Packed
from ..container.cursor import Payload
from ..container.manifest.coder_table import MASK_CHUNKS, MASK_RANS_BYTES, MASK_RAW
from ..container.reader import WHOLE
from . import chunks
from .cache import Once
from .masks.coders import IN_CHUNKS, check_raw_part, decode_chunk
from .masks.front import MaskFront
from .sections import SectionDecoder

# The first bit or element of a part, and the one after the last.
Span = tuple[int, int]


class MaskParts(Protocol):
    """Bits of one mask, a part at a time; errors as `SectionDecoder.mask`."""

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        """Return the bytes of the mask that are read for parts."""
        ...

    def part(self, start: int, stop: int) -> Packed:
        """Bits start … stop − 1, as bits of their own."""
        ...


class CountedParts(MaskParts, Protocol):
    """The same, of a mask whose ones have values."""

    def before(self, position: int) -> int:
        """Return how many of bits 0 … position − 1 are one."""
        ...

    def places(self, start: int, stop: int) -> Span:
        """The places, among all ones, of bits start … stop − 1, and of some beside them: without decoding chunks."""
        ...


def mask_parts(decoder: SectionDecoder, number: int, whole: Callable[[], Packed]) -> MaskParts:
    """Return a decoder of parts of mask `number`.

    Args:
        whole: decodes it whole, and keeps it.
    """
    if decoder.manifest.masks[number].coder == MASK_RAW:
        return _Raw(decoder, number)
    return counted_parts(decoder, number, whole)


def counted_parts(decoder: SectionDecoder, number: int, whole: Callable[[], Packed]) -> CountedParts:
    """As `mask_parts`; the ones before a part of a raw mask can be counted only if it is read whole."""
    coder = decoder.manifest.masks[number].coder
    if coder == MASK_CHUNKS:
        return _Chunks(decoder, number)
    if coder == MASK_RANS_BYTES:
        return _Front(decoder, number)
    return _Whole(lambda _: whole())


class _Whole:
    """A mask that is decoded from its beginning.

    Args:
        until: gives the bytes of the first bits, as many as it is told, or more.
    """

    def __init__(self, until: Callable[[int], Packed]) -> None:
        self._until = until
        self._counted = (0, 0)  # some position, and the ones before it

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        return [WHOLE] if parts else []

    def part(self, start: int, stop: int) -> Packed:
        return bits.part(self._until(stop), start, stop)

    def before(self, position: int) -> int:
        begin, ones = self._counted
        if begin > position:
            begin = ones = 0
        ones += bits.count_ones(bits.part(self._until(position), begin, position))
        self._counted = position, ones  # most parts are asked for in order
        return ones

    def places(self, start: int, stop: int) -> Span:
        return self.before(start), self.before(stop)


class _Front(_Whole):
    """A mask of rANS bytes, decoded from its front to the part."""

    def __init__(self, decoder: SectionDecoder, number: int) -> None:
        fronts: Once[MaskFront] = Once()

        def front() -> MaskFront:
            return MaskFront(decoder.manifest.masks[number], decoder.mask_payload(number), number)

        super().__init__(lambda stop: fronts(0, front).until(stop))


class _Raw:
    """A raw mask, read by range: pages are checked, and the number of ones as far as it can be."""

    def __init__(self, decoder: SectionDecoder, number: int) -> None:
        self._decoder = decoder
        self._number = number

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        return [slice(start // 8, bits.byte_length(stop)) for start, stop in parts]

    def part(self, start: int, stop: int) -> Packed:
        self._decoder.check_limit(bits.byte_length(stop - start), f"mask {self._number}")
        payload = self._decoder.container.mask_payload(self._number, slice(start // 8, bits.byte_length(stop)))
        return check_raw_part(self._decoder.manifest.masks[self._number], payload, self._number, start, stop)


class _Chunks:
    """A mask in chunks, of which those are decoded that a part touches."""

    def __init__(self, decoder: SectionDecoder, number: int) -> None:
        self._decoder = decoder
        self._name = f"mask {number}"
        row = decoder.manifest.masks[number]
        self._chunks: chunks.Chunks[Packed] = chunks.Chunks(
            self._name,
            partial(decoder.container.mask_payload, number),
            lambda read: chunks.read_front(read, row.size, row.length, row.ones, IN_CHUNKS),
            self._decode,
        )
        self.spans = self._chunks.spans

    def part(self, start: int, stop: int) -> Packed:
        table = self._chunks.table
        touched = table.touched(start, stop)
        first = touched.start << table.power
        length = min(touched.stop << table.power, table.length) - first if touched else 0
        self._check(length)
        packed = np.empty(bits.byte_length(length), dtype=np.uint8)
        for number, chunk in self._chunks.decoded(touched):
            begin = ((number << table.power) - first) // 8
            packed[begin : begin + len(chunk)] = chunk
        return bits.part(packed, start - first, stop - first) if touched else packed

    def before(self, position: int) -> int:
        table = self._chunks.table
        number, inside = position >> table.power, position & (1 << table.power) - 1
        if not inside:
            return table.before[number]
        if position == table.length:  # which is in the last chunk
            return table.before[-1]
        ((_, chunk),) = self._chunks.decoded(range(number, number + 1))
        return table.before[number] + bits.count_ones(bits.part(chunk, 0, inside))

    def places(self, start: int, stop: int) -> Span:
        table = self._chunks.table
        touched = table.touched(start, stop)
        return (table.before[touched.start], table.before[touched.stop]) if touched else (0, 0)

    def _decode(self, chunk: chunks.Chunk, payload: Payload, number: int) -> Packed:
        self._check(chunk.length)
        return decode_chunk(chunk, payload, number)

    def _check(self, length: int) -> None:
        self._decoder.check_limit(bits.byte_length(length), self._name)
