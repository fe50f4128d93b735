"""The vectors for sections 1 to 4.1, and valid ones for names, shapes, dtypes (4.6, 4.8) and pages: file and header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from writer.coders import D, frame, zstd_block
from writer.ids import RAW
from writer.writer import File, tensor

from cases.files import blobs, holding
from cases.rows import Edit, edited, of, whole
from cases.valid import Valid, demand, one

SKIPPABLE = b"\x50\x2a\x4d\x18\0\0\0\0"
BAD_TEXTS = {"continuation": b"\x80", "overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "cut": b"a\xe2\x82"}
BAD_TEXTS |= {"above_10ffff": b"\xf4\x90\x80\x80", "latin1": b"caf\xe9!"}


def long_metadata(**options: Any) -> Valid:
    """Return a file of nothing but a long value, whose manifest is worth compressing."""
    return one(File([("about", "a" * 500 + " network of no tensors")], **options))


def run_frame(plain: bytes, **options: Any) -> bytes:
    """Return a frame of a raw block, an RLE block for the 500 letters and another raw block."""
    head, tail = plain.split(b"a" * 500)
    blocks = zstd_block(0, len(head), head, False) + zstd_block(1, 500, b"a", False)
    return frame(plain, **{"blocks": blocks + zstd_block(0, len(tail), tail), **options})


def scalars(dtype: D, *names: str, edits: Sequence[Edit] = ()) -> Valid:
    """Return a file of a 0-d tensor for each name, which hold 0, 1, 2, ..."""
    rows = [(tensor(name, ()), bytes([i])) for i, name in enumerate(names)]
    made = holding(dtype, bytes(range(len(names))), *rows)
    edited(made.file, *edits)
    return made


def raws(*rows: tuple[D, bytes]) -> Valid:
    """Return a file of raw blocks."""
    return blobs(*((dtype, RAW, data, data) for dtype, data in rows))


def header(**fields: int) -> File:
    """Return the file of one tensor with other fields in its header."""
    return of("one_tensor", whole(header=fields))


def long_manifest() -> File:
    """Return a file with nothing wrong but a manifest of 2^24 + 1 bytes, nearly all of them one letter."""

    def store(plain: bytes) -> bytes:
        runs, rest = divmod(len(plain) - 512, 1 << 17)
        blocks = zstd_block(0, 256, plain[:256], False) + zstd_block(1, 1 << 17, b"a", False) * runs
        blocks += zstd_block(1, rest, b"a", False)
        return frame(plain, size_field=4, blocks=blocks + zstd_block(0, 256, plain[-256:]))

    file = File([("about", b"a" * ((1 << 24) + 1 - 16))], store=store)
    demand(len(file.manifest()) == (1 << 24) + 1, "the manifest has another length than wanted")
    return file
