"""Elements that differ from what a generator makes (spec section 4.5)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

from ..cursor import Cursor, varint, varints

Pair = tuple[int, int]
_CHUNK = 1 << 16


class Patches(Sequence[Pair]):
    """(index, 32-bit word) pairs, in two flat arrays: a file may have millions.

    Args:
        pairs: the indices ascending.

    Raises:
        OverflowError: an index or a word that is negative or too large.
    """

    __slots__ = ("indices", "words")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.indices, self.words = array("Q"), array("I")
        for index, word in pairs:
            self.indices.append(index)
            self.words.append(word)

    @classmethod
    def of(cls, indices: Iterable[int], words: Iterable[int]) -> Patches:
        """As many indices as words."""
        made = cls()
        made.indices, made.words = array("Q", indices), array("I", words)
        return made

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, at: int) -> Pair: ...
    @overload
    def __getitem__(self, at: slice) -> Patches: ...
    def __getitem__(self, at: int | slice) -> Pair | Patches:
        if isinstance(at, slice):
            return Patches.of(self.indices[at], self.words[at])
        return self.indices[at], self.words[at]

    def __iter__(self) -> Iterator[Pair]:
        return zip(self.indices, self.words, strict=True)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Patches):
            return self.indices == other.indices and self.words == other.words
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.indices.tobytes(), self.words.tobytes()))

    def __repr__(self) -> str:
        return f"Patches({list(self)!r})"

    def fit(self, length: int) -> bool:
        """Return whether the indices are ascending and below `length`."""
        indices = self.indices
        ascending = all(first < second for first, second in pairwise(indices))
        return ascending and (not indices or indices[-1] < length)


def read_patches(cursor: Cursor, length: int, steps: bool, what: str) -> Patches:
    """Patches of elements below `length`: bits, or steps (spec section 8.9)."""
    count = cursor.varint(f"patches of {what}")
    if count * (2 if steps else 5) > cursor.remaining:
        raise cursor.fail(f"{what}: {count} patches announced, but {cursor.remaining} bytes are left")
    if steps:
        _check_steps(cursor.ahead(), count, what)
    gaps = cursor.varints(count, f"patched index of {what}")
    cursor.spend(8 * len(gaps))
    indices = array("Q", _indices(gaps, cursor, length, what))
    if not steps:
        return Patches.of(indices, cursor.words(len(gaps), f"patch of {what}"))
    return Patches.of(indices, map(_word, cursor.varints(count, f"step of {what}")))


def _check_steps(cursor: Cursor, count: int, what: str) -> None:
    """Check the steps after so many gaps, a few at a time: a bad file is found out before it takes memory."""
    for start in range(0, count, _CHUNK):
        cursor.varints(min(_CHUNK, count - start), f"patched index of {what}")
    for start in range(0, count, _CHUNK):
        if 0 in cursor.varints(min(_CHUNK, count - start), f"step of {what}", 0xFFFFFFFF):
            raise cursor.fail(f"{what} has a patch that changes nothing")


def _indices(gaps: Iterable[int], cursor: Cursor, length: int, what: str) -> Iterator[int]:
    """The patched elements, one by one: they may be millions."""
    index = -1
    for gap in gaps:
        index += gap + 1
        if index >= length:
            raise cursor.fail(f"{what} patches element {index} of {length}")
        yield index


def write_patches(patches: Patches, steps: bool) -> bytes:
    """The bytes of `read_patches`."""
    indices = patches.indices
    gaps = [index - before - 1 for before, index in zip([-1, *indices], indices, strict=False)]
    words = varints([_step(word) for word in patches.words]) if steps else _bits(patches)
    return varint(len(gaps)) + varints(gaps) + words


def _bits(patches: Patches) -> bytes:
    """The words, little-endian."""
    return b"".join(word.to_bytes(4, "little") for word in patches.words)


def _word(step: int) -> int:
    """The difference of a step, modulo 2^32."""
    return step >> 1 if step % 2 == 0 else (1 << 32) - ((step + 1) >> 1)


def _step(word: int) -> int:
    """The step of a difference modulo 2^32."""
    return 2 * word if word < 1 << 31 else 2 * ((1 << 32) - word) - 1
