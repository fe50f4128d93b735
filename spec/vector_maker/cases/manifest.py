"""The invalid vectors for sections 4.2 to 4.7 of the specification: the tables of the manifest."""

from __future__ import annotations

from functools import partial
from typing import Any

from writer.coders import zstd
from writer.writer import Entry, File

from cases.rows import of, put

compressed = partial(zstd, level=19)  # makes a long manifest a small file


def entry(base: str, index: int, **fields: Any) -> File:
    """Return a valid vector with other fields in one of its entries."""
    return of(base, put("entries", index, **fields))


def counted(count: int, width: int = 6, fill: str = "0", **fields: Any) -> list[Entry]:
    """Return entries with ascending decimal numbers of one width as names."""
    return [Entry(f"{i:06}".rjust(width, fill), **fields) for i in range(count)]
