"""Small files of random content, made by the writers beside the specification: every coder, fill and generator."""

from __future__ import annotations

from random import Random

import decoder as second
import numpy as np
from writer.coders import SIZES, Bits, D, zstd
from writer.delta import coded_block, coded_mask
from writer.grouped import GROUPED_PLANES, grouped
from writer.rans import RANS_BYTES, rans_mask
from writer.writer import (
    Block,
    Drawn,
    Entry,
    File,
    Generator,
    Mask,
    Values,
    alias,
    bools,
    kept,
    mask,
    tensor,
    tiled,
)

from .generators import generator_of

LATEST = {"minor": second.MINOR}
MASKABLE = [dtype for dtype in D if dtype in second.MASKABLE]
Prototype = Values | Generator | Drawn


def bits_of(rng: Random, length: int) -> Bits:
    """Bits of some density, often an extreme one, now and then in runs."""
    density = rng.choice([0.0, 0.004, 0.05, 0.3, 0.5, 0.5, 0.9, 0.99, 1.0])
    flags = [rng.random() < density for _ in range(length)]
    if length and rng.randrange(4) == 0:
        start = rng.randrange(length)
        flags[start:] = [flags[start]] * (length - start)
    return np.array(flags, dtype=np.bool_)


def length_of(rng: Random, most: int = 600) -> int:
    """A number of elements: often tiny, or about a power of two."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randrange(4)
    if kind == 1:
        return min(most, max(0, (1 << rng.randrange(10)) + rng.randrange(-1, 2)))
    return rng.randrange(most if kind == 2 else min(most, 80))


def elements(rng: Random, dtype: D, count: int) -> bytes:
    """Bytes of elements: random bits, small numbers, few distinct values, or floats of one size."""
    size = SIZES[dtype]
    if dtype == D.BOOL:
        return bytes(rng.randrange(2) for _ in range(count))
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(count * size)
    if kind == 1:
        return b"".join(rng.randrange(1 << min(8 * size, 9)).to_bytes(size, "little") for _ in range(count))
    if kind == 2:
        values = [rng.randbytes(size) for _ in range(rng.choice([1, 2, 3, 5, 17]))]
        return b"".join(rng.choice(values) for _ in range(count))
    if kind == 3:
        special = [bytes(size), bytes(size - 1) + b"\x80", b"\xff" * size, b"\1" + bytes(size - 1)]
        return b"".join(rng.choice([*special, rng.randbytes(size)]) for _ in range(count))
    top = rng.randbytes(1)
    return b"".join(rng.randbytes(size - 1) + top for _ in range(count))


def mask_of(rng: Random, values: Bits, coder: int | None = None) -> Mask:
    """The bits by a coder that can hold them."""
    constant = not len(values) or values.all() or not values.any()
    if coder is None:
        coder = rng.choice([1, 1, 2, 3, 4, 5, 6, 7, *([0] * (4 if constant else 0))])
    if coder == 0 and not constant:
        coder = 1
    if coder < RANS_BYTES:
        return coded_mask(values, coder) if coder in (0, 1) or rng.randrange(2) else mask(values, coder, zstd)
    if coder == RANS_BYTES:
        count = -(-len(values) // 8)
        return rans_mask(values, coder, rng.randrange(1, 256), rng.randrange(1, min(count, 5) + 1) if count else 1)
    return rans_mask(values, coder, rng.choice([0, 0, 1, 2, 5, 31]), rng.randrange(1, 256), 1)


def block_of(rng: Random, dtype: D, data: bytes, coder: int | None = None) -> Block:
    """The elements by a coder that can hold them."""
    if coder is None:
        coder = rng.randrange(6)
    if coder == GROUPED_PLANES:
        if not data:
            coder = 0
        else:
            return Block(dtype, coder, grouped(data, SIZES[dtype], shift=rng.randrange(40)))
    return Block(dtype, coder, coded_block(dtype, data, coder, rng.randrange(6)))


# --- networks -------------------------------------------------------------------------------------------------


class Builder:
    """A file that grows: users of blocks get their values in the order of section 4.4."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.file = File(header=dict(LATEST))
        self.bits: list[Bits] = []
        self.kinds: list[D] = []  # of prototypes
        self.values: list[bytes] = []  # of prototypes, as they fill layers
        self.of_prototypes: list[tuple[D, bytes]] = []  # users of blocks: first those, then the entries
        self.of_entries: list[tuple[D, bytes]] = []
        self.hidden: list[int] = []

    def add_mask(self, values: Bits, coder: int | None = None) -> int:
        """A mask, or an equal one that is there already."""
        for number, other in enumerate(self.bits):
            if self.rng.randrange(2) and np.array_equal(other, values):
                return number
        self.file.masks.append(mask_of(self.rng, values, coder))
        self.bits.append(values)
        return len(self.bits) - 1

    def add_prototype(self, dtype: D | None = None) -> int:
        """Values, some of them stored, or a generator."""
        rng = self.rng
        length = max(1, length_of(rng, 70))
        if dtype in (None, D.FLOAT32) and rng.randrange(2):
            if rng.randrange(2):
                length += 16
            made = generator_of(rng, length)
            self.file.prototypes.append(made)
            self.kinds.append(D.FLOAT32)
            self.values.append(b"")
            self.hidden.append(len(self.kinds) - 1)
            return len(self.kinds) - 1
        kind = dtype or rng.choice(MASKABLE)
        data, size = elements(rng, kind, length), SIZES[kind]
        row = Values(length, 0)
        if rng.randrange(4) == 0:
            present = bits_of(rng, length)
            row.presence = self.add_mask(present)
            stored = np.frombuffer(data, np.uint8).reshape(length, size)[present].tobytes()
        else:
            stored = data
        row.block = len(self.of_prototypes)
        self.of_prototypes.append((kind, stored))
        self.file.prototypes.append(row)
        self.kinds.append(kind)
        self.values.append(data)
        return len(self.kinds) - 1

    def add_tensor(self, name: str, task: int = 0, dtype: D | None = None) -> None:
        """A tensor of any dtype."""
        kind = dtype or self.rng.choice(list(D))
        dims = dims_of(self.rng)
        count = int(np.prod(dims, dtype=np.int64))
        self.of_entries.append((kind, elements(self.rng, kind, count)))
        self.file.entries.append(tensor(name, dims, len(self.of_entries) - 1, task))

    def add_kept(self, name: str, task: int = 0) -> None:
        """A kept layer."""
        dims = dims_of(self.rng)
        flags = bits_of(self.rng, int(np.prod(dims, dtype=np.int64)))
        kind = self.rng.choice(MASKABLE)
        self.of_entries.append((kind, elements(self.rng, kind, int(flags.sum()))))
        self.file.entries.append(kept(name, dims, self.add_mask(flags), len(self.of_entries) - 1, task))

    def add_bools(self, name: str, task: int = 0) -> None:
        """A bool tensor in a mask."""
        dims = dims_of(self.rng)
        flags = bits_of(self.rng, int(np.prod(dims, dtype=np.int64)))
        self.file.entries.append(bools(name, dims, self.add_mask(flags), task))

    def build(self) -> File:
        """The file, its users put into blocks."""
        rng, file = self.rng, self.file
        groups: dict[tuple[D, int], list[bytes]] = {}
        rows: list[tuple[Values | Entry, D, bytes]] = []
        stored = [row for row in file.prototypes if isinstance(row, Values)]
        users = [row for row in file.entries if row.kind in (second.TENSOR, second.KEPT)]
        rows += [(row, *made) for row, made in zip(stored, self.of_prototypes, strict=True)]
        rows += [(row, *made) for row, made in zip(users, self.of_entries, strict=True)]
        order: list[tuple[D, int]] = []
        for row, kind, data in rows:
            key = (kind, rng.randrange(2))
            if key not in groups:
                order.append(key)
            groups.setdefault(key, []).append(data)
            row.block = order.index(key)
        file.blocks = [block_of(rng, key[0], b"".join(groups[key])) for key in order]
        _number_masks(file)
        return file


def _number_masks(file: File) -> None:
    """Number masks in the order of first use, as the references of section 4.5 have it."""
    kept_rows = [row for row in file.entries if row.kind == second.KEPT]
    tiled_rows = [row for row in file.entries if row.kind == second.TILED]
    bool_rows = [row for row in file.entries if row.kind == second.BOOLS]
    masked = [*kept_rows, *tiled_rows, *bool_rows]
    values = [row for row in file.prototypes if isinstance(row, Values) and row.presence is not None]
    order: list[int] = []
    for number in [*(row.presence for row in values), *(row.mask for row in masked)]:
        if isinstance(number, int) and number not in order:
            order.append(number)
    for row in values:
        assert isinstance(row.presence, int)
        row.presence = order.index(row.presence)
    for entry in masked:
        assert isinstance(entry.mask, int)
        entry.mask = order.index(entry.mask)
    file.masks = [file.masks[number] for number in order]


def dims_of(rng: Random) -> list[int]:
    """A shape of few elements, sometimes 0-d or empty."""
    kind = rng.randrange(8)
    if kind == 0:
        return []
    if kind == 1:
        return [rng.randrange(1, 5), 0]
    return [rng.randrange(1, 12 if kind < 6 else 40) for _ in range(rng.choice([1, 1, 2, 2, 3]))]


def network(rng: Random) -> File:
    """A small file of anything: tensors, kept and tiled layers, aliases, now and then tasks."""
    made = Builder(rng)
    file = made.file
    file.tasks = [f"t{number}" for number in range(rng.choice([0, 0, 0, 1, 2]))]
    file.metadata = [(f"k{number}", "v" * rng.randrange(9)) for number in range(rng.choice([0, 0, 1, 2]))]
    for number in range(rng.choice([1, 1, 2, 3])):
        task = rng.randrange(len(file.tasks) + 1)
        name = f"n{number}.weight"
        kind = rng.randrange(5)
        if kind == 0:
            made.add_tensor(name, task)
        elif kind == 4:
            made.add_bools(name, task)
        elif kind == 1:
            made.add_kept(name, task)
        else:
            _add_tiled(made, name, task)
        if rng.randrange(6) == 0:
            file.entries.append(alias(f"a{number}", len(file.entries) - 1, task))
    return made.build()


def _add_tiled(made: Builder, name: str, task: int) -> None:
    rng = made.rng
    first = made.add_prototype() if not made.kinds or rng.randrange(2) else rng.randrange(len(made.kinds))
    kind = made.kinds[first]
    zero = rng.choice([0, 0, 1 if kind in second.NEGATABLE else 0, 2])
    other = made.add_prototype(kind) if zero == 2 and rng.randrange(2) else first
    lengths = [made.file.prototypes[number].length for number in (first, other)]
    assert isinstance(lengths[0], int)
    assert isinstance(lengths[1], int)
    scale = rng.choice([1.0, 0.5, 1e-39, 3.0]) if kind == D.FLOAT32 and rng.randrange(4) == 0 else None
    dims = dims_of(rng)
    row = tiled(name, dims, 0, first, rng.randrange(lengths[0]), task=task, zero=zero, scale=scale)
    if zero == 2:
        row.second, row.second_phase = other, rng.randrange(lengths[1])
    count = int(np.prod(dims, dtype=np.int64))
    row.mask = made.add_mask(bits_of(rng, active(made, row, count)))
    made.file.entries.append(row)


def active(made: Builder, row: Entry, count: int) -> int:
    """Return how many positions of a tiled layer have a bit (section 7)."""
    assert isinstance(row.prototype, int)
    assert isinstance(row.second, int)
    assert isinstance(row.phase, int)
    assert isinstance(row.second_phase, int)
    numbers = (row.prototype, row.second if row.zero == 2 else row.prototype)
    try:
        sources = [_content(made, made.file.prototypes[number], number) for number in numbers]
        if isinstance(row.scale, float):
            scale = int(np.float32(row.scale).view(np.uint32))
            sources = [second.multiply(values.view("<f4"), scale, "layer") for values in sources]
    except second.DecodeError:
        return count
    i = np.arange(count, dtype=np.int64)
    a = sources[0][(row.phase + i) % len(sources[0])]
    b = sources[1][(row.second_phase + i) % len(sources[1])] if row.zero == 2 else np.zeros_like(a)
    return int(np.count_nonzero(a != b))


def _content(made: Builder, row: Prototype, number: int) -> second.Array:
    if isinstance(row, Values):
        data = np.frombuffer(made.values[number], np.uint8)
        width = SIZES[made.kinds[number]]
        if row.presence is not None:
            assert isinstance(row.presence, int)
            data = np.where(np.repeat(made.bits[row.presence], width), data, np.uint8(0))
        return data.view(f"<u{width}")
    parsed = second.read_prototype(second.Reader(row.row(), "manifest", "row"), second.Manifest(second.MINOR))
    return second.generate(parsed, lambda seed: second.mersenne_twister(seed, parsed.draws), "row")
