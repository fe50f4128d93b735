"""The invalid vectors for sections 1 to 4.1 of the specification: file, header, metadata.

Every row is one defect of a file that is valid without it: name, error class, reason, file. Checksums agree
unless they are the defect. To add a vector, add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from vector_cases_valid import VALID, run_frame
from vector_coders import RAW, D, frame, zstd_block
from vector_writer import Block, File, tensor

MAGIC_CLASS, VERSION, TRUNCATED, TRAILING = "magic", "version", "truncated", "trailing"
CHECKSUM, MANIFEST, PAYLOAD, LIMIT = "checksum", "manifest", "payload", "limit"

BAD_SCALES = {
    "zero": 0,
    "minus_zero": 1 << 31,
    "negative": 0xBF800000,
    "nan": 0x7FC00000,
    "infinity": 0x7F800000,
}


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
    file = VALID[base]().file
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
    yield Row(
        "truncated_before_version",
        TRUNCATED,
        "3: 9 bytes, of another major: too short for a version",
        short[:9],
    )
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
    yield Row(
        "manifest_size_zero",
        MANIFEST,
        "3: manifest_size 0",
        of("empty_network", whole(store=lambda _: b"")),
    )
    yield Row(
        "manifest_size_above_length",
        MANIFEST,
        "3: manifest_size is greater than manifest_length",
        of("empty_network", whole(store=frame)),
    )
    yield Row("manifest_length_limit", LIMIT, "3: a manifest of 2^24 + 1 bytes, in a small frame", long_manifest())
    yield Row(
        "payload_size_limit",
        LIMIT,
        "3: payload_size of 2^48 + 1",
        header("one_tensor", payload_size=(1 << 48) + 1),
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
        "skippable",
        "a skippable frame after the frame",
        lambda plain: run_frame(plain) + b"\x50\x2a\x4d\x18\0\0\0\0",
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
