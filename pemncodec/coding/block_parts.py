"""Parts of blocks, decoded without the rest where their coder allows it (spec section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np

from ..common.words import Words, word_type
from ..container.cursor import Payload
from ..container.manifest.coder_table import BLOCK_CHUNKS, BLOCK_RAW
from ..container.manifest.rows import BlockRow
from ..container.reader import WHOLE
from ..errors import PayloadError
from . import chunks
from .blocks.coders import IN_CHUNKS, decode_block, decode_chunk
from .cache import Once
from .mask_parts import Span
from .sections import SectionDecoder


class BlockParts(Protocol):
    """Elements that a user has in a block, a part at a time; errors as `SectionDecoder.values`.

    Attributes:
        is_whole: whether the first part decodes all of them.
    """

    is_whole: bool

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        """Return the bytes of the block that are read for parts."""
        ...

    def part(self, start: int, stop: int) -> Words:
        """Elements start … stop − 1, counted from the first of the user."""
        ...


def block_parts(decoder: SectionDecoder, number: int, begin: int, count: int) -> BlockParts:
    """Return a decoder of parts of what a user has in block `number`.

    Args:
        begin: its first element.
        count: of its elements.
    """
    coder = decoder.manifest.blocks[number].coder
    if coder == BLOCK_CHUNKS:
        return _Chunks(decoder, number, begin)
    return _Raw(decoder, number, begin) if coder == BLOCK_RAW else _Whole(decoder, number, begin, count)


class _Whole:
    """A block that is decoded whole; what the user has in it is kept."""

    is_whole = True

    def __init__(self, decoder: SectionDecoder, number: int, begin: int, count: int) -> None:
        self._per = decoder.manifest.blocks[number].dtype.words_per_element
        self._values: Once[Words] = Once()
        self._decode = partial(decoder.values, number, begin, count)

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        return [WHOLE] if parts else []

    def part(self, start: int, stop: int) -> Words:
        return self._values(0, self._decode)[start * self._per : stop * self._per]


class _Raw:
    """A raw block, of which only the pages of the part are read."""

    is_whole = False

    def __init__(self, decoder: SectionDecoder, number: int, begin: int) -> None:
        self._decoder = decoder
        self._number = number
        self._begin = begin
        self._row = decoder.manifest.blocks[number]

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        return [self._span(*part) for part in parts]

    def part(self, start: int, stop: int) -> Words:
        row, count = self._row, self._decoder.elements(self._number)
        self._decoder.check_limit((stop - start) * row.dtype.itemsize, f"block {self._number}")
        if row.size != count * row.dtype.itemsize:
            raise PayloadError(f"block {self._number}: {count} raw elements of {row.dtype} in {row.size} bytes")
        payload = self._decoder.container.block_payload(self._number, self._span(start, stop))
        return decode_block(BlockRow(row.dtype, row.coder, len(payload)), payload, stop - start, self._number)

    def _span(self, start: int, stop: int) -> slice:
        size = self._row.dtype.itemsize
        return slice((self._begin + start) * size, (self._begin + stop) * size)


class _Chunks:
    """A block in chunks, of which those are decoded that a part touches."""

    is_whole = False

    def __init__(self, decoder: SectionDecoder, number: int, begin: int) -> None:
        self._decoder = decoder
        self._dtype = decoder.manifest.blocks[number].dtype
        self._begin = begin
        self._name = f"block {number}"
        size, count = decoder.manifest.blocks[number].size, decoder.elements(number)
        self._chunks: chunks.Chunks[Words] = chunks.Chunks(
            self._name,
            partial(decoder.container.block_payload, number),
            lambda read: chunks.read_front(read, size, count, 0, IN_CHUNKS),
            self._decode,
        )

    def spans(self, parts: Sequence[Span]) -> list[slice]:
        return self._chunks.spans([(self._begin + start, self._begin + stop) for start, stop in parts])

    def part(self, start: int, stop: int) -> Words:
        table, per = self._chunks.table, self._dtype.words_per_element
        self._check(stop - start)
        words = np.empty((stop - start) * per, dtype=word_type(self._dtype))
        start, stop = self._begin + start, self._begin + stop
        for number, chunk in self._chunks.decoded(table.touched(start, stop)):
            begin = number << table.power
            first, last = max(start, begin), min(stop, begin + table[number].length)
            words[per * (first - start) : per * (last - start)] = chunk[per * (first - begin) : per * (last - begin)]
        return words

    def _decode(self, chunk: chunks.Chunk, payload: Payload, number: int) -> Words:
        self._check(chunk.length)
        return decode_chunk(chunk, self._dtype, payload, number)

    def _check(self, count: int) -> None:
        self._decoder.check_limit(count * self._dtype.itemsize, self._name)
