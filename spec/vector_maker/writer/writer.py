"""A low-level writer of `.pemn` files for the conformance vectors: what it is told, it writes.

Nothing is checked, chosen or merged. Sizes, counts and checksums follow from the rest unless told otherwise.
The sections named are those of `pemn-v1.md`.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from writer.coders import Bits, Number, bits, f32, frame, gap_bytes, pack, string, u, u8, utf8
from writer.ids import GAPS_OF_ONES, GAPS_OF_ZEROS, RAW_MASK, ZSTD_MASK

MAGIC = bytes.fromhex("89 50 45 4D 4E 0D 0A 1A")


PAGE = 65536


TENSOR, KEPT, TILED, ALIAS = range(4)


@dataclass
class Mask:
    """A row of section 4.3 with its payload."""

    coder: Number
    length: Number
    ones: Number
    payload: bytes = b""
    size: Number | None = None


@dataclass
class Block:
    """A row of section 4.4 with its payload."""

    dtype: Number
    coder: Number
    payload: bytes
    size: Number | None = None


@dataclass
class Values:
    """A prototype of values (4.5). `presence` is the index of a mask, or the bytes of a reference."""

    length: Number
    block: Number
    presence: Number | None = None
    partial: Number | None = None
    kind: Number = 0


def u32(value: Number) -> bytes:
    """Four bytes, or the bytes given instead of them."""
    return value if isinstance(value, bytes) else struct.pack("<I", value)


def patched(
    patches: Mapping[int, Number],
    gaps: Sequence[Number] | None,
    digest: int,
    write: Callable[[Number], bytes] = u32,
    count: Number | None = None,
) -> bytes:
    """The end of the row of every generator (4.5); `write` makes what stands for a patch of its number.

    Number and gaps are those of the patches unless others are given.
    """
    if gaps is None:
        order = [-1, *sorted(patches)]
        gaps = [b - a - 1 for a, b in itertools.pairwise(order)]
    out = u(len(patches) if count is None else count) + b"".join(u(gap) for gap in gaps)
    out += b"".join(write(patches[i]) for i in sorted(patches))
    return out + struct.pack("<I", digest)


@dataclass
class Generator:
    """A prototype made by a generator (4.5); scale and patches as binary32 bits.

    Period and zeros stand in the row only if they are given, whatever the generator.
    """

    length: Number
    distribution: Number
    seed: int
    stream: int
    scale: int
    patches: dict[int, int] = field(default_factory=dict)
    digest: int = 0
    gaps: Sequence[Number] | None = None
    generator: Number = 1
    period: Number | None = None
    zeros: Number | None = None

    def row(self) -> bytes:
        """The row in the table of prototypes."""
        out = u8(1) + u(self.length) + u8(self.generator) + u8(self.distribution)
        out += struct.pack("<QQI", self.seed, self.stream, self.scale)
        out += b"".join(u(number) for number in (self.period, self.zeros) if number is not None)
        return out + patched(self.patches, self.gaps, self.digest)


@dataclass
class Drawn:
    """A prototype made by generator 3 (4.5); scale, low and patches as binary32 bits.

    A low that is given stands in the row, whatever the distribution.
    """

    length: Number
    distribution: Number
    seed: int
    offset: Number
    scale: int
    low: int | None = None
    patches: Mapping[int, Number] = field(default_factory=dict)
    digest: int = 0
    gaps: Sequence[Number] | None = None
    generator: Number = 3

    def head(self) -> bytes:
        """The row up to its patches."""
        out = u8(1) + u(self.length) + u8(self.generator) + u8(self.distribution)
        out += struct.pack("<I", self.seed) + u(self.offset) + struct.pack("<I", self.scale)
        return out + (b"" if self.low is None else struct.pack("<I", self.low))

    def row(self) -> bytes:
        """The row in the table of prototypes."""
        return self.head() + patched(self.patches, self.gaps, self.digest)


@dataclass
class Dialect(Drawn):
    """A prototype made by generator 4 (4.5): the same, but that patches are steps, and their number may be replaced."""

    generator: Number = 4
    count: Number | None = None

    def row(self) -> bytes:
        """The row in the table of prototypes."""
        return self.head() + patched(self.patches, self.gaps, self.digest, u, self.count)


@dataclass
class Entry:
    """A row of section 4.6. `mask` is the index of a mask, or the bytes of a reference."""

    name: str | bytes
    kind: Number
    dims: Sequence[Number] = ()
    task: Number = 0
    block: Number = 0
    mask: Number = 0
    prototype: Number = 0
    phase: Number = 0
    zero: Number = 0
    scale: float | bytes | None = None
    scaled: Number | None = None
    second: Number = 0
    second_phase: Number = 0
    target: Number = 0
    shared: Number | None = None
    suffix: bytes | None = None
    ndim: Number | None = None


def tensor(name: str | bytes, dims: Sequence[Number], block: Number = 0, task: Number = 0) -> Entry:
    """A tensor of a block."""
    return Entry(name, TENSOR, dims, task, block)


def kept(name: str, dims: Sequence[Number], mask: Number, block: Number = 0, task: Number = 0) -> Entry:
    """A kept layer."""
    return Entry(name, KEPT, dims, task, block, mask)


def tiled(
    name: str,
    dims: Sequence[Number],
    mask: Number,
    prototype: Number = 0,
    phase: Number = 0,
    *,
    task: Number = 0,
    zero: Number = 0,
    scale: float | bytes | None = None,
    second: Number = 0,
    second_phase: Number = 0,
) -> Entry:
    """A tiled layer."""
    return Entry(name, TILED, dims, task, 0, mask, prototype, phase, zero, scale, None, second, second_phase)


def alias(name: str, target: Number, task: Number = 0) -> Entry:
    """An alias of an earlier entry."""
    return Entry(name, ALIAS, task=task, target=target)


class _References:
    """Turns indices of masks into references (4.5), in reading order."""

    def __init__(self) -> None:
        self.next = 0

    def __call__(self, mask: Number) -> bytes:
        if isinstance(mask, int) and mask == self.next:
            self.next += 1
            return u(0)
        return mask if isinstance(mask, bytes) else u(mask + 1)


def common_prefix(a: bytes, b: bytes) -> int:
    """The number of leading bytes that two names have in common."""
    differ = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differ, min(len(a), len(b)))


@dataclass
class File:
    """A whole file. `header` replaces fields by name; `store` makes the stored manifest of the plain one."""

    metadata: list[tuple[str | bytes, str | bytes]] = field(default_factory=list)
    tasks: list[str | bytes] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    prototypes: list[Values | Generator | Drawn] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    counts: dict[str, Number] = field(default_factory=dict)
    header: dict[str, int] = field(default_factory=dict)
    store: Callable[[bytes], bytes] = bytes
    edit_manifest: Callable[[bytes], bytes] = bytes

    def _count(self, table: str, rows: Sequence[object]) -> bytes:
        return u(self.counts.get(table, len(rows)))

    def manifest(self) -> bytes:
        """The six tables of section 4."""
        references = _References()
        out = self._count("metadata", self.metadata)
        out += b"".join(string(key) + string(value) for key, value in self.metadata)
        out += self._count("tasks", self.tasks) + b"".join(string(name) for name in self.tasks)
        out += self._count("masks", self.masks)
        out += b"".join(u8(m.coder) for m in self.masks) + b"".join(u(m.length) for m in self.masks)
        out += b"".join(u(m.ones) for m in self.masks)
        out += b"".join(u(len(m.payload) if m.size is None else m.size) for m in self.masks)
        out += self._count("blocks", self.blocks)
        out += b"".join(u8(b.dtype) for b in self.blocks) + b"".join(u8(b.coder) for b in self.blocks)
        out += b"".join(u(len(b.payload) if b.size is None else b.size) for b in self.blocks)
        out += self._count("prototypes", self.prototypes)
        for p in self.prototypes:
            if isinstance(p, (Generator, Drawn)):
                out += p.row()
                continue
            partial = (p.presence is not None) if p.partial is None else p.partial
            out += u8(p.kind) + u(p.length) + u(p.block) + u8(partial)
            out += b"" if p.presence is None else references(p.presence)
        return self.edit_manifest(out + self._count("entries", self.entries) + self._entries(references))

    def _entries(self, references: _References) -> bytes:
        """The columns of section 4.6."""
        rows = self.entries
        shared, suffixes = [], []
        before = b""
        for e in rows:
            name = utf8(e.name)
            common = e.shared if isinstance(e.shared, int) else common_prefix(name, before)
            shared.append(common if e.shared is None else e.shared)
            suffixes.append(name[common:] if e.suffix is None else e.suffix)
            before = name
        shaped = [e for e in rows if e.kind != ALIAS]
        layers = [e for e in rows if e.kind == TILED]
        two = [e for e in layers if e.zero == 2]

        def column(write: Callable[[Number], bytes], values: Iterable[Number]) -> bytes:
            return b"".join(write(value) for value in values)

        out = column(u, shared) + column(u, map(len, suffixes)) + b"".join(suffixes)
        out += column(u8, (e.kind for e in rows))
        out += column(u, (e.task for e in rows)) if self.tasks else b""
        out += column(u8, (len(e.dims) if e.ndim is None else e.ndim for e in shaped))
        out += column(u, (dim for e in shaped for dim in e.dims))
        out += column(u, (e.block for e in rows if e.kind == TENSOR))
        out += column(references, (e.mask for e in rows if e.kind == KEPT))
        out += column(u, (e.block for e in rows if e.kind == KEPT))
        out += column(references, (e.mask for e in layers))
        out += column(u, (e.prototype for e in layers)) + column(u, (e.phase for e in layers))
        out += column(u8, (e.zero for e in layers))
        out += column(u8, ((e.scale is not None) if e.scaled is None else e.scaled for e in layers))
        out += b"".join(f32(e.scale) for e in layers if e.scale is not None)
        out += column(u, (e.second for e in two)) + column(u, (e.second_phase for e in two))
        return out + column(u, (e.target for e in rows if e.kind == ALIAS))

    def build(self) -> bytes:
        """The file (sections 2 and 3)."""
        manifest = self.manifest()
        stored = self.store(manifest)
        payload = b"".join([m.payload for m in self.masks] + [b.payload for b in self.blocks])
        fields = {
            "major": 1,
            "minor": 0,
            "flags": 0,
            "manifest_size": len(stored),
            "manifest_length": len(manifest),
            "payload_size": len(payload),
        } | self.header
        pages = [zlib.crc32(payload[i : i + PAGE]) for i in range(0, len(payload), PAGE)]
        return assemble(fields, stored + struct.pack(f"<{len(pages)}I", *pages), payload)


def assemble(fields: Mapping[str, int], manifest_and_pages: bytes, payload: bytes) -> bytes:
    """Header, manifest and page table, payload; the CRCs of the header are made to agree (section 3)."""
    order = ("major", "minor", "flags", "manifest_size", "manifest_length", "payload_size")
    head = MAGIC + struct.pack("<BBHIIQ", *(fields[key] for key in order))
    head += struct.pack("<I", zlib.crc32(manifest_and_pages))
    return head + struct.pack("<I", zlib.crc32(head)) + manifest_and_pages + payload


def mask(values: Bits | str, coder: int = RAW_MASK, wrap: Callable[[bytes], bytes] = frame) -> Mask:
    """A mask by one of the coders; `wrap` makes the frame of coders 2 to 4 (section 5)."""
    values = bits(values) if isinstance(values, str) else values
    ones = int(values.sum())
    payload = b""
    if coder in (RAW_MASK, ZSTD_MASK):
        payload = pack(values) if coder == RAW_MASK else wrap(pack(values))
    elif coder in (GAPS_OF_ONES, GAPS_OF_ZEROS):
        payload = wrap(gap_bytes(map(int, np.flatnonzero(values == (coder == GAPS_OF_ONES)))))
    return Mask(coder, len(values), ones, payload)
