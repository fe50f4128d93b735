"""The manifest in memory: what a file says about itself before any payload is read (spec section 4)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge

from ...common.dtypes import BOOL, FLOAT32, DType
from .coder_table import BLOCK_CODERS, BLOCK_XOR, MASK_CODERS, MASK_FLIPS
from .generated import GeneratedRow
from .generator_table import GENERATORS
from .zero_table import ZERO_RULES

# The metadata key under which a delta names its base (section 6.2).
BASE_KEY = "pemn.base"

# Ids of spec section 4.5.
PROTOTYPE_VALUES, PROTOTYPE_GENERATOR = range(2)

# Ids of spec section 4.6.
ENTRY_TENSOR, ENTRY_KEPT, ENTRY_TILED, ENTRY_ALIAS, ENTRY_BOOL = range(5)
# The minor version that added `ENTRY_BOOL`; the other kinds were always there.
BOOL_SINCE = 6

# Limits of spec section 4.
MAX_ELEMENTS = 1 << 48
MAX_ROWS = 1 << 18
MAX_TASKS = 65_535
MAX_NAME = 1_024
MAX_ALL_NAMES = 1 << 25
MAX_DIMS = 32
# What a decoder makes unless it is told otherwise (section 4.7).
DEFAULT_MAX_BYTES = 16 << 30


@dataclass(frozen=True, slots=True)
class MaskRow:
    """A mask: `length` bits of which `ones` are one, in `size` bytes of payload."""

    coder: int
    length: int
    ones: int
    size: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block of elements of one dtype in `size` bytes of payload."""

    dtype: DType
    coder: int
    size: int


@dataclass(frozen=True, slots=True)
class ValuesRow:
    """A prototype whose values are stored: all of them, or those at the ones of mask `presence`."""

    length: int
    block: int
    presence: int | None


PrototypeRow = ValuesRow | GeneratedRow


@dataclass(frozen=True, slots=True)
class TensorRow:
    """A tensor without a mask."""

    name: str
    task: int
    shape: tuple[int, ...]
    block: int


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A layer whose kept values are stored in order."""

    name: str
    task: int
    shape: tuple[int, ...]
    mask: int
    block: int


@dataclass(frozen=True, slots=True)
class TiledRow:
    """A layer that a prototype fills. `scale_bits`: float32 bit pattern, or None for no scale."""

    name: str
    task: int
    shape: tuple[int, ...]
    mask: int
    prototype: int
    phase: int
    zero: int
    scale_bits: int | None
    second: int | None
    second_phase: int


@dataclass(frozen=True, slots=True)
class BoolRow:
    """A bool tensor that is stored as a mask: true at its one bits."""

    name: str
    task: int
    shape: tuple[int, ...]
    mask: int


@dataclass(frozen=True, slots=True)
class AliasRow:
    """A tied tensor: another name for entry number `target`."""

    name: str
    task: int
    target: int


# Tensors as they are, and layers of which a mask says what is zero.
PlainRow = TensorRow | BoolRow
MaskedRow = KeptRow | TiledRow
EntryRow = PlainRow | MaskedRow | AliasRow
# What takes elements of a block (section 4.4).
UserRow = ValuesRow | TensorRow | KeptRow


@dataclass(slots=True)
class Manifest:
    """All tables of a file. `metadata` is in ascending order of its keys."""

    metadata: dict[str, str] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    masks: tuple[MaskRow, ...] = ()
    blocks: tuple[BlockRow, ...] = ()
    prototypes: tuple[PrototypeRow, ...] = ()
    entries: tuple[EntryRow, ...] = ()
    _of_tasks: tuple[tuple[EntryRow, ...], dict[int, list[int]]] | None = field(default=None, repr=False, compare=False)

    @property
    def minor(self) -> int:
        """The lowest minor version that has every id of this manifest (spec section 3)."""
        minors = [GENERATORS[row.generator].since for row in self.prototypes if isinstance(row, GeneratedRow)]
        minors += [ZERO_RULES[row.zero].since for row in self.entries if isinstance(row, TiledRow)]
        minors += [MASK_CODERS[row.coder].since for row in self.masks]
        minors += [BLOCK_CODERS[row.coder].since for row in self.blocks]
        minors += [BOOL_SINCE for row in self.entries if isinstance(row, BoolRow)]
        return max(minors, default=0)

    @property
    def base(self) -> str | None:
        """The SHA-256 of the base, if the file is a delta (spec section 6.2); None if it has no base."""
        delta = any(row.coder == MASK_FLIPS for row in self.masks) or any(row.coder == BLOCK_XOR for row in self.blocks)
        return self.metadata.get(BASE_KEY, "") if delta else None

    def prototype_dtype(self, index: int) -> DType:
        """Element type of a prototype: its block's, or float32 where it is generated."""
        row = self.prototypes[index]
        return self.blocks[row.block].dtype if isinstance(row, ValuesRow) else FLOAT32

    def prototype_text(self, index: int) -> str:
        """A prototype in a line, as `pemn inspect` and `pemn diff` print it."""
        row = self.prototypes[index]
        if not isinstance(row, ValuesRow):
            return row.summary()
        stored = self.stored_values(row)
        some = "" if stored == row.length else f", {stored:,} of them stored"
        return f"{row.length:,} values of {self.prototype_dtype(index).name}{some}"

    @property
    def only_bools(self) -> bool:
        """Return whether all masks are bool tensors: then the file is `dense` unless it says more (section 10)."""
        masked = any(isinstance(row, MaskedRow) for row in self.entries)
        return not masked and any(isinstance(row, BoolRow) for row in self.entries)

    def resolve(self, index: int) -> PlainRow | MaskedRow:
        """The entry itself, or what it is an alias of."""
        row = self.entries[index]
        if isinstance(row, AliasRow):
            row = self.entries[row.target]
            assert not isinstance(row, AliasRow)  # validate() made sure
        return row

    def entry_dtype(self, index: int) -> DType:
        """Element type of an entry."""
        row = self.resolve(index)
        if isinstance(row, BoolRow):
            return BOOL
        return self.prototype_dtype(row.prototype) if isinstance(row, TiledRow) else self.blocks[row.block].dtype

    def entries_of(self, task: int | None) -> Iterator[int]:
        """Indices of the entries that make up one task (0 where the file has no tasks; None: all of them)."""
        if task is None or not self.tasks:
            return iter(range(len(self.entries)))
        if self._of_tasks is None or self._of_tasks[0] is not self.entries:
            found: dict[int, list[int]] = {}
            for index, row in enumerate(self.entries):
                found.setdefault(row.task, []).append(index)
            self._of_tasks = self.entries, found  # a file may have 65,535 tasks, and be asked for each
        _, of_tasks = self._of_tasks
        return merge(of_tasks.get(0, ()), of_tasks.get(task, ()) if task else ())

    def decoded_bytes(self, task: int | None) -> int:
        """Return the bytes that decoding makes, as spec section 4.7 counts them."""
        entries = sum(
            numel(row.shape) * self.entry_dtype(index).itemsize
            for index in self.entries_of(task)
            if not isinstance(row := self.entries[index], AliasRow)
        )
        prototypes = sum(row.length * self.prototype_dtype(index).itemsize for index, row in enumerate(self.prototypes))
        draws: dict[int, int] = {}
        for prototype in self.prototypes:
            if isinstance(prototype, GeneratedRow) and prototype.torch_seed is not None:
                draws[prototype.torch_seed] = max(draws.get(prototype.torch_seed, 0), prototype.draws)
        return prototypes + entries + 4 * sum(draws.values())

    def block_users(self) -> tuple[list[int], array[int], array[int]]:
        """Lay out the users of all blocks (spec section 4.4).

        Returns:
            elements of every block; first element of every prototype, and of every entry: 0 for those that are in no
            block.
        """
        counts = [0] * len(self.blocks)
        of_prototypes, of_entries = (
            array("Q", bytes(8 * len(self.prototypes))),
            array("Q", bytes(8 * len(self.entries))),
        )
        for rows, starts in ((self.prototypes, of_prototypes), (self.entries, of_entries)):
            for index, row in enumerate(rows):
                if isinstance(row, UserRow):
                    if counts[row.block] > MAX_ELEMENTS:
                        continue  # validate() refuses it
                    starts[index] = counts[row.block]
                    counts[row.block] += self.stored_values(row)
        return counts, of_prototypes, of_entries

    def users_of_blocks(self) -> tuple[array[int], array[int]]:
        """The users of all blocks, block after block, in the order in which they are laid out (spec section 4.4).

        Returns:
            where each block's users begin, and their number; and the users: numbers of prototypes, then of entries.
        """
        rows = [*self.prototypes, *self.entries]
        begins = array("L", bytes(array("L").itemsize * (len(self.blocks) + 1)))
        for row in rows:
            if isinstance(row, UserRow):
                begins[row.block + 1] += 1
        for block in range(len(self.blocks)):
            begins[block + 1] += begins[block]
        places = begins[:]
        users = array("L", bytes(array("L").itemsize * begins[-1]))
        for number, row in enumerate(rows):
            if isinstance(row, UserRow):
                users[places[row.block]] = number
                places[row.block] += 1
        return begins, users

    def user(self, number: int) -> UserRow:
        """A user by its number among prototypes and entries."""
        prototypes = len(self.prototypes)
        row = self.prototypes[number] if number < prototypes else self.entries[number - prototypes]
        assert isinstance(row, UserRow)
        return row

    def stored_values(self, row: UserRow) -> int:
        """Number of elements that a stored prototype, a tensor or a kept layer takes of its block."""
        mask = self.stored_mask(row)
        return numel_of(row) if mask is None else self.masks[mask].ones

    @staticmethod
    def stored_mask(row: UserRow) -> int | None:
        """The mask that says which of a user's elements are in its block; None if all of them are."""
        if isinstance(row, TensorRow):
            return None
        return row.presence if isinstance(row, ValuesRow) else row.mask


def numel_of(row: ValuesRow | PlainRow | MaskedRow) -> int:
    """Number of elements of a prototype, tensor or layer, masked ones included."""
    return row.length if isinstance(row, ValuesRow) else numel(row.shape)


def numel(shape: tuple[int, ...]) -> int:
    """Number of elements of a tensor of this shape."""
    return math.prod(shape)
