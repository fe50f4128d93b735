"""Small files that say they are large, or that cost much: one of each kind that `docs/limits.md` bounds.

Each decodes to much of a kind that a limit has to see: elements, tensors, names, draws, positions, aliases, tables.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import zstandard

from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.container import frames
from pemncodec.container.cursor import varint
from pemncodec.container.manifest.patches import Patches
from pemncodec.container.manifest.philox_rows import PhiloxRow
from pemncodec.container.manifest.pytorch_rows import PytorchRow
from pemncodec.container.manifest.rows import (
    BASE_KEY,
    AliasRow,
    BlockRow,
    EntryRow,
    KeptRow,
    Manifest,
    MaskRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)
from pemncodec.container.manifest.tables import write_manifest

F8, U8 = BY_NAME["float8_e5m2"], BY_NAME["uint8"]
Make = Callable[[], bytes]
BOMBS: dict[str, Make] = {}
BASES: dict[str, list[str]] = {}


def bomb(make: Make) -> Make:
    """Register a file."""
    BOMBS[make.__name__] = make
    return make


def built(manifest: Manifest, payloads: Sequence[bytes] = ()) -> bytes:
    """A file of these tables, checked by nothing, and of these payloads: masks, then blocks."""
    sizes = iter(map(len, payloads))
    masks = tuple(replace(row, size=next(sizes, 0)) for row in manifest.masks)
    blocks = tuple(replace(row, size=next(sizes, 0)) for row in manifest.blocks)
    return sealed(write_manifest(replace(manifest, masks=masks, blocks=blocks)), b"".join(payloads), manifest.minor)


def sealed(data: bytes, payload: bytes = b"", minor: int = 5) -> bytes:
    """A file around a manifest, whatever it says."""
    compressed = zstandard.ZstdCompressor(level=19, write_checksum=False).compress(data)
    stored = compressed if len(compressed) < len(data) else data
    pages = [zlib.crc32(payload[start : start + 65536]) for start in range(0, len(payload), 65536)]
    front = stored + struct.pack(f"<{len(pages)}I", *pages)
    head = struct.pack(
        "<8sBBHIIQI", b"\x89PEMN\r\n\x1a", 1, minor, 0, len(stored), len(data), len(payload), zlib.crc32(front)
    )
    return head + struct.pack("<I", zlib.crc32(head)) + front + payload


def constant(count: int, one: bool = True) -> MaskRow:
    """A mask without a payload."""
    return MaskRow(0, count, count if one else 0, 0)


def palette(size: int = 4) -> bytes:
    """A block of one value, however many elements it has."""
    return b"\0\0" + bytes([1] * size)


def column(count: int, value: int = 0) -> bytes:
    """So many single bytes."""
    return bytes([value]) * count


EMPTY = b"\0\0\0\0\0"  # metadata, tasks, masks, blocks, prototypes: none


# --- the tables ---------------------------------------------------------------------------------------------


@bomb
def table_of_dims() -> bytes:
    """2^18 tensors of 32 dimensions each."""
    rows = 1 << 18
    names = column(rows, 0) + column(rows, 5) + b"".join(b"%05x" % n for n in range(rows))
    head = b"\0\0\0" + b"\1" + bytes([12, 3, 6]) + b"\0" + varint(rows)
    return sealed(head + names + column(rows, 0) + column(rows, 32) + column(32 * rows, 1) + column(rows), palette())


@bomb
def table_of_names() -> bytes:
    """32,767 names of 1,024 bytes, which share all but three; of characters that take four bytes each."""
    rows = 32_000
    emoji = "😀".encode() * 255
    shared = varint(0) + varint(1020) * (rows - 1)
    suffixes = [b"%04d" % (n % 10_000) for n in range(rows)]
    lengths = varint(1024) + column(rows - 1, 4)
    names = shared + lengths + emoji + b"".join(suffixes)
    rest = column(rows, 0) + column(rows, 0) + column(rows, 0)
    head = b"\0\0\0" + b"\1" + bytes([12, 3, 6]) + b"\0" + varint(rows)
    return sealed(head + names + rest, palette())


@bomb
def table_of_metadata() -> bytes:
    """Two million pairs of metadata."""
    pairs = b"".join(b"\3" + n.to_bytes(3, "big") + b"\0" for n in range(0x202020, 0x202020 + 2_000_000) if _ascii(n))
    return sealed(varint(pairs.count(b"\0")) + pairs + EMPTY[1:] + b"\0")


def _ascii(number: int) -> bool:
    return all(0 < byte < 128 for byte in number.to_bytes(3, "big"))


@bomb
def table_of_one_value() -> bytes:
    """Metadata of 16 MB, of control characters and one that takes four bytes."""
    value = "\x9b".encode() * (7 << 20) + "😀".encode()
    return sealed(b"\1\1k" + varint(len(value)) + value + EMPTY[1:] + b"\0")


@bomb
def table_of_masks() -> bytes:
    """2^18 masks, each used by a layer of its own."""
    rows = 1 << 18
    names = column(rows, 0) + column(rows, 5) + b"".join(b"%05x" % n for n in range(rows))
    masks = varint(rows) + column(rows) + varint(300) * rows + varint(300) * rows + column(rows)
    head = b"\0\0" + masks + b"\1" + bytes([12, 3, 6]) + b"\0" + varint(rows)
    rest = column(rows, 1) + column(rows, 1) + varint(300) * rows + column(rows) + column(rows)
    return sealed(head + names + rest, palette())


@bomb
def table_of_prototypes() -> bytes:
    """2^18 seeds of one element."""
    rows = 1 << 18
    row = b"\1\1" + bytes([1, 1]) + bytes(16) + struct.pack("<f", 1) + b"\0" + bytes(4)
    return sealed(b"\0\0\0\0" + varint(rows) + row * rows + b"\0")


@bomb
def table_of_patches() -> bytes:
    """Eight million steps of one prototype."""
    count = 8_000_000
    row = b"\1" + varint(1 << 30) + bytes([4, 3]) + bytes(4) + b"\0" + struct.pack("<f", 1)
    return sealed(b"\0\0\0\0\1" + row + varint(count) + column(count, 0) + column(count, 1) + bytes(4) + b"\0")


@bomb
def table_of_tasks() -> bytes:
    """65,535 tasks of one tensor each, and a thousand that all have; of an original layout that has a part a task."""
    tasks = tuple(f"{n:05d}" for n in range(65_535))
    rows = [TensorRow(f"c{n}", 0, (), 0) for n in range(1000)] + [TensorRow("t", n + 1, (), 0) for n in range(65_535)]
    metadata = {"pemn.layout": "supsup", "pemn.original": "{}"}
    return built(Manifest(metadata, tasks, blocks=(BlockRow(FLOAT32, 3, 0),), entries=tuple(rows)), [palette()])


# --- many of what is nearly nothing ---------------------------------------------------------------------------


@bomb
def empty_tensors() -> bytes:
    """A hundred thousand tensors of no elements."""
    rows = tuple(TensorRow(f"t{n}", 0, (0, 1 << 40), 0) for n in range(100_000))
    return built(Manifest(blocks=(BlockRow(FLOAT32, 3, 0),), entries=rows), [palette()])


@bomb
def empty_rows() -> bytes:
    """2^44 rows of no columns."""
    row = KeptRow("w", 0, (1 << 44, 0), 0, 0)
    return built(Manifest(masks=(constant(0),), blocks=(BlockRow(FLOAT32, 3, 0),), entries=(row,)), [b"", palette()])


@bomb
def many_prototypes() -> bytes:
    """Thirty thousand prototypes of one seed of PyTorch, from draw 79,000 on."""
    row = PytorchRow(3, 1, 1, 5, 79_000, 0x3F800000, 0, Patches(), 0)
    from pemncodec.coding.prototypes import generator_of

    row = replace(row, digest=generator_of(row).digest())
    rows = 30_000
    layers = tuple(TiledRow(f"w{n}", 0, (1,), 0, n, 0, 0, None, None, 0) for n in range(rows))
    return built(Manifest(masks=(constant(1),), prototypes=(row,) * rows, entries=layers))


@bomb
def many_seeds() -> bytes:
    """Seeds of PyTorch that take turns, with prototypes of several offsets."""
    rows = []
    for turn in range(4):
        rows += [PytorchRow(3, 16, 2, seed, 997 * turn, 0x3F800000, 0, Patches(), 0) for seed in range(4096)]
    layers = tuple(TiledRow(f"w{n}", 0, (16,), 0, n, 0, 0, None, None, 0) for n in range(len(rows)))
    from pemncodec.coding.prototypes import generator_of

    rows = [replace(row, digest=generator_of(row).digest()) for row in rows]
    return built(Manifest(masks=(constant(16),), prototypes=tuple(rows), entries=layers))


# --- what a result takes ---------------------------------------------------------------------------------------


@bomb
def sparse() -> bytes:
    """Four million elements, all kept, of 32 dimensions."""
    row = KeptRow("w", 0, (1 << 22, *(1,) * 31), 0, 0)
    return built(Manifest(masks=(constant(1 << 22),), blocks=(BlockRow(U8, 3, 0),), entries=(row,)), [b"", palette(1)])


@bomb
def aliases() -> bytes:
    """A thousand names of one tensor of a megabyte."""
    rows: list[EntryRow] = [TensorRow("t", 0, (1 << 20,), 0)]
    rows += [AliasRow(f"a{n}", 0, 0) for n in range(1000)]
    return built(Manifest(blocks=(BlockRow(U8, 3, 0),), entries=tuple(rows)), [palette(1)])


@bomb
def scores() -> bytes:
    """Sixty megabytes of bytes under a mask, whose scores are floats."""
    row = KeptRow("w", 0, (60 << 20,), 0, 0)
    metadata = {"pemn.layout": "edge-popup", "pemn.original": "{}"}
    tables = Manifest(metadata, masks=(constant(60 << 20),), blocks=(BlockRow(F8, 3, 0),), entries=(row,))
    return built(tables, [b"", palette(1)])


# --- what a coder takes ------------------------------------------------------------------------------------------


def _gap_layer(count: int, coder: int, payload: bytes) -> bytes:
    row = KeptRow("w", 0, (count,), 0, 0)
    mask = MaskRow(coder, count, count if coder in (3, 6) else 0, 0)
    return built(Manifest(masks=(mask,), blocks=(BlockRow(U8, 3, 0),), entries=(row,)), [payload, palette(1)])


@bomb
def gaps() -> bytes:
    """Positions of sixty million ones, by coder 3."""
    return _gap_layer(60 << 20, 3, frames.compress(bytes(60 << 20), 0))


@bomb
def gaps_of_zeros() -> bytes:
    """Positions of sixty million zeros, by coder 4."""
    return _gap_layer(60 << 20, 4, frames.compress(bytes(60 << 20), 0))


def _block(name: str, coder: int, dtype: str, count: int, payload: bytes) -> None:
    def make() -> bytes:
        kind = BY_NAME[dtype]
        row = TensorRow("t", 0, (count // kind.itemsize,), 0)
        return built(Manifest(blocks=(BlockRow(kind, coder, 0),), entries=(row,)), [payload])

    make.__doc__ = f"{count >> 20} MB of {dtype} by coder {coder}."
    BOMBS[name] = make


_block("planes", 2, "float32", 60 << 20, b"\2\1" * 4)
_block("rotated_planes", 4, "float16", 60 << 20, b"\2\1" * 2)
_block("rotated_complex", 4, "complex128", 60 << 20, b"\2\1" * 16)
_block("grouped_planes", 5, "bfloat16", 60 << 20, b"\1\1\1\1")
_block("palette", 3, "float64", 60 << 20, palette(8))


@bomb
def arranged() -> bytes:
    """Fifteen million elements of a seed, permuted."""
    row = PhiloxRow(15 << 20, 1, 1, 1, 0x3F800000, Patches(), 0, (15 << 20) - 1, 0)
    layer = TiledRow("w", 0, (1,), 0, 0, 0, 0, None, None, 0)
    return built(Manifest(masks=(constant(1),), prototypes=(row,), entries=(layer,)))


# --- what is needed again and again ---------------------------------------------------------------------------------


@bomb
def blocks_of_other_tasks() -> bytes:
    """A thousand blocks of fifty megabytes; one element of each belongs to the first task."""
    rows: list[EntryRow] = [TensorRow(f"t{n}", 1, (1,), n) for n in range(1000)]
    rows += [TensorRow(f"t{n}", 2, (50 << 20,), n) for n in range(1000)]
    blocks = (BlockRow(U8, 3, 0),) * 1000
    return built(Manifest(tasks=("a", "b"), blocks=blocks, entries=tuple(rows)), [palette(1)] * 1000)


@bomb
def scaled_again() -> bytes:
    """Twenty thousand layers of one element, by a prototype of ten million elements, each with a scale of its own."""
    layers = tuple(TiledRow(f"w{n}", 0, (1,), 0, 0, 10_000_000 - 1, 0, 0x3F800000 + n, None, 0) for n in range(20_000))
    tables = Manifest(
        masks=(constant(1),),
        blocks=(BlockRow(FLOAT32, 3, 0),),
        prototypes=(ValuesRow(10_000_000, 0, None),),
        entries=layers,
    )
    return built(tables, [b"", palette()])


def _delta(base: bytes, manifest: Manifest, payloads: Sequence[bytes]) -> bytes:
    return built(replace(manifest, metadata={BASE_KEY: hashlib.sha256(base).hexdigest()}), payloads)


def _chain(depth: int, count: int) -> list[bytes]:
    """Deltas upon each other, each a tensor."""
    block = BlockRow(U8, 3, 0)
    files = [built(Manifest(blocks=(block,), entries=(TensorRow("t", 0, (count,), 0),)), [palette(1)])]
    xor = BlockRow(U8, 6, 0)
    rows = (TensorRow("t", 0, (count,), 0), TensorRow("u", 0, (1,), 0))
    for _ in range(depth):
        files.append(_delta(files[-1], Manifest(blocks=(xor,), entries=rows), [b"\1\0\3" + palette(1)]))
    return files


@bomb
def chain() -> bytes:
    """Thirty deltas upon each other, of fifty megabytes."""
    return _chain(30, 50 << 20)[-1]


@bomb
def prototypes_of_a_base() -> bytes:
    """Ten thousand tensors of one element refer to layers of one element, each by a prototype of fifty megabytes."""
    return _base_of_prototypes()[1]


def _base_of_prototypes() -> list[bytes]:
    count, length = 10_000, 50 << 20
    prototypes = tuple(ValuesRow(length, n, None) for n in range(count))
    layers = tuple(TiledRow(f"w{n}", 0, (1,), 0, n, 0, 0, None, None, 0) for n in range(count))
    blocks = (BlockRow(F8, 3, 0),) * count
    tables = Manifest(masks=(constant(1),), blocks=blocks, prototypes=prototypes, entries=layers)
    base = built(tables, [b""] + [palette(1)] * count)
    rows = tuple(TensorRow(f"t{n}", 0, (1,), 0) for n in range(count))
    references = b"".join(varint(n + 1) for n in range(count))
    return [
        base,
        _delta(base, Manifest(blocks=(BlockRow(F8, 6, 0),), entries=rows), [references + b"\0" + bytes(count)]),
    ]


def write(folder: Path, names: Iterable[str] = ()) -> list[Path]:
    """Write the files, and the bases of those that are deltas into folders of their names."""
    paths = []
    for name in names or BOMBS:
        path = folder / f"{name}.pemn"
        path.write_bytes(BOMBS[name]())
        paths.append(path)
        bases = {"chain": lambda: _chain(30, 50 << 20)[:-1], "prototypes_of_a_base": lambda: _base_of_prototypes()[:1]}
        if name in bases:
            (folder / name).mkdir(exist_ok=True)
            for number, data in enumerate(bases[name]()):
                (folder / name / f"{number}.pemn").write_bytes(data)
    return paths
