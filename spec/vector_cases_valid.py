"""The valid vectors for sections 1 to 6 of the specification: file, manifest, masks and blocks.

Every case is a function that returns a file and what it holds. The content is stated by hand or made from
plain arrays, never read from the file. To add a vector, add a function with `@valid`.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vector_coders import (
    CONSTANT,
    GAPS_OF_ONES,
    GAPS_OF_ZEROS,
    RAW,
    RAW_MASK,
    SIZES,
    ZSTD_MASK,
    Bits,
    D,
    bits,
    frame,
    zstd,
    zstd_block,
)
from vector_writer import Block, File, Values, kept, mask, tensor, tiled

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


VALID: dict[str, Callable[[], Valid]] = {}


def valid(make: Callable[[], Valid]) -> Callable[[], Valid]:
    """Register a function as the vector of its name; its docstring is what is unusual about it."""
    VALID[make.__name__] = make
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


# --- sections 2 to 4.6: file, metadata, names ---------------------------------------------------------------


@valid
def empty_network() -> Valid:
    """No entries and no payload: the smallest file."""
    return one(File())


@valid
def one_tensor() -> Valid:
    """One tensor, stored raw, and nothing unusual."""
    data = np.array([1.5, -2.0, 3.25], dtype="<f4")
    file = File([("pemn.layout", "plain")], blocks=[Block(D.FLOAT32, RAW, data.tobytes())])
    file.entries.append(tensor("bias", (3,)))
    return one(file, expect("bias", D.FLOAT32, (3,), data))


@valid
def metadata_unicode() -> Valid:
    """Metadata keys whose order as bytes is not that as UTF-16; an unknown pemn. key; odd values."""
    pairs = [
        ("Z", ""),
        ("a", "line\nbreak and \0"),
        ("a\0", "key with a NUL"),
        ("pemn.unknown", "returned as it is"),
    ]
    return one(File([*pairs, ("ключ", "значение 值"), ("\ufffd", "EF BF BD"), ("\U0001f511", "F0 9F 94 91")]))


def long_metadata(**options: Any) -> Valid:
    """A file of nothing but a long value, whose manifest is worth compressing."""
    return one(File([("about", "a" * 500 + " network of no tensors")], **options))


@valid
def manifest_plain() -> Valid:
    """A manifest that would be smaller compressed, stored plain."""
    return long_metadata()


@valid
def manifest_zstd() -> Valid:
    """A manifest compressed by the zstd library at level 19."""
    return long_metadata(store=lambda plain: zstd(plain, 19))


@valid
def manifest_zstd_checksum() -> Valid:
    """A manifest frame of level 1 with a content checksum."""
    return long_metadata(store=lambda plain: zstd(plain, 1, checksum=True))


def run_frame(plain: bytes, **options: Any) -> bytes:
    """A frame of a raw block, an RLE block for the 500 letters and another raw block."""
    head, tail = plain.split(b"a" * 500)
    blocks = zstd_block(0, len(head), head, False) + zstd_block(1, 500, b"a", False)
    return frame(plain, **{"blocks": blocks + zstd_block(0, len(tail), tail), **options})


@valid
def manifest_zstd_rle() -> Valid:
    """A manifest frame made by hand of raw and RLE blocks."""
    return long_metadata(store=run_frame)


@valid
def names_unicode() -> Valid:
    """Names whose front coding splits a character; composed and decomposed letters are different names."""
    names = ["ü", "ý", "\u6f22", "\u6f23", "\U0001f600", "\U0001f601", "\u00e9", "e\u0301", " ", "\t\ufeff"]
    file = File(blocks=[Block(D.INT8, RAW, bytes(range(10)))], entries=[tensor(name, ()) for name in names])
    return one(file, *(expect(name, D.INT8, (), bytes([i])) for i, name in enumerate(names)))


@valid
def names_front_coding() -> Valid:
    """Front coding that shares less than it could; a name that begins the one before; 1,024 bytes."""
    names = ["layer.10.weight", "layer.10.bias", "layer.1", "layer", "é" * 512, "é" * 511 + "xy", "a"]
    file = File(blocks=[Block(D.UINT8, RAW, bytes(range(7)))], entries=[tensor(name, ()) for name in names])
    file.entries[1].shared = 0
    file.entries[2].shared = 3
    return one(file, *(expect(name, D.UINT8, (), bytes([i])) for i, name in enumerate(names)))


@valid
def shapes() -> Valid:
    """0-d and empty tensors; dims that are huge beside a 0; 32 dims."""
    dims: list[tuple[int, ...]] = [
        (),
        (0,),
        (3, 0, 2),
        (2**48, 0),
        (2**24, 0, 2**24),
        (1,) * 31 + (2,),
        (1, 1),
    ]
    file = File(blocks=[Block(D.INT16, RAW, bytes(range(8)))])
    file.entries = [tensor(f"t{i}", shape) for i, shape in enumerate(dims)]
    data = [bytes([0, 1]), b"", b"", b"", b"", bytes([2, 3, 4, 5]), bytes([6, 7])]
    return one(file, *(expect(f"t{i}", D.INT16, dims[i], data[i]) for i in range(len(dims))))


@valid
def every_dtype() -> Valid:
    """Three elements of every dtype of section 4.8, each dtype in a raw block of its own."""
    data = {dtype: bytes((17 * int(dtype) + i) % 256 for i in range(3 * size)) for dtype, size in SIZES.items()}
    data[D.BOOL] = bytes([1, 0, 1])
    return blobs(*((dtype, RAW, content, content) for dtype, content in data.items()))


@valid
def special_floats() -> Valid:
    """NaNs quiet and signalling with payloads, infinities, -0.0 and subnormals."""
    half = np.array([0x7E01, 0xFD55, 0x7C00, 0xFC00, 0x8000, 0x0001, 0x03FF], dtype="<u2").tobytes()
    brain = np.array([0x7FC1, 0xFF81, 0x7F80, 0xFF80, 0x8000, 0x0001, 0x007F], dtype="<u2").tobytes()
    single = np.array([0x7FC00001, 0xFFA5A5A5, 0x7F800001, 0xFF800000, 1 << 31, 1], dtype="<u4").tobytes()
    double = np.array([0x7FF0000000000001, 0xFFF8DEADBEEF0001, 1 << 63, 1, 0x7FF << 52], dtype="<u8").tobytes()
    complexes = single + single[4:] + single[:4]
    rows = [(D.FLOAT16, half), (D.BFLOAT16, brain), (D.FLOAT32, single), (D.FLOAT64, double)]
    return blobs(*((dtype, RAW, data, data) for dtype, data in [*rows, (D.COMPLEX64, complexes)]))


# --- section 5: masks ---------------------------------------------------------------------------------------


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


@valid
def mask_constant() -> Valid:
    """Masks by coder 0: all zeros, all ones, and no bits."""
    return mask_file(CONSTANT, "0" * 9, "1" * 13, "")


PATTERNS = ("1011001110001011011", "0" * 9, "1" * 16, "", "1" * 3)


@valid
def mask_raw() -> Valid:
    """Masks by coder 1, constant ones and one of no bits among them."""
    return mask_file(RAW_MASK, *PATTERNS)


@valid
def mask_zstd() -> Valid:
    """Masks by coder 2, constant ones and one of no bits among them."""
    return mask_file(ZSTD_MASK, *PATTERNS)


@valid
def mask_gaps_of_ones() -> Valid:
    """Masks by coder 3, constant ones and one of no bits among them."""
    return mask_file(GAPS_OF_ONES, *PATTERNS)


@valid
def mask_gaps_of_zeros() -> Valid:
    """Masks by coder 4, constant ones and one of no bits among them."""
    return mask_file(GAPS_OF_ZEROS, *PATTERNS)


def gaps_file(coder: int, *patterns: Bits) -> Valid:
    """Layers of one prototype element, which show their masks."""
    file = File(blocks=[Block(D.INT8, RAW, b"\x05")], prototypes=[Values(1, 0)])
    file.masks = [mask(pattern, coder) for pattern in patterns]
    file.entries = [tiled(f"w{i}", (len(pattern),), i) for i, pattern in enumerate(patterns)]
    return one(
        file,
        *(expect(f"w{i}", D.INT8, (len(p),), np.where(p, 5, 0).astype("<i1")) for i, p in enumerate(patterns)),
    )


def gap_patterns() -> list[Bits]:
    """Gaps around 255 with a long tail; and the most gap bytes there can be, 1 + floor(256 / 255)."""
    gaps = (254, 255, 256, 510, 0, 1, 509, 511)
    long = np.zeros(sum(gaps) + len(gaps) + 300, dtype=np.bool_)
    long[list(itertools.accumulate(gaps, lambda before, gap: before + gap + 1, initial=-1))[1:]] = True
    return [long, np.arange(256) == 255]


@valid
def gaps_long_ones() -> Valid:
    """Coder 3: gaps of 254, 255, 256, 510 and a long tail; as many gap bytes as are allowed."""
    return gaps_file(GAPS_OF_ONES, *gap_patterns())


@valid
def gaps_long_zeros() -> Valid:
    """Coder 4: gaps of 254, 255, 256, 510 and a long tail; as many gap bytes as are allowed."""
    return gaps_file(GAPS_OF_ZEROS, *(~pattern for pattern in gap_patterns()))


@valid
def zstd_frames() -> Valid:
    """Zstd frames of every header shape: content size of 1, 2, 4, 8 bytes, window descriptor, many blocks."""
    short = np.arange(32) % 3 == 1
    long = np.arange(2400) % 2 == 0
    pieces = zstd_block(0, 0, b"", False) + zstd_block(1, 200, b"U", False) + zstd_block(0, 99, b"U" * 99, False)
    frames: list[tuple[Bits, Callable[[bytes], bytes]]] = [
        (short, lambda raw: frame(raw, size_field=1)),
        (long, lambda raw: frame(raw, size_field=2)),
        (short, lambda raw: frame(raw, size_field=4)),
        (short, lambda raw: frame(raw, size_field=8)),
        (short, lambda raw: frame(raw, size_field=8, window=0)),
        (long, lambda raw: frame(raw, size_field=2, window=0x51)),
        (long, lambda raw: frame(raw, blocks=pieces + zstd_block(1, 1, b"U", False) + zstd_block(0, 0, b""))),
        (long, lambda raw: zstd(raw, 1)),
        (long, lambda raw: zstd(raw, 22, checksum=True)),
        (short, lambda raw: zstd(raw, -5, checksum=True)),
    ]
    made = gaps_file(RAW_MASK, *(pattern for pattern, _ in frames))
    made.file.masks = [mask(pattern, ZSTD_MASK, wrap) for pattern, wrap in frames]
    return made


@valid
def pages() -> Valid:
    """A payload of three pages, the last one short: an incompressible raw mask of 150,000 bytes."""
    noise = np.frombuffer(hashlib.shake_256(b"pemn pages").digest(150_000), dtype=np.uint8)
    pattern = np.unpackbits(noise, bitorder="little").astype(np.bool_)
    values = np.array([3, -1, 4, -128, 5, -9, 2], dtype="<i1")
    file = File(masks=[mask(pattern)], blocks=[Block(D.INT8, RAW, values.tobytes())], prototypes=[Values(7, 0)])
    file.entries = [tiled("w", (1200, 1000), 0)]
    full = np.where(pattern, values[np.arange(1_200_000) % 7], 0).astype("<i1")
    return one(file, expect("w", D.INT8, (1200, 1000), full))


@valid
def page_exact() -> Valid:
    """A payload of exactly one page."""
    data = (np.arange(65536) % 251).astype("<u1").tobytes()
    return blobs((D.UINT8, RAW, data, data))
