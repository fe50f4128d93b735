"""Values that a delta reads from its base: masks as stored, prototypes, entries with masks applied (spec 5.4, 6.2)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from ...common import bits
from ...common.allowance import Allowance
from ...common.bits import Packed
from ...common.dtypes import DType
from ...common.words import Words
from ...container.manifest.rows import AliasRow, Manifest, numel
from ...errors import BaseFileError, FormatError, PayloadError
from ...network import fill
from ..cache import Once


class Decoding(Protocol):
    """The methods of `coding.decoder.Decoder` that a base is read by."""

    manifest: Manifest

    def begin(self) -> None:
        """Begin with something that has nothing to do with what was decoded before."""

    def mask(self, index: int) -> Packed:
        """Return the bits of a mask as stored."""

    def prototype(self, index: int) -> Words:
        """Return all elements of a prototype."""

    def words(self, index: int) -> Words:
        """Return the dense values of an entry."""

    def pieces(self, index: int) -> Iterator[Words]:
        """Yield the dense values of an entry in pieces."""


class BaseValues:
    """The base of a delta, for any number of threads.

    A hostile delta may refer 10^5 times to one small thing that is dear to decode, and an ordinary one refers to
    everything once. So for its first user a thing is decoded and dropped; for a second one it is decoded and kept.

    Args:
        decoder: of the base.
        name: of the file, for messages.
        memory: what is kept counts there.
    """

    def __init__(self, decoder: Decoding, name: str, memory: Allowance | None = None) -> None:
        self.manifest = decoder.manifest
        self._decoder = decoder
        self._name = name
        self._first_users: dict[tuple[str, int], Hashable] = {}
        self._kept: Once[Words] = Once(memory, lambda words: words.nbytes)

    def begin(self) -> None:
        """Drop what is kept for things before."""
        self._first_users = {}
        self._kept.forget()
        self._decoder.begin()

    def mask(self, number: int, length: int, user: Hashable) -> Packed:
        """The bits of a mask, as stored.

        Args:
            length: how many bits it must have.
            user: who asks.

        Raises:
            PayloadError: there is no such mask, or it has another length.
            FormatError, BaseFileError: the base cannot be decoded; the message names it.
        """
        if number >= len(self.manifest.masks):
            raise PayloadError(f"flips of mask {number} of the base, which has {len(self.manifest.masks)} masks")
        found = self.manifest.masks[number].length
        if found != length:
            raise PayloadError(f"flips of {length} bits for mask {number} of the base, which has {found} bits")
        with self._naming():
            if self._is_first(("mask", number), user):
                return self._decoder.mask(number)
            return self._kept(("mask", number), partial(self._decoder.mask, number))

    def prototype(self, number: int, user: Hashable) -> Words:
        """All elements of a prototype that there is; all-zero bits where not stored.

        Raises:
            FormatError, BaseFileError: as `mask`.
        """
        with self._naming():
            if self._is_first(("prototype", number), user):
                return self._decoder.prototype(number)
            return self._kept(("prototype", number), partial(self._decoder.prototype, number))

    def check_prototype(self, number: int, dtype: DType, count: int) -> None:
        """Check by its tables that the base has a prototype of `count` elements of a dtype.

        Raises:
            PayloadError: it does not.
        """
        what = f"prototype {number} of the base"
        if number >= len(self.manifest.prototypes):
            raise PayloadError(f"a reference to {what}, which has {len(self.manifest.prototypes)} prototypes")
        found = self.manifest.prototypes[number].length
        _check_same(what, (dtype, count), (self.manifest.prototype_dtype(number), found))

    def check_entry(self, number: int, dtype: DType, count: int) -> int:
        """Check likewise for an entry; the number of that entry, or of the target of an alias."""
        what = f"entry {number} of the base"
        if number >= len(self.manifest.entries):
            raise PayloadError(f"a reference to {what}, which has {len(self.manifest.entries)} entries")
        row = self.manifest.entries[number]
        target = row.target if isinstance(row, AliasRow) else number
        found = numel(self.manifest.resolve(target).shape)
        _check_same(what, (dtype, count), (self.manifest.entry_dtype(target), found))
        return target

    def add_prototype(
        self, words: Words, number: int, dtype: DType, count: int, packed: Packed | None, user: Hashable
    ) -> Words:
        """`words` xor the elements of a prototype.

        Args:
            words: `count` elements, or as many as one bits: changed in place, unless they are read-only. For none
                nothing is decoded.
            number: of the prototype.
            dtype: which it must have.
            count: elements which it must have.
            packed: which of its elements are meant; None: all.
            user: who asks.

        Raises:
            PayloadError: there is no such prototype, or it is another one.
            FormatError, BaseFileError: as `mask`.
        """
        self.check_prototype(number, dtype, count)
        if not len(words):
            return words
        values = self.prototype(number, user)
        out = _own(words)
        out ^= values if packed is None else fill.kept(values, packed)
        return out

    def add_entry(
        self, words: Words, number: int, dtype: DType, count: int, packed: Packed | None, user: Hashable
    ) -> Words:
        """`words` xor the elements of an entry, dense; arguments and errors as `add_prototype`."""
        target = self.check_entry(number, dtype, count)
        if not len(words):
            return words
        start = done = 0
        out = words
        for piece in self._pieces(target, user):
            out = _own(out)  # not before there is a piece, for which a chain may decode much
            stop = start + len(piece)
            values = piece if packed is None else fill.kept(piece, packed[start // 8 : bits.byte_length(stop)])
            out[done : done + len(values)] ^= values
            start, done = stop, done + len(values)
        return out

    def _pieces(self, entry: int, user: Hashable) -> Iterator[Words]:
        with self._naming():
            if self._is_first(("entry", entry), user):
                yield from self._decoder.pieces(entry)
                return
            words = self._kept(("entry", entry), partial(self._decoder.words, entry))
        for start in range(0, len(words), fill.PIECE):
            yield words[start : start + fill.PIECE]

    def _is_first(self, what: tuple[str, int], user: Hashable) -> bool:
        """Return whether nobody else has asked for it."""
        return self._first_users.setdefault(what, user) == user

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (FormatError, BaseFileError) as reason:
            if str(reason).startswith("the base ("):  # of a base of the base, which is named
                raise
            raise type(reason)(f"the base ({self._name}): {reason}") from None


def _own(words: Words) -> Words:
    """Words that may be changed: the same, or a copy of what is kept for others."""
    return words if words.flags.writeable else words.copy()


def _check_same(what: str, expected: tuple[DType, int], found: tuple[DType, int]) -> None:
    if expected != found:
        raise PayloadError(
            f"{expected[1]} elements of {expected[0]} refer to {what}, which has {found[1]} of {found[0]}"
        )
