"""The valid vectors for generator 4, dialects: the numbers. Section 8.9 of the specification, with 3, 4.5 and 8.4.

Distributions 1 to 4; the fifth is in `vector_cases_unfused`. Seeds and offsets of rare draws were searched for; every
case demands that they are what it is there for. Patches, which are steps, and what is made of such prototypes:
`vector_cases_steps`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from writer.coders import RAW, SIZES, Bits, D, bits, frame, zstd_block
from writer.writer import Block, File, Values, kept, mask, tensor, tiled

Array = NDArray[Any]


@dataclass
class Expected:
    """One tensor that a decoder must return."""

    name: str
    dtype: D
    shape: Sequence[int]
    data: bytes


@dataclass
class Valid:
    """A file and its networks by task; the task of a file without tasks is the empty string.

    Of a delta `base` is the name of its base: a valid vector, or `../invalid/` and an invalid one.
    """

    file: File
    networks: dict[str, list[Expected]]
    base: str | None = None


Make = Callable[[], Valid]
VALID: dict[str, tuple[str, Make]] = {}  # what is unusual about each valid vector, and what makes it


def case(name: str, about: str) -> Callable[[Make], None]:
    """Return what registers the maker of a valid vector."""

    def register(make: Make) -> None:
        if name in VALID:
            raise ValueError(f"two valid vectors have the name {name}")
        VALID[name] = about, make

    return register


def valid(make: Make) -> Make:
    """Register a function as the vector of its name; its docstring is what is unusual about it."""
    case(make.__name__, make.__doc__ or "")(make)
    return make


def expect(name: str, dtype: D, shape: Sequence[int], data: bytes | Array) -> Expected:
    """An expected tensor; arrays are those of the little-endian elements."""
    return Expected(name, dtype, shape, data if isinstance(data, bytes) else data.tobytes())


def one(file: File, *networks: Expected) -> Valid:
    """A file without tasks."""
    return Valid(file, {"": list(networks)})


def keep(choice: Bits | str, values: Array) -> Array:
    """A kept layer: the values at the ones of the choice, zeros elsewhere."""
    choice = bits(choice) if isinstance(choice, str) else choice
    out = np.zeros(len(choice), dtype=values.dtype)
    out[choice] = values
    return out


def counting(count: int, start: int = 1) -> Array:
    """The bytes start, start + 1, ..."""
    return np.arange(start, start + count).astype("<u1")


def blobs(*blocks: tuple[D, int, bytes, bytes]) -> Valid:
    """A file of one tensor for each block: dtype, coder, payload, expected elements."""
    file = File()
    expected = []
    for i, (dtype, coder, payload, data) in enumerate(blocks):
        shape = (len(data) // SIZES[dtype],)
        file.blocks.append(Block(dtype, coder, payload))
        file.entries.append(tensor(f"t{i}", shape, i))
        expected.append(expect(f"t{i}", dtype, shape, data))
    return one(file, *expected)


def run_frame(plain: bytes, **options: Any) -> bytes:
    """A frame of a raw block, an RLE block for the 500 letters and another raw block."""
    head, tail = plain.split(b"a" * 500)
    blocks = zstd_block(0, len(head), head, False) + zstd_block(1, 500, b"a", False)
    return frame(plain, **{"blocks": blocks + zstd_block(0, len(tail), tail), **options})


def mask_file(coder: int, *patterns: str) -> Valid:
    """A kept layer for every pattern, its mask by the coder."""
    file = File()
    expected = []
    start = 1
    for i, pattern in enumerate(patterns):
        values = counting(pattern.count("1"), start)
        start += len(values)
        file.masks.append(mask(pattern, coder))
        file.entries.append(kept(f"k{i}", (len(pattern),), i))
        expected.append(expect(f"k{i}", D.UINT8, (len(pattern),), keep(pattern, values)))
    file.blocks.append(Block(D.UINT8, RAW, counting(start - 1).tobytes()))
    return one(file, *expected)


PATTERNS = ("1011001110001011011", "0" * 9, "1" * 16, "", "1" * 3)


def gaps_file(coder: int, *patterns: Bits) -> Valid:
    """Layers of one prototype element, which show their masks."""
    file = File(blocks=[Block(D.INT8, RAW, b"\x05")], prototypes=[Values(1, 0)])
    file.masks = [mask(pattern, coder) for pattern in patterns]
    file.entries = [tiled(f"w{i}", (len(pattern),), i) for i, pattern in enumerate(patterns)]
    return one(
        file, *(expect(f"w{i}", D.INT8, (len(p),), np.where(p, 5, 0).astype("<i1")) for i, p in enumerate(patterns))
    )


def gap_patterns() -> list[Bits]:
    """Gaps around 255 with a long tail; and the most gap bytes there can be, 1 + floor(256 / 255)."""
    gaps = (254, 255, 256, 510, 0, 1, 509, 511)
    long = np.zeros(sum(gaps) + len(gaps) + 300, dtype=np.bool_)
    long[list(itertools.accumulate(gaps, lambda before, gap: before + gap + 1, initial=-1))[1:]] = True
    return [long, np.arange(256) == 255]


MAGIC_CLASS, VERSION, TRUNCATED, TRAILING = "magic", "version", "truncated", "trailing"
CHECKSUM, MANIFEST, PAYLOAD, LIMIT = "checksum", "manifest", "payload", "limit"
BAD_SCALES = {"zero": 0, "minus_zero": 1 << 31, "negative": 0xBF800000, "nan": 0x7FC00000, "infinity": 0x7F800000}


@dataclass
class Row:
    """One invalid vector; `max_bytes` and `task` are what the decoder is to be called with.

    So is `base`, the path of a vector from the folder of the invalid ones.
    """

    name: str
    error: str
    reason: str
    content: File | bytes
    max_bytes: int | None = None
    task: str | None = None
    base: str | None = None

    def bytes(self) -> bytes:
        """Return the bytes of the file."""
        return self.content if isinstance(self.content, bytes) else self.content.build()


Edit = Callable[[File], None]


def put(table: str, index: int, **fields: Any) -> Edit:
    """Change fields of one row of a table."""

    def edit(file: File) -> None:
        row = getattr(file, table)[index]
        for key, value in fields.items():
            if not hasattr(row, key):
                raise AttributeError(key)
            setattr(row, key, value)

    return edit


def add(table: str, *rows: object) -> Edit:
    """Append rows to a table."""
    return lambda file: getattr(file, table).extend(rows)


def replace(table: str, *rows: object) -> Edit:
    """Replace all rows of a table."""
    return lambda file: setattr(file, table, list(rows))


def whole(**fields: Any) -> Edit:
    """Change attributes of the file: header, counts, store, edit_manifest."""

    def edit(file: File) -> None:
        for key, value in fields.items():
            setattr(file, key, value)

    return edit


def of(base: str, *edits: Edit) -> File:
    """The file of a valid vector, edited."""
    file = VALID[base][1]().file
    for edit in edits:
        edit(file)
    return file


def built(base: str, edit: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a valid vector, edited."""
    return edit(of(base).build())


def flip(position: int) -> Callable[[bytes], bytes]:
    """Damage one byte; no checksum is made to agree."""

    def edit(content: bytes) -> bytes:
        out = bytearray(content)
        out[position] ^= 0x10
        return bytes(out)

    return edit


def header(base: str, **fields: int) -> File:
    """The file of a valid vector with other fields in its header."""
    return of(base, whole(header=fields))


MINOR_1 = {"minor": 1}


def since_1(case: Valid) -> Valid:
    """The case as a file of version 1.1."""
    case.file.header = MINOR_1
    return case


def demand(condition: object, what: str) -> None:
    """Raise unless a vector shows what it is there for."""
    if not condition:
        raise AssertionError(what)


MINOR_2 = {"minor": 2}


def since_2(case: Valid) -> Valid:
    """The case as a file of version 1.2."""
    case.file.header = MINOR_2
    return case


MINOR_3 = {"minor": 3}


def since_3(case: Valid) -> Valid:
    """The case as a file of version 1.3, of whatever version it was."""
    case.file.header = MINOR_3
    return case


MINOR_4 = {"minor": 4}


def since_4(case: Valid) -> Valid:
    """The case as a file of version 1.4."""
    case.file.header = MINOR_4
    return case


MINOR_5 = {"minor": 5}


def since_5(case: Valid) -> Valid:
    """The case as a file of version 1.5."""
    case.file.header = MINOR_5
    return case
