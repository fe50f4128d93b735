"""Chunks: a mask or a block in parts that are coded each by itself (spec sections 5.5 and 6.3).

A stream of rANS or zstd is decoded from its front. In chunks, a part of a tensor costs what the chunks that it touches
cost, and a table of a few bytes for each chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

from ..container.cursor import Cursor, Payload, varints
from ..errors import PayloadError
from .cache import Once

T = TypeVar("T")

# A chunk has 2^k bits of a mask, or elements of a block.
LEAST_POWER, MOST_POWER = 3, 40
MOST_CHUNKS = 1 << 16
# Power and table of most sections are in so many bytes.
_FRONT = 1 << 12
# No integer of a legal table is longer.
_INTEGER_BYTES = 7


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of section in chunks: masks or blocks.

    Attributes:
        coders: those of a chunk are below this id.
        ones: whether the table has the ones of each chunk.
        unit: for messages.
    """

    coders: int
    ones: bool
    unit: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A row of the table.

    Attributes:
        coder: its id.
        length: bits or elements.
        ones: one bits; 0 in a block.
        start, stop: between these bytes of the section its payload is.
    """

    coder: int
    length: int
    ones: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return self.stop - self.start


class Table:
    """The chunks of a section.

    Attributes:
        length: bits or elements of all.
        power: each chunk but the last has 2^power of them.
        before: ones before each chunk, and of all.
    """

    def __init__(self, power: int, length: int, coders: bytes, ones: Sequence[int], ends: Sequence[int]) -> None:
        self.power = power
        self.length = length
        self.before = list(accumulate(ones, initial=0))
        self._coders = coders
        self._ones = ones
        self._ends = ends

    def __len__(self) -> int:
        return len(self._coders)

    def __getitem__(self, number: int) -> Chunk:
        length = min(1 << self.power, self.length - (number << self.power))
        ones = self._ones[number] if self._ones else 0
        return Chunk(self._coders[number], length, ones, self._ends[number], self._ends[number + 1])

    def __iter__(self) -> Iterator[Chunk]:
        return map(self.__getitem__, range(len(self)))

    def touched(self, start: int, stop: int) -> range:
        """The chunks that bits or elements start … stop − 1 are in."""
        return range(start >> self.power, (stop - 1 >> self.power) + 1) if start < stop else range(0)

    def bytes_of(self, chunks: range) -> slice:
        """The place, in the section, of the payloads of chunks that follow each other."""
        return slice(self._ends[chunks.start], self._ends[chunks.stop]) if chunks else slice(0, 0)


class Chunks(Generic[T]):
    """Chunks of a section that is not read whole, decoded when they are asked for, by any number of threads.

    Of a chunk everything is checked; of the others, that their sizes and their ones add up.

    Args:
        name: of the section, for messages.
        read: gives a part of the section.
        table: reads the table by `read`.
        decode: decodes a chunk from its payload; the last argument is its number.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[slice], Payload],
        table: Callable[[Callable[[slice], Payload]], Table],
        decode: Callable[[Chunk, Payload, int], T],
    ) -> None:
        self._name = name
        self._read = read
        self._read_table = table
        self._decode = decode
        self._tables: Once[Table] = Once()
        self._last: tuple[int, T] | None = None  # where the next part begins, mostly

    @property
    def table(self) -> Table:
        """The table, read when it is first needed."""
        return self._tables(0, self._table)

    def _table(self) -> Table:
        try:
            return self._read_table(self._read)
        except PayloadError as reason:
            raise PayloadError(f"{self._name}: {reason}") from None

    def spans(self, parts: Sequence[tuple[int, int]]) -> list[slice]:
        """Return the bytes of the section that the chunks of parts are in."""
        return [self.table.bytes_of(self.table.touched(*part)) for part in parts]

    def decoded(self, touched: range) -> Iterator[tuple[int, T]]:
        """Numbers and contents of chunks that follow each other. The one that was decoded last is not decoded again.

        Raises:
            LimitError, ChecksumError, PayloadError: as spec section 9 says.
        """
        table, last = self.table, self._last
        if last is not None and touched.start == last[0]:
            yield last
            touched = touched[1:]
        if not touched:
            return
        where = table.bytes_of(touched)
        content = memoryview(self._read(where))
        for number in touched:
            chunk = table[number]
            payload = content[chunk.start - where.start : chunk.stop - where.start]
            try:
                last = number, self._decode(chunk, payload, number)
            except PayloadError as reason:
                raise PayloadError(f"{self._name}: {reason}") from None
            self._last = last
            yield last


def write(power: int, coders: Sequence[int], ones: Sequence[int], payloads: Sequence[Payload]) -> bytes:
    """The payload of a section.

    Args:
        power: a chunk has 2^power bits or elements.
        coders, payloads: of each chunk.
        ones: of each chunk of a mask; none for a block.
    """
    sizes = [len(payload) for payload in payloads]
    return b"".join((bytes([power]), bytes(coders), varints(ones), varints(sizes), *payloads))


def read_table(front: Payload, size: int, length: int, ones: int, kind: Kind) -> Table:
    """Read the table that `write` has written.

    Args:
        front: the section, or its front, with the whole table.
        size: bytes of the section.
        length: bits or elements.
        ones: one bits, if it is a mask.

    Raises:
        PayloadError: a field that is not allowed, or a sum that is not what it must be.
    """
    cursor = Cursor(front, PayloadError)
    power = cursor.fixed(1, "size of the chunks")
    if not LEAST_POWER <= power <= MOST_POWER:
        raise PayloadError(f"chunks of 2^{power} {kind.unit}: 2^{LEAST_POWER} to 2^{MOST_POWER} are allowed")
    count = _count(power, length)
    if not 2 <= count <= MOST_CHUNKS:
        raise PayloadError(f"{length} {kind.unit} make {count} chunks of 2^{power}: 2 to {MOST_CHUNKS} are allowed")
    coders = cursor.take(count, "coders of the chunks")
    if max(coders) >= kind.coders:
        raise PayloadError(f"a chunk has the coder {max(coders)}, but only 0 to {kind.coders - 1} are allowed")
    in_chunks: list[int] = []
    if kind.ones:
        in_chunks = cursor.varints(count, "ones of a chunk", 1 << power)
        last = length - (count - 1 << power)
        if in_chunks[-1] > last:
            raise PayloadError(f"the last chunk has {in_chunks[-1]} ones in {last} bits")
        if sum(in_chunks) != ones:
            raise PayloadError(f"the chunks have {sum(in_chunks)} ones, but the manifest says {ones}")
    sizes = cursor.varints(count, "size of a chunk", size)
    if cursor.position + sum(sizes) != size:
        raise PayloadError(f"the chunks have {sum(sizes)} bytes, but {size - cursor.position} are left for them")
    return Table(power, length, coders, in_chunks, list(accumulate(sizes, initial=cursor.position)))


def read_front(read: Callable[[slice], Payload], size: int, length: int, ones: int, kind: Kind) -> Table:
    """As `read_table`, of a section that is not read whole.

    Args:
        read: gives a part of the section.
    """
    front = read(slice(_FRONT))
    if len(front) and LEAST_POWER <= front[0] <= MOST_POWER:
        most = 1 + _count(front[0], length) * (1 + (1 + kind.ones) * _INTEGER_BYTES)
        if len(front) < min(most, size):
            front = read(slice(min(most, MOST_CHUNKS * (2 + 2 * _INTEGER_BYTES))))
    return read_table(front, size, length, ones, kind)


def power_for(length: int, wished: int) -> int:
    """Return the power that an encoder takes: the wished one, or more where chunks would be too many."""
    return max(wished, (length - 1).bit_length() - (MOST_CHUNKS.bit_length() - 1))


def _count(power: int, length: int) -> int:
    return -(-length >> power)
