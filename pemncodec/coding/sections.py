"""container -> masks, blocks and prototypes, decoded on demand (spec sections 4.7, 5, 6 and 8)."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np

from ..common import bits
from ..common.allowance import Allowance
from ..common.bits import Packed
from ..common.words import Words
from ..container.cursor import Payload
from ..container.manifest.coder_table import BLOCK_XOR
from ..container.manifest.rows import (
    DEFAULT_MAX_BYTES,
    BoolRow,
    KeptRow,
    PrototypeRow,
    TiledRow,
    ValuesRow,
    numel_of,
)
from ..container.reader import Container
from ..errors import LimitError, PayloadError
from ..network import fill
from ..network.tile import ScaledTile, Tile, extremes
from .blocks.coders import check_bools, decode_block
from .cache import Once
from .delta.base_files import Bases
from .delta.base_values import BaseValues
from .masks.coders import decode_mask
from .prototypes import generate

# What limits that follow from `max_bytes` have beside it, so that small files are never refused for their parts.
SLACK = 1 << 20
# How often `max_bytes` the parts of a base may be in all. Each file of a chain has its own.
BASE_WORK = 4
_KEPT = "shared sections decode to {count} bytes, but {most} may be kept: raise max_bytes if you trust the file"
_CHAIN = "sections of bases take {count} bytes at a time, but {most} are allowed: raise max_bytes if you trust them"
_WORK = "sections of a base take {count} bytes in all, but {most} are allowed: raise max_bytes if you trust it"


class SectionDecoder:
    """Decodes the sections of a container, each when it is asked for, by any number of threads.

    What several users share is decoded once and kept (docs/limits.md says how much that may be).

    Args:
        container: an opened file.
        max_bytes: limit of spec section 4.7; checked for what is decoded at a time, of this file and of its base.
        bases: files of which one is the base, if the file is a delta.
        chain: for a base: what all bases of a chain may take at a time.
    """

    def __init__(
        self,
        container: Container,
        max_bytes: int = DEFAULT_MAX_BYTES,
        bases: Bases | None = None,
        chain: Allowance | None = None,
    ) -> None:
        self.container = container
        self.manifest = container.manifest
        self.max_bytes = max_bytes
        self._counts, self._prototype_starts, self._entry_starts = self.manifest.block_users()
        # What has several users is decoded once and kept: a hostile file may refer to one section 10^5 times.
        self._first_users, self._users = self.manifest.users_of_blocks()
        with_mask = KeptRow | TiledRow | BoolRow
        self._mask_users = Counter(row.mask for row in self.manifest.entries if isinstance(row, with_mask))
        tiled = [row for row in self.manifest.entries if isinstance(row, TiledRow)]
        self._prototype_users = Counter(index for row in tiled for index in (row.prototype, row.second))
        self._of_chain = chain
        self._may_forget = False
        kept = chain or Allowance(self._most_kept(), _KEPT)
        self._kept = kept
        own = weakref.ref(self)  # no circle: what was kept is freed with the decoder, not some time later

        def make_room() -> bool:
            decoder = own()
            return decoder is not None and decoder._make_room()

        self._blocks: Once[Words] = Once(kept, lambda words: words.nbytes, make_room)
        self._masks: Once[Packed] = Once(kept, lambda packed: packed.nbytes, make_room)
        self._tiles: Once[Tile] = Once(kept, _own_bytes, make_room)
        self._last_tile: tuple[int, Tile] = (-1, Tile(np.empty(0, dtype=np.uint8)))
        self._extremes: Once[tuple[np.float32, np.float32]] = Once()
        self._sizes: dict[int, int] = {}  # of entries, dense, that were asked for
        self._stored: Once[Tile] = Once(kept, lambda tile: tile.values.nbytes, make_room)
        self._work = Allowance(BASE_WORK * max_bytes + SLACK, _WORK)
        self._bases = bases or Bases()
        self._base: Once[BaseValues] = Once()
        self._references: dict[int, Sequence[int]] = {}  # of users of blocks of coder 6
        self._chain = chain or Allowance(max_bytes + SLACK, _CHAIN)

    def _most_kept(self) -> int:
        """The bytes that may be kept: enough for any file without tasks that decodes within `max_bytes`."""
        rows = enumerate(self.manifest.prototypes)
        prototypes = sum(row.length * self.manifest.prototype_dtype(index).itemsize for index, row in rows)
        return self.max_bytes + self.max_bytes // 4 + min(prototypes, self.max_bytes) + SLACK

    def begin(self) -> None:
        """Begin with something that has nothing to do with what was decoded before, which may be dropped for it."""
        self._may_forget = True
        self._work = Allowance(self._work.most, _WORK)
        self._base.each(lambda base: base.begin())

    def _make_room(self) -> bool:
        """Drop what is kept for things before. Once only: what takes turns would be decoded again and again."""
        may, self._may_forget = self._may_forget, False
        if may:
            for kept in (self._blocks, self._masks, self._tiles, self._stored):
                kept.forget()
            self._last_tile = (-1, Tile(np.empty(0, dtype=np.uint8)))
        return may

    def check_limit(self, count: int, what: str) -> None:
        """Refuse to make more than `max_bytes`.

        Raises:
            LimitError: `count` bytes are more.
        """
        if count > self.max_bytes:
            raise LimitError(
                f"{what} decodes to {count} bytes, but max_bytes allows {self.max_bytes}: raise it if you "
                "trust the file (prototypes and draws from seeds count as well)"
            )

    def base(self) -> BaseValues:
        """The base that a delta refers to (spec section 6.2), opened when it is first asked for.

        Raises:
            BaseFileError: it was not given.
            FormatError, FileAccessError: it cannot be read.
        """
        return self._base(0, self._open_base)

    def _open_base(self) -> BaseValues:
        raise NotImplementedError("the decoder of entries opens the base")

    # --- sections ---------------------------------------------------------------------------------------------

    def mask(self, index: int) -> Packed:
        """The bits of a mask as stored."""
        if self._mask_users[index] > 1:
            return self._masks(index, lambda: _read_only(self._decode_mask(index)))
        return self._decode_mask(index)

    def check_mask_in(self, view: memoryview, index: int) -> None:
        """Check a raw mask where the file is mapped: its checksums, its padding and the number of its ones.

        Raises:
            ChecksumError, PayloadError: it is damaged.
        """
        decode_mask(self.manifest.masks[index], self.container.check_mask_in(view, index), index)

    def mask_payload(self, index: int) -> Payload:
        """The bytes of a mask in the file, if it is not larger than `max_bytes`."""
        row = self.manifest.masks[index]
        self.check_limit(max(bits.byte_length(row.length), row.size - SLACK), f"mask {index}")
        return self.container.mask_payload(index)

    def _decode_mask(self, index: int) -> Packed:
        def of_base(number: int, length: int) -> Packed:
            return self.base().mask(number, length, index)

        return decode_mask(self.manifest.masks[index], self.mask_payload(index), index, of_base)

    def elements(self, block: int) -> int:
        """The number of elements of a block."""
        return self._counts[block]

    def users(self, block: int) -> int:
        """The number of users of a block."""
        return self._first_users[block + 1] - self._first_users[block]

    def _block(self, index: int) -> Words:
        if self.users(index) > 1:
            return self._blocks(index, lambda: _read_only(self._decode_block(index)))
        return self._decode_block(index)

    def _decode_block(self, index: int) -> Words:
        row, count = self.manifest.blocks[index], self._counts[index]
        size = count * row.dtype.itemsize
        self.check_limit(max(size, row.size - SLACK), f"block {index}")
        with self._as_base(size):
            payload, take = self.container.block_payload(index), partial(self._take_references, index)
            return decode_block(row, payload, count, index, self.users(index), take)

    def _as_base(self, size: int) -> AbstractContextManager[None]:
        """Count, for a base, what is decoded while things of its own base are decoded for it."""
        if self._of_chain is None:
            return nullcontext()
        self._work.take(size)
        return self._of_chain.holding(size)

    def _take_references(self, block: int, references: Sequence[int]) -> None:
        """Check what the users of a block refer to (spec section 6.2), and keep it for when they are decoded."""
        dtype, base, needed = self.manifest.blocks[block].dtype, self.base(), 0
        numbers = self._users[self._first_users[block] : self._first_users[block + 1]]
        for number, reference in zip(numbers, references, strict=True):
            if reference:
                row = self.manifest.user(number)
                check = base.check_prototype if isinstance(row, ValuesRow) else base.check_entry
                check(reference - 1, dtype, numel_of(row))
                # Of a kept layer the block holds few elements, and the base is decoded for all.
                needed += numel_of(row) if self.manifest.stored_values(row) else 0
        self.check_limit(needed * dtype.itemsize, f"the base values of block {block}")
        self._references[block] = references

    def _start_of(self, user: int) -> int:
        """The first element of a user in its block."""
        prototypes = len(self._prototype_starts)
        return self._prototype_starts[user] if user < prototypes else self._entry_starts[user - prototypes]

    def _upon_base(self, block: int, start: int, words: Words) -> Words:
        """Make elements of what is different from the base, of the user that begins at `start` and no other.

        What others refer to, and their masks, need not decode (spec section 6.2).
        """
        first, end = self._first_users[block : block + 2]
        place = bisect_right(self._users, start, first, end, key=self._start_of) - 1  # those of no elements are before
        number, reference = self._users[place], self._references[block][place - first]
        row, dtype = self.manifest.user(number), self.manifest.blocks[block].dtype
        if reference:
            kept = self._of_chain is None or self.users(block) > 1
            try:
                with nullcontext() if kept or self._of_chain is None else self._of_chain.holding(words.nbytes):
                    mask = self.manifest.stored_mask(row)
                    packed = None if mask is None else self.mask(mask)
                    add = self.base().add_prototype if isinstance(row, ValuesRow) else self.base().add_entry
                    words = add(words, reference - 1, dtype, numel_of(row), packed, number)
            except PayloadError as reason:
                raise PayloadError(f"block {block}: {reason}") from None
        check_bools(words, dtype, f"block {block}: ")
        return words

    def values(self, block: int, start: int, count: int) -> Words:
        """Elements start … start + count − 1 of a block, which is decoded whole: all those of a user."""
        row = self.manifest.blocks[block]
        per = row.dtype.words_per_element
        words = self._block(block)[start * per : (start + count) * per]
        return self._upon_base(block, start, words) if row.coder == BLOCK_XOR and count else words

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
        return ScaledTile(tile, self._extremes(index, lambda: extremes(tile.values)), scale_bits)

    def _decode_prototype(self, index: int) -> Words:
        row = self.manifest.prototypes[index]
        size = row.length * self.manifest.prototype_dtype(index).itemsize
        draws = 0 if isinstance(row, ValuesRow) else 4 * row.draws
        self.check_limit(size + draws, f"prototype {index}")
        in_block = isinstance(row, ValuesRow) and row.presence is None  # which counts, then
        with self._as_base(0 if in_block else size):
            if self._of_chain is not None:
                self._work.take(draws)
            return self._prototype_words(row, index)

    def _prototype_words(self, row: PrototypeRow, index: int) -> Words:
        if not isinstance(row, ValuesRow):
            return generate(row, index)
        values = self.values(row.block, self._prototype_starts[index], self.manifest.stored_values(row))
        if row.presence is None:
            return values
        whole = np.empty(row.length, dtype=values.dtype)
        fill.scatter(whole, self.mask(row.presence), values)
        return whole


def _own_bytes(tile: Tile) -> int:
    """Bytes of a prototype that is no part of a block."""
    return tile.values.nbytes if tile.values.base is None else 0


def _read_only(shared: Packed | Words) -> Words:
    """Make read-only what is kept for others: a tensor that took over its memory would change them with it."""
    shared.flags.writeable = False
    return shared
