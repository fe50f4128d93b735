"""Payloads on their way into a file, and the file that they become: nothing large is held in memory twice."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import LimitError, ManifestError, NetworkError
from . import frames
from .cursor import Payload
from .header import MAX_MANIFEST, PAGE, Header
from .manifest.rows import Manifest
from .manifest.tables import read_manifest, write_manifest
from .manifest.validation import validate
from .reader import tables_allowance

# What is kept in memory before a temporary file takes over.
_IN_MEMORY = 1 << 24
_CHUNK = 16 * PAGE


class Sections:
    """The payloads of masks, or of blocks, in table order.

    Args:
        folder: where a temporary file may be; by default everything stays in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file: IO[bytes]
        if folder is None:
            self._file = io.BytesIO()
        else:
            self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115 (closed with the object)
        self.size = 0

    def __del__(self) -> None:
        self._file.close()

    def add(self, payload: Payload) -> None:
        """Put a payload after the others."""
        self._file.write(payload)
        self.size += len(payload)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, in pieces."""
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk


@dataclass(frozen=True)
class EncodedFile:
    """A whole file, ready to be written.

    Attributes:
        manifest: its tables.
        front: header, manifest and page table as stored.
        sections: what follows.
    """

    manifest: Manifest
    front: bytes
    sections: Sequence[Sections]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.front) + sum(section.size for section in self.sections)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, in pieces."""
        yield self.front
        for section in self.sections:
            yield from section.chunks()

    def to_bytes(self) -> bytes:
        """All bytes."""
        return b"".join(self.chunks())

    def write(self, path: Path) -> None:
        """Write the file; OSError if that fails."""
        with path.open("wb") as file:
            for chunk in self.chunks():
                file.write(chunk)


def write_container(manifest: Manifest, sections: Sequence[Sections], *, check: bool = True) -> EncodedFile:
    """A file of these payloads (spec sections 2 and 3).

    Args:
        manifest: its tables; the sizes in them are those of the payloads.
        sections: the masks, then the blocks.
        check: whether to read the manifest again; not if the whole file will be.

    Raises:
        NetworkError: the manifest breaks a rule or a limit of the format.
    """
    size = sum(section.size for section in sections)
    data = write_manifest(manifest)
    compressed = frames.compress(data)
    stored = compressed if len(compressed) < len(data) else data
    try:  # what is written must be readable: limits of the format are limits of networks
        if len(data) > MAX_MANIFEST:
            raise ManifestError(f"its names, shapes and metadata take {len(data)} bytes, over {MAX_MANIFEST}")
        if check:
            validate(read_manifest(data, manifest.minor, tables_allowance(len(stored) + size)), size)
    except (ManifestError, LimitError) as reason:
        raise NetworkError(f"the network does not fit the format: {reason}") from None
    pages = list(_page_sums(sections))
    front = stored + struct.pack(f"<{len(pages)}I", *pages)
    header = Header(len(stored), len(data), size, zlib.crc32(front), manifest.minor)
    return EncodedFile(manifest, header.write() + front, sections)


def _page_sums(sections: Sequence[Sections]) -> Iterator[int]:
    """The CRC-32 of every page; pages do not begin where sections do."""
    crc = filled = 0
    for section in sections:
        for chunk in section.chunks():
            start = 0
            while start < len(chunk):
                piece = chunk[start : start + PAGE - filled]
                crc = zlib.crc32(piece, crc)
                start += len(piece)
                filled += len(piece)
                if filled == PAGE:
                    yield crc
                    crc = filled = 0
    if filled:
        yield crc
