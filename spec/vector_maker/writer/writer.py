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
from functools import partial
from typing import Any

import numpy as np

from writer.coders import Bits, Number, bits, f32, frame, gap_bytes, pack, string, u, u8, u32, utf8
from writer.ids import GAPS_OF_ONES, GAPS_OF_ZEROS, RAW_MASK, ZSTD_MASK

MAGIC = bytes.fromhex("89 50 45 4D 4E 0D 0A 1A")
PAGE = 65536
TENSOR, KEPT, TILED, ALIAS, BOOLS = range(5)


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


@dataclass
class Generator:
    """A prototype made by a generator (4.5); scale and patches as binary32 bits.

    Gaps and count are those of the patches unless others are given. Period and zeros stand in the row only if they
    are given, whatever the generator.
    """

    length: Number
    distribution: Number
    seed: int
    stream: int
    scale: int
    patches: Mapping[int, Number] = field(default_factory=dict)
    digest: int = 0
    gaps: Sequence[Number] | None = None
    generator: Number = 1
    period: Number | None = None
    zeros: Number | None = None
    count: Number | None = None

    def row(self) -> bytes:
        """Return the row in the table of prototypes."""
        out = struct.pack("<QQI", self.seed, self.stream, self.scale)
        return made_row(self, out + column(u, (n for n in (self.period, self.zeros) if n is not None)))


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
    count: Number | None = None

    def row(self) -> bytes:
        """Return the row in the table of prototypes."""
        out = u32(self.seed) + u(self.offset) + u32(self.scale)
        return made_row(self, out if self.low is None else out + u32(self.low))


@dataclass
class Dialect(Drawn):
    """A prototype made by generator 4 (4.5): the same, but that patches are steps."""

    generator: Number = 4


def made_row(made: Generator | Drawn, parameters: bytes) -> bytes:
    """Return the row of a prototype that is made (4.5), with the parameters of its generator."""
    order = sorted(made.patches)
    gaps = [b - a - 1 for a, b in itertools.pairwise([-1, *order])] if made.gaps is None else made.gaps
    count = len(order) if made.count is None else made.count
    write = u if isinstance(made, Dialect) else u32
    out = u8(1) + u(made.length) + u8(made.generator) + u8(made.distribution) + parameters + u(count) + column(u, gaps)
    return out + column(write, (made.patches[i] for i in order)) + u32(made.digest)


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
    """Return a tensor of a block."""
    return Entry(name, TENSOR, dims, task, block)


def kept(name: str, dims: Sequence[Number], mask: Number, block: Number = 0, task: Number = 0) -> Entry:
    """Return a kept layer."""
    return Entry(name, KEPT, dims, task, block, mask)


def tiled(
    name: str, dims: Sequence[Number], mask: Number, prototype: Number = 0, phase: Number = 0, **fields: Any
) -> Entry:
    """Return a tiled layer."""
    return Entry(name, TILED, dims, mask=mask, prototype=prototype, phase=phase, **fields)


def bools(name: str, dims: Sequence[Number], mask: Number, task: Number = 0) -> Entry:
    """Return a bool tensor that is stored as a mask."""
    return Entry(name, BOOLS, dims, task, mask=mask)


def alias(name: str, target: Number, task: Number = 0) -> Entry:
    """Return an alias of an earlier entry."""
    return Entry(name, ALIAS, task=task, target=target)


def refer(before: list[Number], mask: Number) -> bytes:
    """Return the reference to a mask (4.5), when the masks of before have been referred to."""
    if mask == len(before):
        before.append(mask)
        return u(0)
    return mask if isinstance(mask, bytes) else u(mask + 1)


def common_prefix(a: bytes, b: bytes) -> int:
    """Return the number of leading bytes that two names have in common."""
    most = min(len(a), len(b))
    differ = int.from_bytes(a[:most], "big") ^ int.from_bytes(b[:most], "big")
    return most - (differ.bit_length() + 7) // 8


def column(write: Callable[[Any], bytes], values: Iterable[Any]) -> bytes:
    """Return values one after the other."""
    return b"".join(map(write, values))


def columns(rows: Sequence[object], **writers: Callable[[Any], bytes]) -> bytes:
    """Return fields of the rows of a table, one column after the other."""
    return b"".join(write(getattr(row, name)) for name, write in writers.items() for row in rows)


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

    def manifest(self) -> bytes:
        """Return the six tables of section 4."""
        reference = partial(refer, [])

        def count(table: str) -> bytes:
            return u(self.counts.get(table, len(getattr(self, table))))

        def sizes(rows: Sequence[Mask | Block]) -> bytes:
            return column(u, (len(row.payload) if row.size is None else row.size for row in rows))

        out = count("metadata") + column(string, itertools.chain(*self.metadata))
        out += count("tasks") + column(string, self.tasks)
        out += count("masks") + columns(self.masks, coder=u8, length=u, ones=u) + sizes(self.masks)
        out += count("blocks") + columns(self.blocks, dtype=u8, coder=u8) + sizes(self.blocks) + count("prototypes")
        for p in self.prototypes:
            if isinstance(p, (Generator, Drawn)):
                out += p.row()
                continue
            is_partial = (p.presence is not None) if p.partial is None else p.partial
            out += u8(p.kind) + u(p.length) + u(p.block) + u8(is_partial)
            out += b"" if p.presence is None else reference(p.presence)
        return self.edit_manifest(out + count("entries") + self._entries(reference))

    def _entries(self, reference: Callable[[Number], bytes]) -> bytes:
        """Return the columns of section 4.6."""
        rows, shared, suffixes = self.entries, list[Number](), []
        before = b""
        for e in rows:
            name = utf8(e.name)
            common = e.shared if isinstance(e.shared, int) else common_prefix(name, before)
            shared.append(common if e.shared is None else e.shared)
            suffixes.append(name[common:] if e.suffix is None else e.suffix)
            before = name
        shaped = [e for e in rows if e.kind != ALIAS]
        plain, keeping, layers, aliases, flags = ([e for e in rows if e.kind == kind] for kind in range(5))
        out = column(u, shared) + column(u, map(len, suffixes)) + b"".join(suffixes)
        out += columns(rows, kind=u8) + (columns(rows, task=u) if self.tasks else b"")
        out += column(u8, (len(e.dims) if e.ndim is None else e.ndim for e in shaped))
        out += column(u, (dim for e in shaped for dim in e.dims))
        out += columns(plain, block=u) + columns(keeping, mask=reference, block=u)
        out += columns(layers, mask=reference, prototype=u, phase=u, zero=u8)
        out += column(u8, ((e.scale is not None) if e.scaled is None else e.scaled for e in layers))
        out += column(f32, (e.scale for e in layers if e.scale is not None))
        out += columns([e for e in layers if e.zero == 2], second=u, second_phase=u)
        return out + columns(flags, mask=reference) + columns(aliases, target=u)

    def build(self) -> bytes:
        """Return the file (sections 2 and 3)."""
        manifest = self.manifest()
        stored = self.store(manifest)
        payload = b"".join([m.payload for m in self.masks] + [b.payload for b in self.blocks])
        fields = {"major": 1, "minor": 0, "flags": 0, "manifest_size": len(stored)}
        fields |= {"manifest_length": len(manifest), "payload_size": len(payload)} | self.header
        pages = (zlib.crc32(payload[i : i + PAGE]) for i in range(0, len(payload), PAGE))
        return assemble(fields, stored + column(u32, pages), payload)


def assemble(fields: Mapping[str, int], manifest_and_pages: bytes, payload: bytes) -> bytes:
    """Return header, manifest and page table, payload; the CRCs of the header are made to agree (section 3)."""
    order = ("major", "minor", "flags", "manifest_size", "manifest_length", "payload_size")
    head = MAGIC + struct.pack("<BBHIIQ", *(fields[key] for key in order)) + u32(zlib.crc32(manifest_and_pages))
    return head + u32(zlib.crc32(head)) + manifest_and_pages + payload


def mask(values: Bits | str, coder: int = RAW_MASK, wrap: Callable[[bytes], bytes] = frame) -> Mask:
    """Return a mask by one of the coders; `wrap` makes the frame of coders 2 to 4 (section 5)."""
    values, payload = bits(values), b""
    if coder in (RAW_MASK, ZSTD_MASK):
        payload = pack(values) if coder == RAW_MASK else wrap(pack(values))
    elif coder in (GAPS_OF_ONES, GAPS_OF_ZEROS):
        payload = wrap(gap_bytes(map(int, np.flatnonzero(values == (coder == GAPS_OF_ONES)))))
    return Mask(coder, len(values), int(values.sum()), payload)
