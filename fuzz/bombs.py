"""Target `bombs`: small files that ask for much: many aliases, dimensions, tasks, seeds, names, and masks of few bytes.

Each is read in every way with `max_bytes` of 1 MiB; the harness measures CPU time and memory, and here what is written.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from random import Random

import decoder as second
import torch
from writer.coders import D, u, zstd
from writer.rans import gaps_payload
from writer.writer import Block, Drawn, File, Generator, Mask, Values, alias, assemble, kept, tensor, tiled

import pemncodec
from pemncodec.errors import PemnError

from . import containers, generators
from .harness import ACCEPTED, Target, Wrong, reset_peak
from .sandbox import pemn, pemn_unheard, refused, sandbox

MAX_BYTES = 1 << 20
# What an output may have: so many times the limit, and what is written of an entry besides its values.
DISK, PER_ENTRY = 4 * MAX_BYTES, 4096


def _file(**parts: object) -> File:
    return File(**parts, header={"minor": second.MINOR}, store=stored)  # type: ignore[arg-type]


def stored(manifest: bytes) -> bytes:
    """The manifest in a frame if that is smaller, as a reader expects it."""
    return min(zstd(manifest), manifest, key=len)


def constant(kind: D, value: bytes) -> Block:
    """A block of one value, however many elements it has."""
    return Block(kind, 3, b"\0\0" + value)


def aliases(count: int, elements: int) -> bytes:
    """One tensor under many names."""
    rows = [tensor("t", [elements]), *(alias(f"a{number:05}", 0) for number in range(count))]
    return _file(blocks=[constant(D.UINT8, b"\1")], entries=rows).build()


def dimensions(elements: int, ndim: int) -> bytes:
    """A layer of many dimensions, each of its weights kept: indices of a sparse tensor take 8 bytes a dimension."""
    mask = Mask(0, elements, elements)
    rows = [kept("w", [1] * (ndim - 1) + [elements], 0)]
    return _file(masks=[mask], blocks=[constant(D.UINT8, b"\1")], entries=rows).build()


def tensors(count: int, ndim: int) -> bytes:
    """Many names and shapes."""
    rows = [tensor(f"{number:x}" + "x" * 40, [1] * (ndim - 1) + [0]) for number in range(count)]
    return _file(blocks=[constant(D.UINT8, b"\1")], entries=rows).build()


def chained(letters: int, ndim: int) -> bytes:
    """Names that each go on from the one before for a letter, 1,023 to a letter, and many dimensions: bytes repeat."""
    lengths = range(1023)
    count = letters * len(lengths)
    shared = b"".join(map(u, lengths)) * letters
    suffixes = b"".join(bytes([33 + letter]) * len(lengths) for letter in range(letters))
    dims = u(count) + shared + b"\1" * count + suffixes + bytes(count) + bytes([ndim]) * count
    rows = dims + (b"\1" * (ndim - 1) + b"\0") * count + bytes(count)
    # no metadata, tasks, masks; a block of bytes, a palette of one; no prototypes
    manifest = b"\0\0\0" + b"\1\2\3\3" + b"\0" + rows
    frame = stored(manifest)
    numbers = {"major": 1, "minor": 0, "flags": 0, "manifest_size": len(frame), "manifest_length": len(manifest)}
    payload = b"\0\0\1"
    page = zlib.crc32(payload).to_bytes(4, "little")
    return assemble(numbers | {"payload_size": len(payload)}, frame + page, payload)


def tasks(count: int, names: int) -> bytes:
    """Many tasks."""
    file = _file(blocks=[constant(D.UINT8, b"\1")], entries=[tensor(f"t{n}", [1]) for n in range(names)])
    file.tasks = [f"{number}" for number in range(count)]
    return file.build()


def seeds(count: int, offset: int) -> bytes:
    """Many seeds of PyTorch's generator, each with draws of its own."""
    rows = [Drawn(1, 1, number, offset, 0x3F800000, 0) for number in range(count)]
    for row in rows:
        row.digest = generators.digest_of(row)
    entries = [tiled(f"w{number}", [1], 0 if number == 0 else b"\1", number) for number in range(count)]
    return _file(masks=[Mask(0, 1, 1)], prototypes=rows, entries=entries).build()


def gaps(length: int, coder: int) -> bytes:
    """A mask of ones, or of zeros, as gaps of 0: one byte a position, compressed to nearly nothing."""
    of_ones = coder in (3, 6)
    payload = zstd(bytes(length)) if coder < 5 else gaps_payload([0] * length, 0, 255, -(-length // 8192))
    rows = [tiled("w", [length], 0)]
    mask = Mask(coder, length, length if of_ones else 0, payload)
    return _file(masks=[mask], blocks=[Block(D.UINT8, 0, b"\1")], prototypes=[Values(1, 0)], entries=rows).build()


def metadata(count: int, size: int) -> bytes:
    """Many keys, or long values."""
    file = _file()
    file.metadata = [(f"k{number:06}", "v" * size) for number in range(count)]
    return file.build()


def prototypes(count: int, length: int) -> bytes:
    """Many layers of few elements, each of a long prototype."""
    rows = [Generator(length, 1, number, 0, 0x3F800000) for number in range(count)]
    for row in rows:
        row.digest = generators.digest_of(row) if length <= 4096 else 0
    entries = [tiled(f"w{number}", [1], 0 if number == 0 else b"\1", number) for number in range(count)]
    return _file(masks=[Mask(0, 1, 1)], prototypes=rows, entries=entries).build()


def shared(count: int, length: int) -> bytes:
    """Many layers under one mask in one block."""
    rows = [kept(f"w{number}", [length], 0 if number == 0 else b"\1") for number in range(count)]
    return _file(masks=[Mask(0, length, 0)], blocks=[constant(D.FLOAT32, bytes(4))], entries=rows).build()


def make(rng: Random) -> bytes:
    """One of these, of some size."""

    def some(most: int) -> int:
        return max(1, rng.choice([most, most // 2, rng.randrange(1, most + 1)]))

    kinds: list[Callable[[], bytes]] = [
        lambda: aliases(some(100), some(MAX_BYTES)),
        lambda: dimensions(some(MAX_BYTES), some(32)),
        lambda: tensors(some(3000), some(32)),
        lambda: chained(some(8), some(32)),
        lambda: tasks(some(5000), some(20)),
        lambda: seeds(some(60), rng.choice([0, 1 << 10, 1 << 16, 1 << 19])),
        lambda: gaps(some(MAX_BYTES), rng.choice([3, 4])),
        lambda: gaps(some(1 << 12), rng.choice([6, 7])),
        lambda: metadata(some(3000), some(100)),
        lambda: metadata(1, some(1 << 20)),
        lambda: prototypes(some(200), some(4096)),
        lambda: shared(some(1000), some(1 << 14)),
    ]
    return rng.choice(kinds)()


def check(data: bytes) -> str:
    """Every way to read, each for itself."""
    outcome = ACCEPTED
    chosen, entries = first_task(data)
    with sandbox(in__pemn=data) as folder:
        source = folder / "in.pemn"
        limit = ("--max-bytes", str(MAX_BYTES))
        of_task = ["--task", chosen] if chosen else []
        calls: list[Callable[[], object]] = [
            lambda: pemncodec.load(data, task=chosen, max_bytes=MAX_BYTES, threads=1),
            lambda: pemncodec.load(data, task=chosen, layout="coo", max_bytes=MAX_BYTES, threads=1),
            lambda: pemncodec.load(data, task=chosen, layout="csr", max_bytes=MAX_BYTES, threads=1),
            lambda: pemncodec.load(data, task=chosen, layout="masked", max_bytes=MAX_BYTES, threads=1),
            lambda: pemncodec.load_network(data, max_bytes=MAX_BYTES),
            lambda: pemn("verify", source, *limit),
            lambda: pemn_unheard("inspect", source),
            lambda: pemn_unheard("inspect", "--json", source),
            lambda: pemn("unpack", source, folder / "out.pt", *limit, *of_task),
            lambda: pemn("unpack", source, folder / "out.safetensors", *limit, *of_task),
        ]
        for call in calls:
            try:
                call()
            except PemnError as reason:
                outcome = refused(reason) if outcome == ACCEPTED else outcome
        for name in ("out.pt", "out.safetensors"):
            path = folder / name
            size = path.stat().st_size if path.exists() else 0
            if size > DISK + PER_ENTRY * entries:
                raise Wrong(f"disk-{name}", f"{len(data)} bytes wrote {size} to {name}, with max_bytes {MAX_BYTES}")
    return outcome


def first_task(data: bytes) -> tuple[str | None, int]:
    """The first task of a file, or None, and its number of entries."""
    try:
        with pemncodec.open(data) as file:
            task = file.tasks[0] if file.tasks else None
        with pemncodec.open(data, task=task) as file:
            return task, len(file)
    except PemnError:
        return None, 0


def prepare() -> None:
    """Call everything once: what functions import when they are first called is not what a case adds."""
    with contextlib.suppress(PemnError):
        check(pemncodec.save({"l.weight": torch.eye(8), "l.bias": torch.ones(8)}))
    reset_peak()


TARGET = Target(
    "bombs", ".pemn", make, containers.mutate, check, "small files that ask for much: memory, disk, time", prepare
)
