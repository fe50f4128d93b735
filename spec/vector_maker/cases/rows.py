"""The rows of the tables of invalid vectors, and the edits of a valid vector by which they are made.

A row is one defect of a file that is valid without it. Checksums agree unless they are the defect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from writer.writer import File

from cases.valid import again

MAGIC, VERSION, TRUNCATED, TRAILING = "magic", "version", "truncated", "trailing"
CHECKSUM, MANIFEST, PAYLOAD, LIMIT = "checksum", "manifest", "payload", "limit"


@dataclass
class Row:
    """One invalid vector; `max_bytes` and `task` are what the decoder is to be called with.

    So is `base`, the path of a vector from the folder of the invalid ones. `sound` are other tasks of the file, which
    decode to what the valid vectors of these names hold in the same task.
    """

    name: str
    error: str
    reason: str
    content: File | bytes
    max_bytes: int | None = None
    task: str | None = None
    base: str | None = None
    sound: dict[str, str] | None = None

    def bytes(self) -> bytes:
        """Return the bytes of the file."""
        return self.content if isinstance(self.content, bytes) else self.content.build()


Edit = Callable[[File], None]


def change(row: object, fields: dict[str, Any]) -> None:
    """Change fields, which must be there."""
    for key, value in fields.items():
        getattr(row, key)
        setattr(row, key, value)


def put(table: str, index: int, **fields: Any) -> Edit:
    """Return the edit that changes fields of one row of a table."""
    return lambda file: change(getattr(file, table)[index], fields)


def add(table: str, *rows: object) -> Edit:
    """Return the edit that appends rows to a table."""
    return lambda file: getattr(file, table).extend(rows)


def whole(**fields: Any) -> Edit:
    """Return the edit that changes attributes of the file: tables, header, counts, store, edit_manifest."""
    return lambda file: change(file, fields)


def minor(number: int) -> Edit:
    """Return the edit that makes it a file of version 1.`number`."""
    return whole(header={"minor": number})


def edited(file: File, *edits: Edit) -> File:
    """Return the file after some edits."""
    for edit in edits:
        edit(file)
    return file


def of(base: str, *edits: Edit) -> File:
    """Return the file of a valid vector, edited."""
    return edited(again(base).file, *edits)


def flip(content: bytes, position: int) -> bytes:
    """Return content of which one byte is damaged; no checksum is made to agree."""
    out = bytearray(content)
    out[position] ^= 0x10
    return bytes(out)
