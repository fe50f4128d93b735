"""An independent, educational decoder for `.pemn` files, versions 1.0 to 1.6.

Written from pemn-v1.md alone, in the order of its sections. It prefers clarity to speed, and shares no code
with the `pemncodec` package, so that each can be tested against the other. Usage:

    python decoder.py FILE [--task NAME] [--base FILE ...]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import accumulate, pairwise
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import zstandard

Array = npt.NDArray[Any]
Word = TypeVar("Word", int, npt.NDArray[Any])
Bases = bytes | Mapping[str, bytes] | Callable[[str], bytes | None]
CHUNK = 1 << 18  # elements worked on at a time, a multiple of 8: intermediate arrays stay small


class DecodeError(ValueError):
    """The file breaks a rule; `kind` is the error class of section 9."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class BaseError(ValueError):
    """The base of a delta (6.2) was not given, or is not the file of that digest: the caller's error, of no class."""


def check(condition: bool | np.bool_, kind: str, message: str) -> None:
    """Raise DecodeError unless the condition holds."""
    if not condition:
        raise DecodeError(kind, message)


@dataclass
class Tensor:
    """dtype by the name of section 4.8; data: little-endian elements in row-major order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass
class Network:
    """The content of a file, for one task if it has tasks; the tensors are in entry order."""

    metadata: dict[str, str]
    tasks: list[str]
    task: str | None
    tensors: dict[str, Tensor]


# 1. Conventions ---------------------------------------------------------------------------------------------


class Reader:
    """Reads the types of section 1 from bytes; what is wrong there is an error of class `kind`."""

    def __init__(self, data: bytes, kind: str, where: str) -> None:
        self.data, self.kind, self.where, self.pos = data, kind, where, 0

    def error(self, message: str) -> DecodeError:
        """The error with this message and the place."""
        return DecodeError(self.kind, f"{self.where}, byte {self.pos}: {message}")

    def check(self, condition: bool, message: str) -> None:
        """Raise that error unless the condition holds."""
        if not condition:
            raise self.error(message)

    def left(self) -> int:
        """The number of bytes not read yet."""
        return len(self.data) - self.pos

    def take(self, count: int) -> bytes:
        """Just bytes."""
        if count > self.left():
            raise self.error(f"{count} bytes wanted, {self.left()} left")
        self.pos += count
        return self.data[self.pos - count : self.pos]

    def fixed(self, width: int) -> int:
        """`u8`, `u16`, `u32`, `u64`, and the bits of an `f32`."""
        return int.from_bytes(self.take(width), "little")

    def u8(self) -> int:
        """`u8`."""
        return self.take(1)[0]

    def u(self) -> int:
        """`u`: LEB128."""
        value = 0
        for k, byte in enumerate(self.data[self.pos : self.pos + 9]):
            value |= (byte & 127) << 7 * k
            if byte < 128:
                self.check(byte > 0 or k == 0, "LEB128 integer is not minimal")
                self.pos += k + 1
                return value
        raise self.error("LEB128 integer runs past the end, or has more than 9 bytes")

    def numbers(self, count: int) -> npt.NDArray[np.int64]:
        """`count` × `u`: the same, many at once."""
        self.check(count <= self.left(), f"{count} LEB128 integers wanted, {self.left()} bytes left")
        values = np.zeros(count, np.int64)
        for first in range(0, count, CHUNK):
            part = values[first : first + CHUNK]
            data = np.frombuffer(self.data, np.uint8)[self.pos : self.pos + 9 * len(part)]
            ends = np.flatnonzero(data < 128)[: len(part)]
            self.check(len(ends) == len(part), "LEB128 integers run past the end, or have more than 9 bytes")
            starts = np.concatenate(([0], ends + 1))
            sizes = np.diff(starts)
            self.check(bool(sizes.max() <= 9), "LEB128 integer has more than 9 bytes")
            self.check(bool(np.all((data[ends] > 0) | (sizes == 1))), "LEB128 integer is not minimal")
            for k in range(sizes.max()):
                longer = np.flatnonzero(sizes > k)
                part[longer] |= (data[starts[longer] + k] & 127).astype(np.int64) << 7 * k
            self.pos += int(starts[-1])
        return values

    def string(self) -> str:
        """`str`."""
        return self.text(self.take(self.u()))

    def text(self, raw: bytes) -> str:
        """Bytes that must be UTF-8."""
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.error(str(error)) from None


def unpack(raw: bytes, kind: str, where: str, count: int) -> npt.NDArray[np.bool_]:
    """`count` bits from "bits in bytes"."""
    check(len(raw) == -(-count // 8), kind, f"{where}: {len(raw)} bytes do not hold {count} bits")
    check(count % 8 == 0 or raw[-1] >> count % 8 == 0, kind, f"{where}: an unused bit is 1")
    return np.unpackbits(np.frombuffer(raw, np.uint8), count=count, bitorder="little").view(np.bool_)


def unpack_numbers(raw: bytes, kind: str, where: str, count: int, width: int) -> npt.NDArray[np.uint32]:
    """`count` numbers of `width` bits each, least significant first, one after the other as bits in bytes."""
    numbers = np.zeros(count, np.uint32)
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        part = raw[start * width // 8 : -(-(start + n) * width // 8)]
        bits = unpack(part, kind, where, n * width).reshape(n, width)
        for k in range(width):
            numbers[start : start + n] |= bits[:, k].astype(np.uint32) << k
    return numbers


def unzstd(frame: bytes, kind: str, where: str, size: int, at_most: bool = False) -> bytes:
    """`zstd(x)`: the content of one frame that declares `size` bytes (with `at_most`: or fewer)."""
    check(frame[:4] == b"\x28\xb5\x2f\xfd", kind, f"{where}: no Zstandard frame")
    try:
        header = zstandard.get_frame_parameters(frame)
        declared = header.content_size  # 2^64 - 1 if the frame does not declare it
        good = declared <= size if at_most else declared == size
        check(good, kind, f"{where}: frame declares {declared} bytes, {size} expected")
        check(header.dict_id == 0, kind, f"{where}: frame uses a dictionary")
        check(header.window_size <= max(1 << 27, declared), kind, f"{where}: frame wants too large a window")
        # A Zstandard block takes 4 bytes or more and gives 2^17 or fewer: never allocate what cannot come.
        check(declared <= len(frame) << 15, kind, f"{where}: {len(frame)} bytes cannot hold {declared}")
        if declared > 0:
            return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
        # That method does not look at the rest of a frame which declares 0 bytes. This one does not stop at
        # the declared size, therefore pieces.
        stream = zstandard.ZstdDecompressor().decompressobj()
        for start in range(0, len(frame), 64):
            empty = not stream.eof and not stream.decompress(frame[start : start + 64])
            check(empty, kind, f"{where}: frame declares 0 bytes, but goes on")
        check(stream.eof and not stream.unused_data, kind, f"{where}: frame does not end with its bytes")
        return b""
    except zstandard.ZstdError as error:
        raise DecodeError(kind, f"{where}: {error}") from None


# 2. The file, 3. Header -------------------------------------------------------------------------------------

MAGIC = b"\x89PEMN\r\n\x1a"
MINOR = 6  # the greatest minor version that is known
PAGE = 65536


def read_file(data: bytes) -> tuple[Manifest, bytes, memoryview]:
    """Manifest, page table and payload, after the checks of section 3 in their order."""
    check(len(data) >= 8 or not MAGIC.startswith(data), "truncated", "the file ends in the magic")
    check(data[:8] == MAGIC, "magic", f"the file begins with {data[:8]!r}")
    check(len(data) >= 10, "truncated", "the file ends before its version")
    known = data[8] == 1 and data[9] <= MINOR
    check(known, "version", f"{data[8]}.{data[9]}; this decoder knows 1.0 to 1.{MINOR}")
    check(len(data) >= 36, "truncated", "the file ends in the header")
    header = Reader(data[10:36], "manifest", "header")
    flags, size, length = header.fixed(2), header.fixed(4), header.fixed(4)
    payload_size, manifest_crc, header_crc = header.fixed(8), header.fixed(4), header.fixed(4)
    check(zlib.crc32(data[:32]) == header_crc, "checksum", "header_crc does not agree")
    header.check(flags == 0, f"flags are {flags}")
    check(length <= 1 << 24, "limit", f"header: manifest_length is {length}")
    check(payload_size <= 1 << 48, "limit", f"header: payload_size is {payload_size}")
    header.check(1 <= size <= length, f"manifest_size is {size}, manifest_length {length}")
    table_end = 36 + size + 4 * -(-payload_size // PAGE)
    end = table_end + payload_size
    check(len(data) >= end, "truncated", f"the file has {len(data)} of {end} bytes")
    check(len(data) <= end, "trailing", f"the file has {len(data)} bytes, its content {end}")
    check(zlib.crc32(data[36:table_end]) == manifest_crc, "checksum", "manifest_crc does not agree")
    stored = data[36 : 36 + size]
    plain = stored if size == length else unzstd(stored, "manifest", "manifest", length)
    manifest = read_manifest(Reader(plain, "manifest", "manifest"), data[9], payload_size)
    return manifest, data[36 + size : table_end], memoryview(data)[table_end:]


def check_page(table: bytes, payload: memoryview, page: int) -> None:
    """Section 3: a page of the payload against the page table."""
    found, expected = zlib.crc32(payload[page * PAGE : (page + 1) * PAGE]), table[4 * page : 4 * page + 4]
    good = found == int.from_bytes(expected, "little")
    check(good, "checksum", f"page {page} of the payload does not agree with its CRC-32")


# 4. Manifest ------------------------------------------------------------------------------------------------

DTYPES = {
    1: ("bool", 1), 2: ("uint8", 1), 3: ("int8", 1), 4: ("uint16", 2), 5: ("int16", 2), 6: ("uint32", 4),
    7: ("int32", 4), 8: ("uint64", 8), 9: ("int64", 8), 10: ("float16", 2), 11: ("bfloat16", 2),
    12: ("float32", 4), 13: ("float64", 8), 14: ("complex32", 4), 15: ("complex64", 8),
    16: ("complex128", 16), 17: ("float8_e4m3fn", 1), 18: ("float8_e5m2", 1), 19: ("float8_e4m3fnuz", 1),
    20: ("float8_e5m2fnuz", 1), 21: ("float8_e8m0fnu", 1), 22: ("float4_e2m1fn_x2", 1),
}  # fmt: skip
BOOL, FLOAT32, NEGATABLE, MASKABLE = 1, 12, {10, 11, 12, 13}, set(DTYPES) - {1, 16, 21, 22}
TENSOR, KEPT, TILED, ALIAS, BOOLS = range(5)
KINDS = (range(4), range(4), range(4), range(4), range(4), range(4), range(5))  # of entries, of minor 0, 1, and so on
MOST_ROWS, MOST_ELEMENTS, MOST_DRAWS = 1 << 18, 1 << 48, 1 << 40
GENERATORS = ((1,), (1, 2), (1, 2), (1, 2), (1, 2, 3), *((1, 2, 3, 4),) * 2)  # of minor 0, of minor 1, and so on
MASK_CODERS = (range(5), range(8), range(8), *(range(9),) * 3, range(10))  # likewise
BLOCK_CODERS = (range(4), range(5), range(6), *(range(7),) * 3, range(8))
DRAWN = {  # the distributions of each generator that draws, from 1 on
    3: ("uniform", "normal", "signs of uniform", "signs of normal"),
    4: ("uniform", "uniform rounded twice", "normal", "normal of the C library", "normal with nothing fused"),
}
LOW = ("uniform", "uniform rounded twice")  # those that have a low
SIXTEENS = ("normal", "signs of normal", "normal of the C library", "normal with nothing fused")  # 16 draws make 16
FLIPS, XOR = 8, 6  # the coders that need a base
MASK_CHUNKS, BLOCK_CHUNKS = 9, 7
MOST_BASES = 32


@dataclass
class Mask:
    """A row of 4.3; its bytes are at `offset` of the payload."""

    coder: int = 0
    length: int = 0
    ones: int = 0
    size: int = 0
    offset: int = 0


@dataclass
class Block:
    """A row of 4.4; its users, in the order of 4.4, have `count` elements."""

    dtype: int = 0
    coder: int = 0
    size: int = 0
    offset: int = 0
    count: int = 0
    users: list[Prototype | Entry] = field(default_factory=list, repr=False)


@dataclass
class Prototype:
    """A row of 4.5; `start` is its first element in the block, `mask` says which are stored (None: all).

    `place` is its number among the users of the block. Generators but 2 have a period of `length` and no zeros, as
    if they were arranged; `offset` and `low` are of generators 3 and 4, which have no stream. `patches` are indices,
    `bits` what stands there instead, and `steps`, of generator 4, what is added there.
    """

    length: int
    dtype: int = FLOAT32
    block: int | None = None
    mask: int | None = None
    start: int = 0
    place: int = 0
    generator: int = 0
    distribution: int = 0
    seed: int = 0
    stream: int = 0
    offset: int = 0
    scale: int = 0
    low: int = 0
    period: int = 0
    zeros: int = 0
    patches: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    bits: bytes = field(default=b"", repr=False)
    steps: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    digest: int = 0
    used: bool = False

    @property
    def count(self) -> int:
        """The same, by the name that it has in an entry."""
        return self.length

    @property
    def drawn(self) -> str:
        """The distribution by its name, of generators 3 and 4."""
        return DRAWN[self.generator][self.distribution - 1]

    @property
    def draws(self) -> int:
        """Section 4.7: as many draws of generators 3 and 4 are counted."""
        return self.offset + self.length + 16 if self.generator in DRAWN else 0


@dataclass
class Entry:
    """A row of 4.6; `count` is its number of elements, `start` and `place` are as in a prototype."""

    name: str
    kind: int = 0
    task: int = 0
    ndim: int = 0
    shape: tuple[int, ...] = ()
    count: int = 0
    dtype: int = 0
    block: int = 0
    start: int = 0
    place: int = 0
    mask: int | None = None
    prototype: int = 0
    phase: int = 0
    zero: int = 0
    scaled: int = 0
    scale: int | None = None
    second: int = 0
    second_phase: int = 0
    target: int = 0


@dataclass
class Manifest:
    """The six tables, the minor version, the number of masks referred to so far, and the digest of the base."""

    minor: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    prototypes: list[Prototype] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    referred: int = 0
    base: str | None = None

    def mask_reference(self, r: Reader) -> int:
        """Section 4.5: the mask that the next reference means."""
        reference = r.u()
        mask = reference - 1 if reference else self.referred
        r.check(mask < (self.referred if reference else len(self.masks)), f"mask reference {reference}")
        self.referred = max(self.referred, mask + 1)
        return mask

    def take_elements(self, r: Reader, index: int, row: Prototype | Entry, count: int) -> None:
        """Section 4.4: the next user of a block has `count` elements."""
        block = self.blocks[index]
        row.start, row.place = block.count, len(block.users)
        block.count += count
        block.users.append(row)
        r.check(block.count <= MOST_ELEMENTS, f"block {index} has {block.count} elements")


def read_manifest(r: Reader, minor: int, payload_size: int) -> Manifest:
    """Section 4: the six tables, and the rules that need all of them."""
    manifest = Manifest(minor)
    read_metadata_and_tasks(r, manifest)
    read_masks_and_blocks(r, manifest)
    for _ in range(read_count(r)):
        manifest.prototypes.append(read_prototype(r, manifest))
    read_entries(r, manifest)
    r.check(r.left() == 0, f"{r.left()} bytes left over")
    for index in range(len(manifest.entries)):
        check_entry(r, manifest, index)
    r.where = "manifest"
    r.check(manifest.referred == len(manifest.masks), f"mask {manifest.referred} is never referred to")
    r.check(all(block.users for block in manifest.blocks), "a block has no user")
    r.check(all(row.used for row in manifest.prototypes), "no layer uses a prototype")
    parts: list[Mask | Block] = [*manifest.masks, *manifest.blocks]
    end = 0
    for part in parts:
        part.offset, end = end, end + part.size
    r.check(end == payload_size, f"masks and blocks have {end} bytes, the payload {payload_size}")
    if any(mask.coder == FLIPS for mask in manifest.masks) or any(block.coder == XOR for block in manifest.blocks):
        manifest.base = read_digest(r, manifest)
    return manifest


def read_digest(r: Reader, manifest: Manifest) -> str:
    """Section 6.2: the digest of the base, which a delta must have."""
    digest = manifest.metadata.get("pemn.base", "")
    r.check(len(digest) == 64 and set(digest) <= set("0123456789abcdef"), f"pemn.base is no digest: {digest!a}")
    return digest


def read_count(r: Reader, maximum: int = MOST_ROWS) -> int:
    """The number of rows of a table; a row has at least one byte."""
    count = r.u()
    r.check(count <= min(maximum, r.left()), f"table of {count} rows")
    return count


def read_column(rows: Iterable[object], name: str, read: Callable[[], int]) -> None:
    """One field of all rows."""
    for row in rows:
        setattr(row, name, read())


def read_metadata_and_tasks(r: Reader, manifest: Manifest) -> None:
    """Sections 4.1 and 4.2. Strings compare as their UTF-8 does."""
    previous = ""
    for _ in range(r.u()):
        key, value = r.string(), r.string()
        r.check(key > previous, f"key {key!a} is empty or not above the one before")
        manifest.metadata[key] = value
        previous = key
    for index in range(read_count(r, 65535)):
        manifest.tasks.append(r.string())
        r.check(1 <= len(manifest.tasks[-1].encode()) <= 1024, f"length of the name of task {index}")
    r.check(len(set(manifest.tasks)) == len(manifest.tasks), "two tasks have the same name")


def read_masks_and_blocks(r: Reader, manifest: Manifest) -> None:
    """Sections 4.3 and 4.4."""
    manifest.masks = [Mask() for _ in range(read_count(r))]
    read_column(manifest.masks, "coder", r.u8)
    for name in ("length", "ones", "size"):
        read_column(manifest.masks, name, r.u)
    for mask in manifest.masks:
        r.check(mask.coder in MASK_CODERS[manifest.minor], f"unknown coder in version 1.{manifest.minor}: {mask}")
        r.check(mask.ones <= mask.length <= MOST_ELEMENTS, f"not legal: {mask}")
    manifest.blocks = [Block() for _ in range(read_count(r))]
    read_column(manifest.blocks, "dtype", r.u8)
    read_column(manifest.blocks, "coder", r.u8)
    read_column(manifest.blocks, "size", r.u)
    for block in manifest.blocks:
        r.check(block.dtype in DTYPES, f"unknown dtype: {block}")
        r.check(block.coder in BLOCK_CODERS[manifest.minor], f"unknown coder in version 1.{manifest.minor}: {block}")


def read_scale(r: Reader) -> int:
    """The bits of an `f32` that is finite and greater than 0."""
    scale = r.fixed(4)
    r.check(0 < scale < 0x7F800000, f"scale {scale:08x} is not finite and greater than 0")
    return scale


def read_prototype(r: Reader, manifest: Manifest) -> Prototype:
    """Section 4.5."""
    kind, row = r.u8(), Prototype(r.u())
    r.check(kind <= 1, f"unknown kind of prototype: {kind}")
    r.check(1 <= row.length <= MOST_ELEMENTS, f"prototype of {row.length} elements")
    if kind == 0:
        row.block, partial, count = r.u(), r.u8(), row.length
        r.check(row.block < len(manifest.blocks) and partial <= 1, f"block {row.block}, partial {partial}")
        row.dtype = manifest.blocks[row.block].dtype
        r.check(row.dtype in MASKABLE, f"prototype in block {row.block}, which is not maskable")
        if partial:
            row.mask = manifest.mask_reference(r)
            mask = manifest.masks[row.mask]
            r.check(mask.length == row.length, f"prototype of {row.length} elements with {mask}")
            count = mask.ones
        manifest.take_elements(r, row.block, row, count)
        return row
    row.generator, row.distribution, row.period = r.u8(), r.u8(), row.length
    known = row.generator in GENERATORS[manifest.minor]
    r.check(known, f"unknown generator {row.generator} in version 1.{manifest.minor}")
    known = 1 <= row.distribution <= len(DRAWN.get(row.generator, "123"))
    r.check(known, f"unknown distribution {row.distribution} of generator {row.generator}")
    if row.generator in DRAWN:
        enough = row.length >= 16 or row.drawn not in SIXTEENS
        r.check(enough, f"only {row.length} elements of the distribution {row.drawn}")
        row.seed, row.offset, row.scale = r.fixed(4), r.u(), read_scale(r)
        r.check(row.draws <= MOST_DRAWS, f"{row.length} elements from draw {row.offset} on")
        if row.drawn in LOW:
            row.low = r.fixed(4)
            r.check(row.low & 0x7FFFFFFF < 0x7F800000, f"low {row.low:08x} is not finite")
    else:
        row.seed, row.stream, row.scale = r.fixed(8), r.fixed(8), read_scale(r)
    if row.generator == 2:
        row.period, row.zeros = r.u(), r.u()
        r.check(1 <= row.period <= row.length, f"{row.length} elements with a period of {row.period}")
        r.check(row.zeros < row.period, f"{row.zeros} zeros in a period of {row.period}")
        r.check(row.zeros > 0 or row.period < row.length, "generator 2 without anything to arrange")
    read_patches(r, row)
    row.digest = r.fixed(4)
    return row


def read_patches(r: Reader, row: Prototype) -> None:
    """Section 4.5: which elements are patched, and how."""
    count, width = r.u(), 2 if row.generator == 4 else 5  # as many bytes each, or more
    r.check(count <= r.left() // width, f"{count} patches")
    row.patches = np.cumsum(r.numbers(count) + 1) - 1  # of which the first sum above 2^63, if any, is below 0
    good = np.all((row.patches >= 0) & (row.patches < row.period))
    r.check(bool(good), f"patch of an element that is not one of {row.period}")
    if row.generator == 4:
        row.steps = r.numbers(count)
        r.check(bool(np.all((row.steps > 0) & (row.steps < 1 << 32))), "a step is not in 1 ... 2^32 - 1")
    else:
        row.bits = r.take(4 * count)


def read_entries(r: Reader, manifest: Manifest) -> None:
    """Section 4.6: the columns in their order. Most rules are in `check_entry`."""
    count = read_count(r)
    shared, suffixes = [[r.u() for _ in range(count)] for _ in range(2)]
    name, total = b"", 0
    for index in range(count):
        length = shared[index] + suffixes[index]
        r.check(shared[index] <= len(name) and 1 <= length <= 1024, f"length of the name of entry {index}")
        name = name[: shared[index]] + r.take(suffixes[index])
        total += length
        r.check(0 not in name and total <= 1 << 25, f"byte 0 in {name!r}, or names longer than 2^25 bytes")
        manifest.entries.append(Entry(r.text(name)))
    entries = manifest.entries
    read_column(entries, "kind", r.u8)
    if manifest.tasks:
        read_column(entries, "task", r.u)
    tensors, kept, tiled, aliases, bools = ([entry for entry in entries if entry.kind == k] for k in range(5))
    own = [entry for entry in entries if entry.kind != ALIAS]
    read_column(own, "ndim", r.u8)
    for entry in own:
        r.check(entry.ndim <= 32, f"{entry.ndim} dimensions")
        entry.shape = tuple(r.u() for _ in range(entry.ndim))
    read_column(tensors, "block", r.u)
    read_column(kept, "mask", lambda: manifest.mask_reference(r))
    read_column(kept, "block", r.u)
    read_column(tiled, "mask", lambda: manifest.mask_reference(r))
    for column in ("prototype", "phase"):
        read_column(tiled, column, r.u)
    for column in ("zero", "scaled"):
        read_column(tiled, column, r.u8)
    read_column([entry for entry in tiled if entry.scaled], "scale", lambda: read_scale(r))
    for column in ("second", "second_phase"):
        read_column([entry for entry in tiled if entry.zero == 2], column, r.u)
    read_column(bools, "mask", lambda: manifest.mask_reference(r))
    read_column(aliases, "target", r.u)
    taken: set[tuple[str, int]] = set()
    for entry in entries:
        here = {(entry.name, 0), (entry.name, entry.task)}
        # -1 stands for any task.
        clash = here & taken or (entry.task == 0 and (entry.name, -1) in taken)
        r.check(not clash, f"the name {entry.name!a} is there twice")
        taken |= {(entry.name, -1), (entry.name, entry.task)}


def check_entry(r: Reader, manifest: Manifest, index: int) -> None:
    """Section 4.6: the rules. Gives the entry its dtype and its part of a block (4.4)."""
    entry = manifest.entries[index]
    r.where = f"manifest, entry {index} ({entry.name!a})"
    r.check(entry.kind in KINDS[manifest.minor], f"unknown kind {entry.kind} in version 1.{manifest.minor}")
    r.check(entry.task <= len(manifest.tasks), f"no task {entry.task}")
    if entry.kind == ALIAS:
        r.check(entry.target < index, f"alias of entry {entry.target}, which is not an earlier one")
        target = manifest.entries[entry.target]
        r.check(target.kind != ALIAS, "alias of an alias")
        r.check(target.task in (0, entry.task), "alias of an entry of another task")
        return
    entry.count = prod(entry.shape)
    r.check(prod(dim for dim in entry.shape if dim) <= MOST_ELEMENTS, f"shape {entry.shape}")
    mask = None if entry.mask is None else manifest.masks[entry.mask]
    if entry.kind == BOOLS:
        entry.dtype = BOOL
        r.check(mask is not None and mask.length == entry.count, f"{mask} for {entry.count} elements")
        return
    if entry.kind != TILED:
        r.check(entry.block < len(manifest.blocks), f"no block {entry.block}")
        entry.dtype = manifest.blocks[entry.block].dtype
        if mask is not None:
            r.check(mask.length == entry.count, f"mask of {mask.length} bits for {entry.count} elements")
            r.check(entry.dtype in MASKABLE, "this dtype is not maskable")
        manifest.take_elements(r, entry.block, entry, entry.count if mask is None else mask.ones)
        return
    r.check(mask is not None and mask.length <= entry.count, "more bits in the mask than elements")
    r.check(entry.zero <= 2 and entry.scaled <= 1, f"zero {entry.zero}, scaled {entry.scaled}")
    sources = [(entry.prototype, entry.phase), (entry.second, entry.second_phase)]
    for source, phase in sources[: 2 if entry.zero == 2 else 1]:
        r.check(source < len(manifest.prototypes), f"no prototype {source}")
        prototype = manifest.prototypes[source]
        r.check(phase < prototype.length, f"phase {phase} in a prototype of {prototype.length} elements")
        prototype.used = True
        entry.dtype = entry.dtype or prototype.dtype
        r.check(prototype.dtype == entry.dtype, "the second prototype has another dtype")
    r.check(entry.zero != 1 or entry.dtype in NEGATABLE, "this dtype cannot be negated")
    r.check(not entry.scaled or entry.dtype == FLOAT32, "scaled, but not float32")


def check_limit(manifest: Manifest, entries: Sequence[Entry], max_bytes: int) -> None:
    """Section 4.7. Each block must pass on its own: with tasks it may hold much more than the entries."""
    used = {entry.block for entry in entries if entry.kind in (TENSOR, KEPT)}
    used |= {row.block for row in manifest.prototypes if row.block is not None}
    own = [entry for entry in entries if entry.kind != ALIAS]
    parts = [(row.count, row.dtype) for row in own] + [(row.length, row.dtype) for row in manifest.prototypes]
    total = sum(count * DTYPES[dtype][1] for count, dtype in parts)
    draws: dict[int, int] = {}
    for row in manifest.prototypes:
        if row.draws:
            draws[row.seed] = max(draws.get(row.seed, 0), row.draws)
    total += 4 * sum(draws.values())
    blocks = [manifest.blocks[index] for index in used]
    largest = max((row.count * DTYPES[row.dtype][1] for row in blocks), default=0)
    check(max(total, largest) <= max_bytes, "limit", f"decodes to {total} bytes; the limit is {max_bytes}")


# 5. Masks ---------------------------------------------------------------------------------------------------


def decode_mask(mask: Mask, raw: bytes, where: str) -> npt.NDArray[np.bool_]:
    """The bits of a mask from its bytes in the payload, but for coder 8."""
    if mask.coder == 0:
        check(not raw and mask.ones in (0, mask.length), "payload", f"{where}: not constant: {mask}")
        return np.full(mask.length, mask.ones > 0, np.bool_)
    if mask.coder == MASK_CHUNKS:
        return decode_mask_chunks(mask, raw, where)
    if mask.coder in (3, 4, 6, 7):
        return decode_gaps(mask, raw, where)
    if mask.coder == 2:
        raw = unzstd(raw, "payload", where, -(-mask.length // 8))
    elif mask.coder == 5:
        r = Reader(raw, "payload", where)
        q = r.u8()
        r.check(q >= 1, "q is 0")
        raw = decode_rans(r, byte_frequencies(q), -(-mask.length // 8))
    bits = unpack(raw, "payload", where, mask.length)
    check_ones(mask, bits, where)
    return bits


def decode_mask_chunks(mask: Mask, raw: bytes, where: str) -> npt.NDArray[np.bool_]:
    """Section 5.5: a mask of coder 9."""
    r = Reader(raw, "payload", where)
    lengths = read_chunks(r, mask.length)
    coders = r.take(len(lengths))
    ones = [r.u() for _ in lengths]
    sizes = [r.u() for _ in lengths]
    r.check(max(coders) < FLIPS, f"a chunk by coder {max(coders)}")
    r.check(sum(ones) == mask.ones, f"the chunks have {sum(ones)} ones, not {mask.ones}")
    r.check(sum(sizes) == r.left(), f"the chunks have {sum(sizes)} bytes, and {r.left()} are left")
    parts = []
    for i, (coder, length, one, size) in enumerate(zip(coders, lengths, ones, sizes, strict=True)):
        r.check(one <= length, f"{one} ones in the {length} bits of chunk {i}")
        parts.append(decode_mask(Mask(coder, length, one), r.take(size), f"{where}, chunk {i}"))
    return np.concatenate(parts)


def read_chunks(r: Reader, total: int) -> list[int]:
    """Sections 5.5 and 6.3: how many bits or elements each chunk has."""
    k = r.u8()
    r.check(3 <= k <= 40, f"chunks of 2^{k}")
    n = -(-total // 2**k)
    r.check(2 <= n <= 65536, f"{n} chunks")
    r.check(2 * n <= r.left(), f"{n} chunks in {r.left()} bytes")
    return [2**k] * (n - 1) + [total - (n - 1) * 2**k]


def check_ones(mask: Mask, bits: npt.NDArray[np.bool_], where: str) -> None:
    """Section 5: as many ones as the manifest says."""
    ones = np.count_nonzero(bits)
    check(ones == mask.ones, "payload", f"{where}: {ones} ones instead of {mask.ones}")


def decode_gaps(mask: Mask, raw: bytes, where: str) -> npt.NDArray[np.bool_]:
    """Coders 3, 4, 6 and 7: a position is the sum of all gaps so far plus the number of positions before.

    A gap of coders 3 and 4 is one of 6 and 7 without low bits (5.3).
    """
    of_ones = mask.coder in (3, 6)
    positions = mask.ones if of_ones else mask.length - mask.ones
    most = positions + mask.length // 255
    s, packed = 0, b""
    if mask.coder <= 4:
        content = unzstd(raw, "payload", where, most, at_most=True)
    else:
        r = Reader(raw, "payload", where)
        s, t, count = r.u8(), r.u8(), r.u()
        r.check(s <= 31 and t >= 1 and count <= most, f"s {s}, t {t}, {count} gap bytes of at most {most}")
        packed = r.take(-(-positions * s // 8))
        content = decode_rans(r, gap_frequencies(t), count)
    check(content[-1:] != b"\xff", "payload", f"{where}: the last gap does not end")
    found = len(content) - content.count(255)
    check(found == positions, "payload", f"{where}: {found} positions instead of {positions}")
    low = unpack_numbers(packed, "payload", where, positions, s)
    gaps = np.frombuffer(content, np.uint8)
    bits = np.full(mask.length, not of_ones, np.bool_)
    found = high_sum = low_sum = 0  # Python's integers: the sums may have more than 64 bits until they are checked
    for start in range(0, len(gaps), CHUNK):
        part = gaps[start : start + CHUNK]
        ends = np.flatnonzero(part != 255)
        high = np.cumsum(part, dtype=np.int64)
        lows = np.cumsum(low[found : found + len(ends)], dtype=np.int64)
        before = (high_sum << s) + low_sum + found
        high_sum, low_sum, found = high_sum + int(high[-1]), low_sum + int(lows[-1:].sum()), found + len(ends)
        end = (high_sum << s) + low_sum + found
        check(end <= mask.length, "payload", f"{where}: a position beyond {mask.length} bits")
        bits[before + (high[ends] << s) + lows + np.arange(len(ends))] = of_ones
    return bits


def decode_rans(r: Reader, frequencies: Sequence[int], count: int) -> bytes:
    """Section 5.1: `count` bytes from all that is left; the end of the payload is that of the reader."""
    lanes = r.u()
    r.check(1 <= lanes <= max(count, 1) and count <= 8192 * lanes, f"{lanes} lanes for {count} bytes")
    states = np.frombuffer(r.take(4 * lanes), "<u4").tolist()
    r.check(min(states) >= 1 << 16, "a state below 2^16")
    r.check(r.left() % 2 == 0, "half a word")
    words = iter(np.frombuffer(r.take(r.left()), "<u2").tolist())
    below = [0, *accumulate(frequencies)]
    content = bytearray(count)
    for i in range(count):
        x = states[i % lanes]
        low = x & 0xFFFF
        v = bisect_right(below, low) - 1
        x = frequencies[v] * (x >> 16) + low - below[v]
        if x < 1 << 16:
            word = next(words, None)
            if word is None:
                raise r.error(f"no word is left for byte {i} of {count}")
            x = x << 16 | word
        states[i % lanes], content[i] = x, v
    r.check(all(x == 1 << 16 for x in states), "a state at the end is not 2^16")
    r.check(next(words, None) is None, "words are left over")
    return bytes(content)


def byte_frequencies(q: int) -> list[int]:
    """Section 5.2: F(0) … F(255)."""
    of_ones = [max(1, q**c * (256 - q) ** (8 - c) >> 48) for c in range(9)]
    frequencies = [of_ones[v.bit_count()] for v in range(256)]
    rest = 0 if q <= 128 else 255
    frequencies[rest] += (1 << 16) - sum(frequencies)
    return frequencies


def gap_frequencies(t: int) -> list[int]:
    """Section 5.3: F(0) … F(255)."""
    frequencies, rest = [], 1 << 16
    for v in range(255):
        frequencies.append(min(max(1, rest * t // 256), rest - 255 + v))
        rest -= frequencies[-1]
    return [*frequencies, rest]


def decode_flips(mask: Mask, raw: bytes, where: str, base: Content) -> npt.NDArray[np.bool_]:
    """Section 5.4: a mask of coder 8."""
    r = Reader(raw, "payload", where)
    index, flipped, coder = r.u(), r.u(), r.u8()
    r.check(index < len(base.manifest.masks), f"the base has no mask {index}")
    length = base.manifest.masks[index].length
    r.check(length == mask.length, f"{mask.length} bits, mask {index} of the base has {length}")
    r.check(flipped <= mask.length and coder < FLIPS, f"{flipped} flips of {mask.length} bits, by coder {coder}")
    flips = decode_mask(Mask(coder, mask.length, flipped), r.take(r.left()), f"{where}, flips")
    bits = base.mask(index) ^ flips
    check_ones(mask, bits, where)
    return bits


# 6. Blocks --------------------------------------------------------------------------------------------------


def decode_block(block: Block, raw: bytes, where: str) -> npt.NDArray[np.uint8]:
    """The bytes of the elements of a block, from its bytes in the payload, but for coder 6; bools are not checked."""
    width = DTYPES[block.dtype][1]
    if block.coder <= 1:
        raw = raw if block.coder == 0 else unzstd(raw, "payload", where, block.count * width)
        check(len(raw) == block.count * width, "payload", f"{where}: {len(raw)} bytes for {block}")
        content = np.frombuffer(raw, np.uint8)
    elif block.coder == BLOCK_CHUNKS:
        content = decode_block_chunks(block, raw, where)
    else:
        r = Reader(raw, "payload", where)
        decode = {2: decode_planes, 3: decode_palette, 4: decode_planes, 5: decode_grouped_planes}[block.coder]
        content = decode(r, block.count, width)
        r.check(r.left() == 0, f"{r.left()} bytes left over")
        if block.coder >= 4:
            content = rotate_right(content, width)
    return content


def decode_block_chunks(block: Block, raw: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Section 6.3: a block of coder 7."""
    r = Reader(raw, "payload", where)
    counts = read_chunks(r, block.count)
    coders = r.take(len(counts))
    sizes = [r.u() for _ in counts]
    r.check(max(coders) < XOR, f"a chunk by coder {max(coders)}")
    r.check(sum(sizes) == r.left(), f"the chunks have {sum(sizes)} bytes, and {r.left()} are left")
    parts = []
    for i, (coder, count, size) in enumerate(zip(coders, counts, sizes, strict=True)):
        chunk = replace(block, coder=coder, count=count)
        parts.append(decode_block(chunk, r.take(size), f"{where}, chunk {i}").reshape(-1))
    return np.concatenate(parts)


def check_bools(dtype: int, content: npt.NDArray[np.uint8], where: str) -> None:
    """Section 4.8."""
    check(dtype != BOOL or not (content > 1).any(), "payload", f"{where}: a bool is neither 0 nor 1")


def decode_planes(r: Reader, count: int, width: int) -> npt.NDArray[np.uint8]:
    """Coder 2, and the rotated elements of coder 4."""
    content = np.empty((count, width), np.uint8)
    for j in range(width):
        method = r.u8()
        r.check(method <= 2, f"unknown plane method {method}")
        if method == 2:
            content[:, j] = r.u8()
            continue
        raw = r.take(count if method == 0 else r.u())
        plane = raw if method == 0 else unzstd(raw, r.kind, f"{r.where}, plane {j}", count)
        content[:, j] = np.frombuffer(plane, np.uint8)
    return content.reshape(-1)


def rotate_right(content: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """Coders 4, 5: the highest bit of each byte is the lowest of the next one; that of the last is from the first."""
    rows = content.reshape(-1, width)
    return (rows >> np.uint8(1) | np.roll(rows, -1, axis=1) << np.uint8(7)).reshape(-1)


def decode_palette(r: Reader, count: int, width: int) -> npt.NDArray[np.uint8]:
    """Coder 3."""
    size = r.fixed(2) + 1
    palette = np.frombuffer(r.take(size * width), np.uint8).reshape(size, width)
    values = [int.from_bytes(row.tobytes(), "little") for row in palette]
    r.check(all(a < b for a, b in pairwise(values)), "the palette is not strictly ascending")
    if size == 1:
        return np.tile(palette[0], count)
    method, raw = r.u8(), r.take(r.left())
    r.check(method <= 2, f"unknown palette method {method}")
    # Whole bytes are a case of w bits each: 8 or 16.
    w = (size - 1).bit_length() if method < 2 else 8 if size <= 256 else 16
    packed_size = -(-count * w // 8)
    if method > 0:
        raw = unzstd(raw, r.kind, r.where, packed_size)
    r.check(len(raw) == packed_size, f"{len(raw)} bytes of indices instead of {packed_size}")
    indices = unpack_numbers(raw, r.kind, r.where, count, w)
    r.check(not (indices >= size).any(), "an index beyond the palette")
    content: npt.NDArray[np.uint8] = palette[indices].reshape(-1)
    return content


def decode_grouped_planes(r: Reader, count: int, width: int) -> npt.NDArray[np.uint8]:
    """Section 6.1: the rotated elements of coder 5."""
    r.check(count >= 1, "grouped planes of no elements")
    highest = decode_byte_string(r, count)
    content = np.empty((count, width), np.uint8)
    content[:, -1] = highest
    if width >= 2:
        plane = content[:, -2]
        for v in np.unique(highest):
            group = highest == v
            plane[group] = decode_byte_string(r, int(np.count_nonzero(group)))
    for j in range(width - 3, -1, -1):
        content[:, j] = decode_byte_string(r, count)
    return content.reshape(-1)


def decode_byte_string(r: Reader, count: int) -> npt.NDArray[np.uint8]:
    """Section 6.1: a byte string of `count` bytes."""
    method = r.u8()
    r.check(method <= 2, f"unknown method {method} of a byte string")
    if method == 1:
        return np.full(count, r.u8(), np.uint8)
    if method == 0:
        return np.frombuffer(r.take(count), np.uint8)
    frequencies = table_frequencies(r)
    part = Reader(r.take(r.u()), r.kind, f"{r.where}, rANS that ends at byte {r.pos}")
    return np.frombuffer(decode_rans(part, frequencies, count), np.uint8)


def table_frequencies(r: Reader) -> list[int]:
    """Section 6.1: F(0) … F(255) from a table."""
    b, first, bins = r.u8(), r.u8(), r.u8() + 1
    r.check(b <= 7 and first + bins << b <= 256, f"table of {bins} bins of 2^{b} byte values from bin {first} on")
    weights = [r.u() for _ in range(bins)]
    greatest, total = max(weights), sum(weights)
    r.check(1 <= greatest < 1 << 24, f"the greatest weight of a table is {greatest}")
    frequencies = [1] * 256
    for i, weight in enumerate(weights):
        for v in range(first + i << b, first + i + 1 << b):
            frequencies[v] += weight * 65280 // (total << b)
    frequencies[first + weights.index(greatest) << b] += (1 << 16) - sum(frequencies)
    return frequencies


def decode_xor(block: Block, raw: bytes, where: str, base: Content) -> tuple[npt.NDArray[np.uint8], list[int | None]]:
    """Section 6.2: of a block of coder 6 the differences, and what of the base each user refers to."""
    r = Reader(raw, "payload", where)
    numbers = [r.u() for _ in block.users]
    coder = r.u8()
    r.check(coder < XOR, f"differences by coder {coder}")
    differences = decode_block(replace(block, coder=coder), r.take(r.left()), f"{where}, differences")
    rows = zip(block.users, numbers, strict=True)
    return differences, [base.refer(r, user, number - 1) if number else None for user, number in rows]


# 7. Layers --------------------------------------------------------------------------------------------------


def kept_layer(count: int, bits: npt.NDArray[np.bool_], values: Array) -> Array:
    """The values at the one bits, all-zero bits elsewhere. So is a prototype with partial = 1 (4.5)."""
    content = np.zeros(count, values.dtype)
    content[bits] = values
    return content


def tiled_layer(entry: Entry, bits: npt.NDArray[np.bool_], prototype: Array, second: Array, where: str) -> Array:
    """a(i) or b(i), as the mask says where they differ."""
    if entry.scale is not None:
        prototype, second = (multiply(row.view("<f4"), entry.scale, where) for row in (prototype, second))
    content = np.empty(entry.count, prototype.dtype)
    highest = prototype.dtype.type(1 << 8 * prototype.itemsize - 1)
    taken = 0
    for start in range(0, entry.count, CHUNK):
        i = np.arange(start, min(start + CHUNK, entry.count))
        a = prototype[(entry.phase + i) % len(prototype)]
        if entry.zero == 0:
            b = np.zeros_like(a)
        elif entry.zero == 1:
            b = np.where(a == 0, a, a ^ highest)
        else:
            b = second[(entry.second_phase + i) % len(second)]
        active = np.flatnonzero(a != b)
        part = bits[taken : taken + len(active)]
        taken += len(active)
        check(taken <= len(bits), "payload", f"{where}: the mask has only {len(bits)} bits")
        zeros = active[~part]
        a[zeros] = b[zeros]
        content[start : start + len(i)] = a
    check(taken == len(bits), "payload", f"{where}: the mask has {len(bits)} bits instead of {taken}")
    return content


# 8. Generators ----------------------------------------------------------------------------------------------


def philox(counter: Sequence[Word], key: Sequence[int]) -> tuple[Word, Word, Word, Word]:
    """Section 8.1: Philox4x32-10, of Python integers or of arrays of uint64 that hold 32-bit words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def random_words(seed: int, stream: int, indices: Array) -> npt.NDArray[np.int64]:
    """Section 8.1: x(i) for all i in `indices`."""
    groups, group = np.unique(indices.astype(np.uint64) // 4, return_inverse=True)
    low, high = (np.full(len(groups), half, np.uint64) for half in (stream & 0xFFFFFFFF, stream >> 32))
    result = philox((groups & 0xFFFFFFFF, groups >> 32, low, high), (seed & 0xFFFFFFFF, seed >> 32))
    words: npt.NDArray[np.int64] = np.stack(result).astype(np.int64)[indices % 4, group]
    return words


@cache
def normal_table() -> npt.NDArray[np.int64]:
    """Section 8.3: T[0 … 1024], from the file beside this one."""
    text = Path(__file__).with_name("normal-table.txt").read_text("ascii")
    table = np.array([int(number, 16) for number in text.split()], "<u4")
    if len(table) != 1025 or zlib.crc32(table.tobytes()) != 0xAFA18D14:
        raise RuntimeError("normal-table.txt is not the table of the specification")
    return table.astype(np.int64)


def multiply(values: Array, scale_bits: int, where: str) -> npt.NDArray[np.uint32]:
    """Section 8.4: the bits of the products of binary32 values with the scale; they must be finite."""
    with np.errstate(all="ignore"):
        products = (values * np.uint32(scale_bits).view(np.float32)).astype("<f4")
    check(np.isfinite(products).all(), "payload", f"{where}: a product is not finite")
    return products.view("<u4")


def elements(distribution: int, seed: int, stream: int, scale_bits: int, indices: Array) -> npt.NDArray[np.uint32]:
    """Sections 8.2 and 8.3: the elements at these indices, as binary32 bits."""
    x = random_words(seed, stream, indices)
    sign = (x & 0x80000000).astype("<u4")
    if distribution == 1:
        return sign | np.uint32(scale_bits)
    if distribution == 2:
        v = 2 * (x >> 8) + 1 - (1 << 24)
        return multiply(v.astype(np.float32) * np.float32(2**-24), scale_bits, "generator")
    table = normal_table()
    t = 2 * (x & 0x7FFFFFFF) + 1
    e = 32 - np.frexp(t.astype(np.float64))[1]  # frexp's exponent is the number of bits
    y = t << e
    j = 32 * (31 - e) + (y >> 26) % 32
    z = table[j] - ((table[j] - table[j + 1]) * (y % (1 << 26)) >> 26)
    return sign | multiply(z.astype(np.float32) * np.float32(2**-28), scale_bits, "generator")


def in_chunks(count: int, make: Callable[[Array], Array]) -> npt.NDArray[np.uint32]:
    """The results of `make` for the indices 0 … count - 1, of which it gets CHUNK at a time."""
    made = np.empty(count, "<u4")
    for start in range(0, count, CHUNK):
        part = np.arange(start, min(start + CHUNK, count))
        made[part] = make(part)
    return made


def order(seed: int, stream: int, count: int) -> npt.NDArray[np.int64]:
    """Section 8.7: 0 … count - 1 sorted by x(stream, i); a stable sort leaves equal words as they are."""
    words = in_chunks(count, lambda indices: random_words(seed, stream, indices))
    return np.argsort(words, kind="stable")


Draws = npt.NDArray[np.uint32]
Singles = npt.NDArray[np.float32]
Operand = Singles | np.float32
MultiplyAdd = Callable[[Operand, Operand, Operand], Singles]


def mersenne_twister(seed: int, count: int) -> Draws:
    """Section 8.8: x(0) ... x(count - 1) of MT19937."""
    s = np.empty(624 + count, np.uint32)
    s[0] = last = seed
    for i in range(1, 624):
        s[i] = last = (1812433253 * (last ^ last >> 30) + i) % (1 << 32)
    for i in range(624, 624 + count, 227):  # s(i) depends on s(i - 227) and on what is before that
        n = min(227, 624 + count - i)
        y: Array = (s[i - 624 : i - 624 + n] & 0x80000000) | (s[i - 623 : i - 623 + n] & 0x7FFFFFFF)
        s[i : i + n] = s[i - 227 : i - 227 + n] ^ (y >> 1) ^ (y & 1) * np.uint32(0x9908B0DF)
    draws = s[624:]
    for start in range(0, count, CHUNK):
        y = draws[start : start + CHUNK]
        y = y ^ y >> 11
        y = y ^ (y << 7 & 0x9D2C5680)
        y = y ^ (y << 15 & 0xEFC60000)
        draws[start : start + CHUNK] = y ^ y >> 18
    return draws


def single(bits: int) -> np.float32:
    """The binary32 of this pattern."""
    return np.uint32(bits).view(np.float32)


def fma(a: Operand, b: Operand, c: Operand) -> Singles:
    """Section 8.8: a * b + c of binary32, rounded once.

    The product is exact in binary64; the sum is `high` + `low` exactly. Where `low` is not 0 the sum is rounded to
    odd: to that of the two neighbours in binary64 whose last bit is 1. Then rounding again does no harm.
    """
    product, addend = np.float64(1) * a * b, np.asarray(c, np.float64)
    high = product + addend
    part = high - product
    low = (product - (high - part)) + (addend - part)
    even = high.view(np.int64) % 2 == 0
    odd = np.nextafter(high, np.where(low > 0, np.inf, -np.inf))
    with np.errstate(over="ignore"):
        return np.where((low != 0) & even, odd, high).astype(np.float32)


def multiply_then_add(a: Operand, b: Operand, c: Operand) -> Singles:
    """Section 8.9: a * b + c of binary32, two operations, each of which is rounded."""
    return np.asarray(a * b + c, np.float32)


LOG = (0x3D9021BB, 0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF, 0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA)


def logarithm(x: Singles, add: MultiplyAdd) -> Singles:
    """Section 8.8: log(x), where `add` is fma (8.9: or what it is instead)."""
    m, exponent = np.frexp(x)
    small = m < single(0x3F3504F3)
    e = (exponent - small).astype(np.float32)
    f: Singles = np.where(small, (m - 1) + m, m - 1)
    z = f * f
    p = np.full_like(f, single(LOG[0]))
    for bits in LOG[1:]:
        p = add(p, f, single(bits))
    p = p * f
    p = add(p, z, e * single(0xB95E8083))
    p = p - z * single(0x3F000000)
    return add(e, single(0x3F318000), f + p)


def sine_and_cosine(t: Singles, add: MultiplyAdd) -> tuple[Singles, Singles]:
    """Section 8.8: sin(t), cos(t), where `add` is likewise."""
    q = (t * single(0x3FA2F983)).astype(np.int64)
    n = q + q % 2
    y = n.astype(np.float32)
    a = add(y, single(0xBF490000), t)
    a = add(y, single(0xB97DA000), a)
    a = add(y, single(0xB3222169), a)
    z = a * a
    c = add(add(single(0x37CCF5CE), z, single(0xBAB6061A)), z, single(0x3D2AAAA5)) * z
    c = add(c, z, -(z * single(0x3F000000))) + np.float32(1)
    s = add(add(single(0xB94CA1F9), z, single(0x3C08839E)), z, single(0xBE2AAAA3)) * z
    s = add(s, a, a)
    sine, cosine = np.where(n % 4 == 0, s, c), np.where(n % 4 == 0, c, s)
    return np.where(n & 4 == 4, -sine, sine), np.where(np.isin(n % 8, (2, 4)), -cosine, cosine)


def fractions(draws: Draws) -> Singles:
    """Section 8.8: U of these draws."""
    return (draws & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)


def double(bits: int) -> np.float64:
    """The binary64 of this pattern."""
    return np.uint64(bits).view(np.float64)


LN = (0xBFD00EA348B88334, 0x3FD5575B0BE00B6A, 0xBFDFFFFEF20A4123)
LN_TABLE = (
    (0x3FF661EC79F8F3BE, 0xBFD57BF7808CAADE), (0x3FF571ED4AAF883D, 0xBFD2BEF0A7C06DDB),
    (0x3FF49539F0F010B0, 0xBFD01EAE7F513A67), (0x3FF3C995B0B80385, 0xBFCB31D8A68224E9),
    (0x3FF30D190C8864A5, 0xBFC6574F0AC07758), (0x3FF25E227B0B8EA0, 0xBFC1AA2BC79C8100),
    (0x3FF1BB4A4A1A343F, 0xBFBA4E76CE8C0E5E), (0x3FF12358F08AE5BA, 0xBFB1973C5A611CCC),
    (0x3FF0953F419900A7, 0xBFA252F438E10C1E), (0x3FF0000000000000, 0x0000000000000000),
    (0x3FEE608CFD9A47AC, 0x3FAAA5AA5DF25984), (0x3FECA4B31F026AA0, 0x3FBC5E53AA362EB4),
    (0x3FEB2036576AFCE6, 0x3FC526E57720DB08), (0x3FE9C2D163A1AA2D, 0x3FCBC2860D224770),
    (0x3FE886E6037841ED, 0x3FD1058BC8A07EE1), (0x3FE767DCF5534862, 0x3FD4043057B6EE09),
)  # fmt: skip


def ln(x: Singles) -> Singles:
    """Section 8.9: ln(x), in binary64."""
    w: Array = x.view(np.uint32).astype(np.int64)
    h = w - 0x3F330000
    k, i = h >> 23, (h >> 19) % 16  # a shift rounds down, as floor does
    z = (w - (k << 23)).astype(np.uint32).view(np.float32).astype(np.float64)
    a, b = (column[i] for column in np.array(LN_TABLE, np.uint64).T.view(np.float64))
    q = z * a - 1
    y = (double(LN[1]) * q) + double(LN[2])
    y = (double(LN[0]) * (q * q)) + y
    y = y * (q * q) + ((b + k * double(0x3FE62E42FEFA39EF)) + q)
    return np.asarray(y, np.float32)


S = (0xBFC555545995A603, 0x3F81107605230BC4, 0xBF2994EB3774CF24)
C = (0xBFDFFFFFFD0C621C, 0x3FA55553E1068F19, 0xBF56C087E89A359D, 0x3EF99343027BF8C3)


def sine_and_cosine_of_c(t: Singles) -> tuple[Singles, Singles]:
    """Section 8.9: sine(t), cosine(t), in binary64."""
    s0, s1, s2, c0, c1, c2, c3 = map(double, S + C)
    x = t.astype(np.float64)
    n = (np.floor(x * double(0x41645F306DC9C883)).astype(np.int64) + (1 << 23)) >> 24
    x = x - n * double(0x3FF921FB54442D18)
    z = x * x
    s = (x + (x * z) * s0) + ((x * z) * z) * (s1 + z * s2)
    c = ((1 + z * c0) + (z * z) * c1) + ((z * z) * z) * (c2 + z * c3)
    s, c = s.astype(np.float32), c.astype(np.float32)
    return np.choose(n % 4, (s, c, -s, -c)), np.choose(n % 4, (c, -s, -c, s))


def normal_numbers(draws: Draws, drawn: str) -> Singles:
    """Sections 8.8 and 8.9: each 16 draws make 16 numbers, by the distribution of this name."""
    v = fractions(draws).reshape(-1, 16)
    x, turns = np.float32(1) - v[:, :8], v[:, 8:]
    if drawn == "normal of the C library":
        logarithms, t = ln(x), (double(0x401921FB54442D18) * turns).astype(np.float32)
        sine, cosine = sine_and_cosine_of_c(t)
    else:
        add = multiply_then_add if drawn == "normal with nothing fused" else fma
        logarithms, t = logarithm(x, add), single(0x40C90FDB) * turns
        sine, cosine = sine_and_cosine(t, add)
    r = np.sqrt(np.float32(-2) * logarithms)
    return np.concatenate((r * cosine, r * sine), axis=1).reshape(-1)


def drawn_elements(row: Prototype, draws: Draws) -> npt.NDArray[np.uint32]:
    """Sections 8.8 and 8.9: all elements before patches as binary32 bits, from all draws of the seed."""
    x, n, scale, low = draws[row.offset :], row.length, single(row.scale), single(row.low)

    def signs(above: Array, below: Array) -> Singles:
        return np.where(above, scale, np.where(below, -scale, np.float32(0)))

    def by_sixteens(drawn: Draws) -> npt.NDArray[np.uint32]:
        numbers = normal_numbers(drawn, row.drawn)
        if row.drawn == "signs of normal":
            return signs(numbers > 0, numbers < 0).view(np.uint32)
        return fma(numbers, scale, np.float32(0)).view(np.uint32)

    def one_by_one(i: Array) -> npt.NDArray[np.uint32]:
        if row.drawn == "signs of uniform":
            k = x[i] & 0xFFFFFF
            return signs(k > 1 << 23, k < 1 << 23).view(np.uint32)
        if row.drawn == "uniform":
            return fma(fractions(x[i]), scale, low).view(np.uint32)
        with np.errstate(over="ignore"):
            return (fractions(x[i]) * scale + low).view(np.uint32)

    if row.drawn not in SIXTEENS:
        return in_chunks(n, one_by_one)
    made = np.empty(n, "<u4")
    made[: n - n % 16] = in_chunks(n - n % 16, lambda i: by_sixteens(x[i]))
    if n % 16:
        made[-16:] = by_sixteens(x[n : n + 16])
    return made


def generate(row: Prototype, draws: Callable[[int], Draws], where: str) -> Array:
    """Sections 4.5, 8.6 to 8.9: all elements, patched, arranged, and checked against the digest."""
    if row.generator in DRAWN:
        content = drawn_elements(row, draws(row.seed))
        check(np.all(content & 0x7FFFFFFF < 0x7F800000), "payload", f"{where}: an element is not finite")
    else:
        content = in_chunks(row.period, lambda i: elements(row.distribution, row.seed, row.stream, row.scale, i))
    if row.generator == 4:
        differences = np.where(row.steps % 2 == 0, row.steps // 2, -(row.steps + 1) // 2)
        content[row.patches] += differences.astype(np.uint32)  # modulo 2^32, as the sum is
    else:
        content[row.patches] = np.frombuffer(row.bits, "<u4")
    if row.zeros:
        content[order(row.seed, row.stream ^ 1 << 63, row.period)[: row.zeros]] = 0
    if row.length > row.period:
        content = content[order(row.seed, row.stream ^ 1 << 62, row.length) % row.period]
    digest = zlib.crc32(content.data)
    check(digest == row.digest, "payload", f"{where}: digest {digest:08x} instead of {row.digest:08x}")
    return content


# The whole file ---------------------------------------------------------------------------------------------


def tasks(data: bytes) -> list[str]:
    """The names of the tasks, from header and manifest."""
    return read_file(data)[0].tasks


def decode(data: bytes, task: str | None = None, max_bytes: int = 16 << 30, base: Bases | None = None) -> Network:
    """Decode a file: DecodeError if it is not valid, ValueError if the task is missing or not in it.

    Of a delta (6.2) `base` is the base. With a chain of deltas, or instead of the file, it is what gives the files
    by their SHA-256 in hexadecimal: a mapping or a function. BaseError if that is not so.
    """
    manifest, table, payload = read_file(data)
    if task is None:  # with tasks: before the caller hears of them, the size of all
        check_limit(manifest, manifest.entries, max_bytes)
    if task not in manifest.tasks and (manifest.tasks or task is not None):
        raise ValueError(f"task {task!a} is not one of the tasks of this file: {manifest.tasks!a}")
    chosen = 0 if task is None else manifest.tasks.index(task) + 1
    rows = {index: entry for index, entry in enumerate(manifest.entries) if entry.task in (0, chosen)}
    check_limit(manifest, list(rows.values()), max_bytes)
    for page in range(len(table) // 4):
        check_page(table, payload, page)
    content = Content(manifest, table, payload, max_bytes, base)
    try:
        made = {entry.name: content.entry(index) for index, entry in rows.items()}
    except MemoryError:
        raise DecodeError("limit", "decodes to more than the memory of this machine") from None
    return Network(manifest.metadata, manifest.tasks, task, made)


class Content:
    """The content of a file: each page is checked, each mask, block, prototype and entry decoded, when first used.

    Each must be within the limit by itself (4.7). Parts of a delta are, if their sum is; parts of a base need a check.
    """

    def __init__(
        self, manifest: Manifest, table: bytes, payload: memoryview, max_bytes: int, bases: Bases | None, depth: int = 0
    ) -> None:
        self.manifest, self.payload, self.max_bytes = manifest, payload, max_bytes
        self.bases, self.depth = bases, depth
        self.base = cache(self._base)
        self.page = cache(lambda page: check_page(table, payload, page))
        self.mask, self.block = cache(self._mask), cache(self._block)
        self.prototype, self.entry = cache(self._prototype), cache(self._entry)
        self.draws = lru_cache(maxsize=1)(self._draws)  # of one seed at a time

    def _base(self) -> Content:
        """Section 6.2: the base, which is asked for when something is decoded that is coded by it."""
        check(self.depth < MOST_BASES, "limit", f"more than {MOST_BASES} bases in a chain")
        digest = self.manifest.base or ""
        if self.bases is None or isinstance(self.bases, bytes):
            found = self.bases
        else:
            found = self.bases.get(digest) if isinstance(self.bases, Mapping) else self.bases(digest)
        if found is None or hashlib.sha256(found).hexdigest() != digest:
            which = "no" if found is None else "another"
            raise BaseError(f"the base of SHA-256 {digest} is needed, {which} file is given")
        return Content(*read_file(found), self.max_bytes, self.bases, self.depth + 1)

    def _bytes(self, row: Mask | Block) -> bytes:
        end = row.offset + row.size
        for page in range(row.offset // PAGE, -(-end // PAGE) if row.size else 0):
            self.page(page)
        return bytes(self.payload[row.offset : end])

    def _check_limit(self, row: Block | Prototype | Entry, where: str) -> None:
        size = row.count * DTYPES[row.dtype][1]
        size += 4 * row.draws if isinstance(row, Prototype) else 0
        check(size <= self.max_bytes, "limit", f"{where} has {size} bytes; the limit is {self.max_bytes}")

    def _mask(self, index: int) -> npt.NDArray[np.bool_]:
        row, where = self.manifest.masks[index], f"mask {index}"
        if row.coder == FLIPS:
            return decode_flips(row, self._bytes(row), where, self.base())
        return decode_mask(row, self._bytes(row), where)

    def _block(self, index: int) -> tuple[npt.NDArray[np.uint8], list[int | None]]:
        """The content of a block, and for each user the index of what it is xored with in the base, or None."""
        row, where = self.manifest.blocks[index], f"block {index}"
        self._check_limit(row, where)
        if row.coder == XOR:
            return decode_xor(row, self._bytes(row), where, self.base())
        content = decode_block(row, self._bytes(row), where)
        check_bools(row.dtype, content, where)
        return content, [None] * len(row.users)

    def _stored(self, user: Prototype | Entry, index: int) -> Array:
        """The bytes of a user of a block, which stores all elements or those at the one bits of a mask."""
        width = DTYPES[user.dtype][1]
        bits = None if user.mask is None else self.mask(user.mask)
        size = user.count if bits is None else int(np.count_nonzero(bits))
        stored, references = self.block(index)
        values = stored[user.start * width : (user.start + size) * width]
        reference = references[user.place]
        if reference is not None and len(values):
            old = self.base().elements_of(user, reference).reshape(-1, width)
            values = values ^ (old if bits is None else old[bits]).reshape(-1)
        if self.manifest.blocks[index].coder == XOR:
            check_bools(user.dtype, values, f"block {index}")
        return values if bits is None else kept_layer(user.count, bits, values.view(f"<u{width}")).view(np.uint8)

    def _draws(self, seed: int) -> Draws:
        """Section 8.8: as many of this seed as its prototypes take."""
        return mersenne_twister(seed, max(row.draws for row in self.manifest.prototypes if row.seed == seed))

    def _prototype(self, index: int) -> Array:
        row, where = self.manifest.prototypes[index], f"prototype {index}"
        self._check_limit(row, where)
        made = generate(row, self.draws, where) if row.block is None else self._stored(row, row.block)
        return made.view(f"<u{DTYPES[row.dtype][1]}")

    def _entry(self, index: int) -> Tensor:
        entry = self.manifest.entries[index]
        where = f"entry {index} ({entry.name!a})"
        if entry.kind == ALIAS:
            return self.entry(entry.target)
        self._check_limit(entry, where)
        if entry.kind == TILED and entry.mask is not None:
            first = self.prototype(entry.prototype)
            second = self.prototype(entry.second) if entry.zero == 2 else first
            content = tiled_layer(entry, self.mask(entry.mask), first, second, where)
        elif entry.kind == BOOLS and entry.mask is not None:
            content = self.mask(entry.mask).view(np.uint8)
        else:
            content = self._stored(entry, entry.block)
        return Tensor(DTYPES[entry.dtype][0], entry.shape, content.tobytes())

    def refer(self, r: Reader, user: Prototype | Entry, index: int) -> int:
        """Section 6.2, in a base: the prototype or entry that a user of a block refers to, which must suit it."""
        rows: Sequence[Prototype | Entry] = self.manifest.entries
        if isinstance(user, Prototype):
            rows = self.manifest.prototypes
        r.check(index < len(rows), f"the base has only {len(rows)} of what is referred to, no {index}")
        row = rows[index]
        if isinstance(row, Entry) and row.kind == ALIAS:
            return self.refer(r, user, row.target)
        good = (row.dtype, row.count) == (user.dtype, user.count)
        r.check(good, f"{user.count} elements of dtype {user.dtype}, but {row.count} of {row.dtype} in the base")
        return index

    def elements_of(self, user: Prototype | Entry, index: int) -> npt.NDArray[np.uint8]:
        """Likewise, the bytes of that: the same kind of thing as its user."""
        if isinstance(user, Prototype):
            return self.prototype(index).view(np.uint8)
        return np.frombuffer(self.entry(index).data, np.uint8)


def main() -> int:
    """Print what a file holds as one JSON object."""
    parser = argparse.ArgumentParser(description="Decode a .pemn file and print what it holds, as JSON.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--task", help="the task to decode, if the file has tasks")
    parser.add_argument("--base", type=Path, action="append", default=[], help="the base of a delta; its own base, ...")
    arguments = parser.parse_args()
    try:
        bases = {hashlib.sha256(content).hexdigest(): content for content in map(Path.read_bytes, arguments.base)}
        network = decode(arguments.file.read_bytes(), arguments.task, base=bases)
    except DecodeError as error:
        print(f"{error.kind}: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        parser.error(str(error))
    tensors = {
        name: {"dtype": t.dtype, "shape": t.shape, "sha256": hashlib.sha256(t.data).hexdigest()}
        for name, t in network.tensors.items()
    }
    print(json.dumps({"metadata": network.metadata, "tasks": network.tasks, "tensors": tensors}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
