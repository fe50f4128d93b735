"""The vectors for sections 1 to 4.1, and valid ones for names, shapes, dtypes (4.6, 4.8) and pages: file and header."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from writer.coders import SIZES, D, frame, zstd, zstd_block
from writer.ids import RAW
from writer.writer import Block, File, Values, mask, tensor, tiled

from cases.files import blobs
from cases.rows import CHECKSUM, LIMIT, MAGIC, MANIFEST, TRAILING, TRUNCATED, VERSION, Row, edited, flip, of, put, whole
from cases.valid import Valid, case, one, same, valid

case("empty_network", "No entries and no payload: the smallest file.")(lambda: one(File()))


@valid
def one_tensor() -> Valid:
    """One tensor, stored raw, and nothing unusual."""
    data = np.array([1.5, -2.0, 3.25], dtype="<f4")
    file = File([("pemn.layout", "plain")], blocks=[Block(D.FLOAT32, RAW, data.tobytes())])
    file.entries.append(tensor("bias", (3,)))
    return same(file, D.FLOAT32, ("bias", (3,), data))


@valid
def metadata_unicode() -> Valid:
    """Metadata keys whose order as bytes is not that as UTF-16; an unknown pemn. key; odd values."""
    file = File(
        [("Z", ""), ("a", "line\nbreak and \0"), ("a\0", "key with a NUL"), ("pemn.unknown", "returned as it is")]
    )
    file.metadata += [("ключ", "значение 值"), ("\ufffd", "EF BF BD"), ("\U0001f511", "F0 9F 94 91")]
    return one(file)


def long_metadata(**options: Any) -> Valid:
    """Return a file of nothing but a long value, whose manifest is worth compressing."""
    return one(File([("about", "a" * 500 + " network of no tensors")], **options))


def run_frame(plain: bytes, **options: Any) -> bytes:
    """Return a frame of a raw block, an RLE block for the 500 letters and another raw block."""
    head, tail = plain.split(b"a" * 500)
    blocks = zstd_block(0, len(head), head, False) + zstd_block(1, 500, b"a", False)
    return frame(plain, **{"blocks": blocks + zstd_block(0, len(tail), tail), **options})


case("manifest_plain", "A manifest that would be smaller compressed, stored plain.")(long_metadata)
case("manifest_zstd", "A manifest compressed by the zstd library at level 19.")(
    lambda: long_metadata(store=lambda plain: zstd(plain, 19))
)
case("manifest_zstd_checksum", "A manifest frame of level 1 with a content checksum.")(
    lambda: long_metadata(store=lambda plain: zstd(plain, 1, checksum=True))
)
case("manifest_zstd_rle", "A manifest frame made by hand of raw and RLE blocks.")(
    lambda: long_metadata(store=run_frame)
)


def scalars(dtype: D, names: Sequence[str]) -> Valid:
    """Return a file of a 0-d tensor for each name, which hold 0, 1, 2, ..."""
    file = File(blocks=[Block(dtype, RAW, bytes(range(len(names))))], entries=[tensor(name, ()) for name in names])
    return same(file, dtype, *((name, (), bytes([i])) for i, name in enumerate(names)))


@valid
def names_unicode() -> Valid:
    """Names whose front coding splits a character; composed and decomposed letters are different names."""
    han, faces = ["\u6f22", "\u6f23"], ["\U0001f600", "\U0001f601"]
    return scalars(D.INT8, ["ü", "ý", *han, *faces, "\u00e9", "e\u0301", " ", "\t\ufeff"])


@valid
def names_front_coding() -> Valid:
    """Front coding that shares less than it could; a name that begins the one before; 1,024 bytes."""
    made = scalars(D.UINT8, ["layer.10.weight", "layer.10.bias", "layer.1", "layer", "é" * 512, "é" * 511 + "xy", "a"])
    edited(made.file, put("entries", 1, shared=0), put("entries", 2, shared=3))
    return made


@valid
def shapes() -> Valid:
    """0-d and empty tensors; dims that are huge beside a 0; 32 dims."""
    dims: list[tuple[int, ...]] = [(), (0,), (3, 0, 2), (2**48, 0), (2**24, 0, 2**24), (1,) * 31 + (2,), (1, 1)]
    data = [bytes([0, 1]), b"", b"", b"", b"", bytes([2, 3, 4, 5]), bytes([6, 7])]
    file = File(blocks=[Block(D.INT16, RAW, bytes(range(8)))])
    file.entries = [tensor(f"t{i}", shape) for i, shape in enumerate(dims)]
    return same(file, D.INT16, *((f"t{i}", shape, data[i]) for i, shape in enumerate(dims)))


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
    rows = [(D.FLOAT16, half), (D.BFLOAT16, brain), (D.FLOAT32, single), (D.FLOAT64, double)]
    rows.append((D.COMPLEX64, single + single[4:] + single[:4]))
    return blobs(*((dtype, RAW, data, data) for dtype, data in rows))


@valid
def pages() -> Valid:
    """A payload of three pages, the last one short: an incompressible raw mask of 150,000 bytes."""
    noise = np.frombuffer(hashlib.shake_256(b"pemn pages").digest(150_000), dtype=np.uint8)
    pattern = np.unpackbits(noise, bitorder="little").astype(np.bool_)
    values = np.array([3, -1, 4, -128, 5, -9, 2], dtype="<i1")
    file = File(masks=[mask(pattern)], blocks=[Block(D.INT8, RAW, values.tobytes())], prototypes=[Values(7, 0)])
    file.entries = [tiled("w", (1200, 1000), 0)]
    full = np.where(pattern, values[np.arange(1_200_000) % 7], 0).astype("<i1")
    return same(file, D.INT8, ("w", (1200, 1000), full))


PAGE = (np.arange(65536) % 251).astype("<u1").tobytes()
case("page_exact", "A payload of exactly one page.")(lambda: blobs((D.UINT8, RAW, PAGE, PAGE)))


# --- invalid: section 3 -------------------------------------------------------------------------------------


def header(**fields: int) -> File:
    """Return the file of one tensor with other fields in its header."""
    return of("one_tensor", whole(header=fields))


def section_3() -> Iterator[Row]:
    """Yield what is wrong with the file and its header."""
    small = of("one_tensor").build()
    end = 36 + len(of("one_tensor").manifest())
    short = header(major=2).build()
    for name, reason, content in (
        ("first_byte", "byte 0 differs", flip(small, 0)),
        ("last_byte", "byte 7 differs", flip(small, 7)),
        ("short_file", "shorter than 8 bytes, not the beginning of the magic", b"\x89PEX"),
        ("zip", "another kind of file", b"PK\x03\x04" + bytes(60)),
        ("newline", "a newline was converted in transfer", small[:5] + small[6:]),
    ):
        yield Row(f"magic_{name}", MAGIC, f"3: {reason}", content)
    for size in (0, 1, 7, 8, 9, 10, 35, 36):
        yield Row(f"truncated_{size}", TRUNCATED, f"3: only {size} bytes", small[:size])
    for name, reason, content in (
        ("manifest", "ends in the manifest", small[: end - 1]),
        ("page_table", "ends in the page table", small[: end + 3]),
        ("payload", "the last byte is missing", small[:-1]),
        ("no_payload", "ends where the payload begins", small[: end + 4]),
        ("before_version", "9 bytes, of another major: too short for a version", short[:9]),
    ):
        yield Row(f"truncated_{name}", TRUNCATED, f"3: {reason}", content)
    yield Row("version_10_bytes", VERSION, "3: 10 bytes are enough for a version", short[:10])
    huge = of("one_tensor", put("entries", 0, dims=(1 << 46,)), put("blocks", 0, size=1 << 48))
    huge.header = {"payload_size": 1 << 48}
    yield Row("truncated_huge_payload", TRUNCATED, "3: a payload of 2^48 bytes, 2^32 pages, is announced", huge)
    for field, values in (("major", (0, 2, 255)), ("minor", (6, 255))):
        for value in values:
            yield Row(f"version_{field}_{value}", VERSION, f"3: {field} {value}", header(**{field: value}))
    places = {"flags": 10, "manifest_size": 12, "payload_size": 20, "manifest_crc": 28, "header_crc": 32}
    for name, position in places.items():
        yield Row(f"checksum_{name}", CHECKSUM, f"3: {name} was damaged", flip(small, position))
    for name, position in (("manifest", 40), ("page_table", end), ("payload", -1)):
        reason = f"3: a byte of the {name.replace('_', ' ')} was damaged"
        yield Row(f"checksum_{name}", CHECKSUM, reason, flip(small, position))
    two = File(blocks=[Block(D.UINT8, RAW, bytes(65540))], entries=[tensor("t", (65540,))]).build()
    yield Row("checksum_second_page", CHECKSUM, "3: a byte of the second page was damaged", flip(two, -1))
    yield Row("trailing_byte", TRAILING, "3: one more byte", small + b"\0")
    yield Row("trailing_file", TRAILING, "3: another file follows", small * 2)
    empty = of("empty_network").build()
    yield Row("trailing_without_payload", TRAILING, "3: a byte after a file without payload", empty + b"\0")
    for flags in (1, 0x8000):
        yield Row(f"flags_{flags}", MANIFEST, "3: flags not 0", header(flags=flags))
    nothing, framed = (of("empty_network", whole(store=store)) for store in (lambda _: b"", frame))
    yield Row("manifest_size_zero", MANIFEST, "3: manifest_size 0", nothing)
    yield Row("manifest_size_above_length", MANIFEST, "3: manifest_size is greater than manifest_length", framed)
    yield Row("manifest_length_limit", LIMIT, "3: a manifest of 2^24 + 1 bytes, in a small frame", long_manifest())
    yield Row("payload_size_limit", LIMIT, "3: payload_size of 2^48 + 1", header(payload_size=(1 << 48) + 1))


def long_manifest() -> File:
    """Return a file with nothing wrong but a manifest of 2^24 + 1 bytes, nearly all of them one letter."""

    def store(plain: bytes) -> bytes:
        runs, rest = divmod(len(plain) - 512, 1 << 17)
        blocks = zstd_block(0, 256, plain[:256], False) + zstd_block(1, 1 << 17, b"a", False) * runs
        blocks += zstd_block(1, rest, b"a", False) if rest else b""
        return frame(plain, size_field=4, blocks=blocks + zstd_block(0, 256, plain[-256:]))

    file = File([("about", b"a" * ((1 << 24) + 1 - 16))], store=store)
    if len(file.manifest()) != (1 << 24) + 1:
        raise AssertionError("the manifest has another length than wanted")
    return file


SKIPPABLE = b"\x50\x2a\x4d\x18\0\0\0\0"
MANIFEST_FRAMES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "declares_more": (
        "the frame declares another size than manifest_length",
        lambda plain: run_frame(plain, declared=len(plain) + 1),
    ),
    "declares_nothing": ("no content size", lambda plain: run_frame(plain, size_field=0, window=0)),
    "dictionary": ("a frame with a dictionary id", lambda plain: run_frame(plain, dictionary=b"\x05")),
    "trailing": ("a byte after the frame", lambda plain: run_frame(plain) + b"\0"),
    "second": ("a second, empty frame", lambda plain: run_frame(plain) + frame(b"")),
    "skippable": ("a skippable frame after the frame", lambda plain: run_frame(plain) + SKIPPABLE),
    "skippable_before": ("a skippable frame before the frame", lambda plain: SKIPPABLE + run_frame(plain)),
    "truncated": ("the last block is missing", lambda plain: run_frame(plain)[:-30]),
    "content_short": (
        "less content than the frame declares",
        lambda plain: run_frame(plain, blocks=zstd_block(1, len(plain) - 1, b"\0")),
    ),
    "content_long": (
        "more content than the frame declares",
        lambda plain: run_frame(plain + b"\0", declared=len(plain)),
    ),
    "block_type": (
        "a block of the reserved type 3",
        lambda plain: run_frame(plain, blocks=zstd_block(3, len(plain), b"\0")),
    ),
    "no_frame": ("smaller than manifest_length, and no frame", lambda plain: plain[:-1]),
}


def manifest_frames() -> Iterator[Row]:
    """Yield what is wrong with the frame of a manifest that is not stored plain (sections 1 and 3)."""
    for name, (reason, store) in MANIFEST_FRAMES.items():
        file = of("manifest_zstd_rle", whole(store=store))
        yield Row(f"manifest_frame_{name}", MANIFEST, f"3: {reason}", file)
    file = of("empty_network", whole(edit_manifest=frame))
    reason = "3: manifest_size equals manifest_length, so this frame is read as plain"
    yield Row("manifest_frame_as_plain", MANIFEST, reason, file)


# --- invalid: sections 1 and 4.1 ----------------------------------------------------------------------------

BAD_TEXTS = {
    "continuation": b"\x80",
    "overlong": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
    "cut": b"a\xe2\x82",
    "above_10ffff": b"\xf4\x90\x80\x80",
    "latin1": b"caf\xe9!",
}


def numbers_and_strings() -> Iterator[Row]:
    """Yield numbers, shown in the metadata count, strings, and metadata."""

    def count(name: str, reason: str, raw: bytes, base: str = "one_tensor") -> Row:
        return Row(name, MANIFEST, reason, of(base, whole(counts={"metadata": raw})))

    yield count("leb128_not_minimal", "1: 1 written in two bytes", b"\x81\x00")
    yield count("leb128_zero_not_minimal", "1: 0 written in two bytes", b"\x80\x00", "empty_network")
    yield count("leb128_ten_bytes", "1: ten bytes", b"\xff" * 9 + b"\x01")
    yield count("leb128_zeros", "1: 1 written in nine bytes", b"\x81" + b"\x80" * 7 + b"\x00")
    yield count("leb128_largest", "4: 2^63 - 1 rows run past the end", b"\xff" * 8 + b"\x7f")
    endless = of("empty_network", whole(edit_manifest=lambda plain: plain[:-1] + b"\x80"))
    yield Row("leb128_no_end", MANIFEST, "4: a number that runs past the end", endless)
    for name, text in BAD_TEXTS.items():
        yield Row(f"utf8_key_{name}", MANIFEST, "1: invalid UTF-8 in a key", File([(text, "value")]))
        yield Row(f"utf8_value_{name}", MANIFEST, "1: invalid UTF-8 in a value", File([("key", text)]))
    for name, reason, keys in (
        ("unsorted", "keys not ascending", ["b", "a"]),
        ("utf16_order", "keys ascending as UTF-16, not as bytes", ["\U0001f511", "\ufffd"]),
        ("duplicate", "a key twice", ["a", "a"]),
        ("empty_key", "an empty key", [""]),
    ):
        file = File([(key, str(i)) for i, key in enumerate(keys, 1)])
        yield Row(f"metadata_{name}", MANIFEST, f"4.1: {reason}", file)
    yield count("metadata_count", "4.1: one row more than there is", b"\x02")
    file = File(edit_manifest=lambda plain: b"\x01\x01a\x7f" + plain[1:])
    yield Row("metadata_string_too_long", MANIFEST, "4: a string that runs past the end", file)


def file_rows() -> Iterator[Row]:
    """Yield every invalid vector of this module."""
    yield from (*section_3(), *manifest_frames(), *numbers_and_strings())
