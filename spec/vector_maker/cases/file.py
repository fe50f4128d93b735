"""The invalid vectors for sections 1 to 4.1 of the specification: file, header, metadata.

Every row is one defect of a file that is valid without it: name, error class, reason, file. Checksums agree
unless they are the defect. To add a vector, add a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from writer.coders import (
    CONSTANT,
    GAPS_OF_ONES,
    GAPS_OF_ZEROS,
    RAW,
    RAW_MASK,
    SIZES,
    ZSTD_MASK,
    Bits,
    D,
    frame,
    zstd,
    zstd_block,
)
from writer.writer import Block, File, Values, mask, tensor, tiled

from cases.kit import (
    CHECKSUM,
    LIMIT,
    MAGIC_CLASS,
    MANIFEST,
    PATTERNS,
    TRAILING,
    TRUNCATED,
    VERSION,
    Row,
    Valid,
    blobs,
    built,
    case,
    expect,
    flip,
    gap_patterns,
    gaps_file,
    header,
    mask_file,
    of,
    one,
    put,
    run_frame,
    valid,
    whole,
)

case("empty_network", "No entries and no payload: the smallest file.")(lambda: one(File()))


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
    pairs = [("Z", ""), ("a", "line\nbreak and \0"), ("a\0", "key with a NUL"), ("pemn.unknown", "returned as it is")]
    return one(File([*pairs, ("ключ", "значение 值"), ("\ufffd", "EF BF BD"), ("\U0001f511", "F0 9F 94 91")]))


def long_metadata(**options: Any) -> Valid:
    """A file of nothing but a long value, whose manifest is worth compressing."""
    return one(File([("about", "a" * 500 + " network of no tensors")], **options))


case("manifest_plain", "A manifest that would be smaller compressed, stored plain.")(lambda: long_metadata())
case("manifest_zstd", "A manifest compressed by the zstd library at level 19.")(
    lambda: long_metadata(store=lambda plain: zstd(plain, 19))
)
case("manifest_zstd_checksum", "A manifest frame of level 1 with a content checksum.")(
    lambda: long_metadata(store=lambda plain: zstd(plain, 1, checksum=True))
)
case("manifest_zstd_rle", "A manifest frame made by hand of raw and RLE blocks.")(
    lambda: long_metadata(store=run_frame)
)


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
    dims: list[tuple[int, ...]] = [(), (0,), (3, 0, 2), (2**48, 0), (2**24, 0, 2**24), (1,) * 31 + (2,), (1, 1)]
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


case("mask_constant", "Masks by coder 0: all zeros, all ones, and no bits.")(
    lambda: mask_file(CONSTANT, "0" * 9, "1" * 13, "")
)
case("mask_raw", "Masks by coder 1, constant ones and one of no bits among them.")(
    lambda: mask_file(RAW_MASK, *PATTERNS)
)
case("mask_zstd", "Masks by coder 2, constant ones and one of no bits among them.")(
    lambda: mask_file(ZSTD_MASK, *PATTERNS)
)
case("mask_gaps_of_ones", "Masks by coder 3, constant ones and one of no bits among them.")(
    lambda: mask_file(GAPS_OF_ONES, *PATTERNS)
)
case("mask_gaps_of_zeros", "Masks by coder 4, constant ones and one of no bits among them.")(
    lambda: mask_file(GAPS_OF_ZEROS, *PATTERNS)
)
case("gaps_long_ones", "Coder 3: gaps of 254, 255, 256, 510 and a long tail; as many gap bytes as are allowed.")(
    lambda: gaps_file(GAPS_OF_ONES, *gap_patterns())
)
case("gaps_long_zeros", "Coder 4: gaps of 254, 255, 256, 510 and a long tail; as many gap bytes as are allowed.")(
    lambda: gaps_file(GAPS_OF_ZEROS, *(~pattern for pattern in gap_patterns()))
)


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


def two_pages() -> bytes:
    """A file of two pages whose last byte, on the second, is damaged."""
    file = File(blocks=[Block(D.UINT8, RAW, bytes(65540))], entries=[tensor("t", (65540,))])
    return flip(-1)(file.build())


def section_3() -> Iterator[Row]:
    """The file and its header."""
    small = of("one_tensor").build()
    manifest_end = 36 + len(of("one_tensor").manifest())
    yield Row("magic_first_byte", MAGIC_CLASS, "3: byte 0 differs", flip(0)(small))
    yield Row("magic_last_byte", MAGIC_CLASS, "3: byte 7 differs", flip(7)(small))
    yield Row("magic_short_file", MAGIC_CLASS, "3: shorter than 8 bytes, not the beginning of the magic", b"\x89PEX")
    yield Row("magic_zip", MAGIC_CLASS, "3: another kind of file", b"PK\x03\x04" + bytes(60))
    yield Row("magic_newline", MAGIC_CLASS, "3: a newline was converted in transfer", small[:5] + small[6:])
    for size in (0, 1, 7, 8, 9, 10, 35, 36):
        yield Row(f"truncated_{size}", TRUNCATED, f"3: only {size} bytes", small[:size])
    yield Row("truncated_manifest", TRUNCATED, "3: ends in the manifest", small[: manifest_end - 1])
    yield Row("truncated_page_table", TRUNCATED, "3: ends in the page table", small[: manifest_end + 3])
    yield Row("truncated_payload", TRUNCATED, "3: the last byte is missing", small[:-1])
    yield Row("truncated_no_payload", TRUNCATED, "3: ends where the payload begins", small[: manifest_end + 4])
    short = header("one_tensor", major=2).build()
    yield Row("truncated_before_version", TRUNCATED, "3: 9 bytes, of another major: too short for a version", short[:9])
    yield Row("version_10_bytes", VERSION, "3: 10 bytes are enough for a version", short[:10])
    huge = of("one_tensor", put("entries", 0, dims=(1 << 46,)), put("blocks", 0, size=1 << 48))
    huge.header = {"payload_size": 1 << 48}
    yield Row("truncated_huge_payload", TRUNCATED, "3: a payload of 2^48 bytes, 2^32 pages, is announced", huge)
    for major in (0, 2, 255):
        yield Row(f"version_major_{major}", VERSION, f"3: major {major}", header("one_tensor", major=major))
    for minor in (6, 255):
        yield Row(f"version_minor_{minor}", VERSION, f"3: minor {minor}", header("one_tensor", minor=minor))
    places = {"flags": 10, "manifest_size": 12, "payload_size": 20, "manifest_crc": 28, "header_crc": 32}
    for name, position in places.items():
        yield Row(f"checksum_{name}", CHECKSUM, f"3: {name} was damaged", flip(position)(small))
    yield Row("checksum_manifest", CHECKSUM, "3: a byte of the manifest was damaged", flip(40)(small))
    yield Row("checksum_page_table", CHECKSUM, "3: a byte of the page table was damaged", flip(manifest_end)(small))
    yield Row("checksum_payload", CHECKSUM, "3: a byte of the payload was damaged", flip(-1)(small))
    yield Row("checksum_second_page", CHECKSUM, "3: a byte of the second page was damaged", two_pages())
    yield Row("trailing_byte", TRAILING, "3: one more byte", small + b"\0")
    yield Row("trailing_file", TRAILING, "3: another file follows", small * 2)
    yield Row(
        "trailing_without_payload",
        TRAILING,
        "3: a byte after a file without payload",
        built("empty_network", lambda content: content + b"\0"),
    )
    for flags in (1, 0x8000):
        yield Row(f"flags_{flags}", MANIFEST, "3: flags not 0", header("one_tensor", flags=flags))
    yield Row("manifest_size_zero", MANIFEST, "3: manifest_size 0", of("empty_network", whole(store=lambda _: b"")))
    yield Row(
        "manifest_size_above_length",
        MANIFEST,
        "3: manifest_size is greater than manifest_length",
        of("empty_network", whole(store=frame)),
    )
    yield Row("manifest_length_limit", LIMIT, "3: a manifest of 2^24 + 1 bytes, in a small frame", long_manifest())
    yield Row(
        "payload_size_limit", LIMIT, "3: payload_size of 2^48 + 1", header("one_tensor", payload_size=(1 << 48) + 1)
    )


def long_manifest() -> File:
    """A file with nothing wrong but a manifest of 2^24 + 1 bytes, nearly all of them one letter."""
    letters = (1 << 24) + 1 - 16
    file = File([("about", b"a" * letters)])

    def store(plain: bytes) -> bytes:
        head = plain[:256]
        left = len(plain) - len(head) - 256
        blocks = zstd_block(0, len(head), head, False)
        while left:
            run = min(left, 1 << 17)
            blocks += zstd_block(1, run, b"a", False)
            left -= run
        return frame(plain, size_field=4, blocks=blocks + zstd_block(0, 256, plain[-256:]))

    file.store = store
    if len(file.manifest()) != (1 << 24) + 1:
        raise AssertionError("the manifest has another length than wanted")
    return file


def manifest_frames() -> Iterator[Row]:
    """The frame of a manifest that is not stored plain (sections 1 and 3)."""

    def row(name: str, reason: str, store: Callable[[bytes], bytes]) -> Row:
        return Row(f"manifest_frame_{name}", MANIFEST, f"3: {reason}", of("manifest_zstd_rle", whole(store=store)))

    yield row(
        "declares_more",
        "the frame declares another size than manifest_length",
        lambda plain: run_frame(plain, declared=len(plain) + 1),
    )
    yield row("declares_nothing", "no content size", lambda plain: run_frame(plain, size_field=0, window=0))
    yield row("dictionary", "a frame with a dictionary id", lambda plain: run_frame(plain, dictionary=b"\x05"))
    yield row("trailing", "a byte after the frame", lambda plain: run_frame(plain) + b"\0")
    yield row("second", "a second, empty frame", lambda plain: run_frame(plain) + frame(b""))
    yield row(
        "skippable", "a skippable frame after the frame", lambda plain: run_frame(plain) + b"\x50\x2a\x4d\x18\0\0\0\0"
    )
    yield row(
        "skippable_before",
        "a skippable frame before the frame",
        lambda plain: b"\x50\x2a\x4d\x18\0\0\0\0" + run_frame(plain),
    )
    yield row("truncated", "the last block is missing", lambda plain: run_frame(plain)[:-30])
    yield row(
        "content_short",
        "less content than the frame declares",
        lambda plain: run_frame(plain, blocks=zstd_block(1, len(plain) - 1, b"\0")),
    )
    yield row(
        "content_long",
        "more content than the frame declares",
        lambda plain: run_frame(plain + b"\0", declared=len(plain)),
    )
    yield row(
        "block_type",
        "a block of the reserved type 3",
        lambda plain: run_frame(plain, blocks=zstd_block(3, len(plain), b"\0")),
    )
    yield row("no_frame", "smaller than manifest_length, and no frame", lambda plain: plain[:-1])
    yield Row(
        "manifest_frame_as_plain",
        MANIFEST,
        "3: manifest_size equals manifest_length, so this frame is read as plain",
        of("empty_network", whole(edit_manifest=frame)),
    )


def numbers_and_strings() -> Iterator[Row]:
    """Section 1, shown in the metadata count, and section 4.1."""

    def count(name: str, reason: str, raw: bytes, base: str = "one_tensor") -> Row:
        return Row(name, MANIFEST, reason, of(base, whole(counts={"metadata": raw})))

    yield count("leb128_not_minimal", "1: 1 written in two bytes", b"\x81\x00")
    yield count("leb128_zero_not_minimal", "1: 0 written in two bytes", b"\x80\x00", "empty_network")
    yield count("leb128_ten_bytes", "1: ten bytes", b"\xff" * 9 + b"\x01")
    yield count("leb128_zeros", "1: 1 written in nine bytes", b"\x81" + b"\x80" * 7 + b"\x00")
    yield count("leb128_largest", "4: 2^63 - 1 rows run past the end", b"\xff" * 8 + b"\x7f")
    yield Row(
        "leb128_no_end",
        MANIFEST,
        "4: a number that runs past the end",
        of("empty_network", whole(edit_manifest=lambda plain: plain[:-1] + b"\x80")),
    )
    texts = {
        "continuation": b"\x80",
        "overlong": b"\xc0\xaf",
        "surrogate": b"\xed\xa0\x80",
        "cut": b"a\xe2\x82",
        "above_10ffff": b"\xf4\x90\x80\x80",
        "latin1": b"caf\xe9!",
    }
    for name, text in texts.items():
        yield Row(f"utf8_key_{name}", MANIFEST, "1: invalid UTF-8 in a key", File([(text, "value")]))
        yield Row(f"utf8_value_{name}", MANIFEST, "1: invalid UTF-8 in a value", File([("key", text)]))
    yield Row("metadata_unsorted", MANIFEST, "4.1: keys not ascending", File([("b", "1"), ("a", "2")]))
    yield Row(
        "metadata_utf16_order",
        MANIFEST,
        "4.1: keys ascending as UTF-16, not as bytes",
        File([("\U0001f511", "1"), ("\ufffd", "2")]),
    )
    yield Row("metadata_duplicate", MANIFEST, "4.1: a key twice", File([("a", "1"), ("a", "2")]))
    yield Row("metadata_empty_key", MANIFEST, "4.1: an empty key", File([("", "1")]))
    yield count("metadata_count", "4.1: one row more than there is", b"\x02")
    yield Row(
        "metadata_string_too_long",
        MANIFEST,
        "4: a string that runs past the end",
        File(edit_manifest=lambda plain: b"\x01\x01a\x7f" + plain[1:]),
    )


def file_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    for group in (section_3, manifest_frames, numbers_and_strings):
        yield from group()
