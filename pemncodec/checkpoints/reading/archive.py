"""A zip archive as torch.save writes it, or as somebody packed it again: its records, checked, mapped or inflated."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import torch

from ...errors import CheckpointSizeError, UnreadableCheckpointError
from .mapped import content

_LOCAL_HEADER = 30
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED, _UTF8 = 1, 1 << 11
_PIECE = 1 << 22


class Archive:
    """An archive whose records are read by name.

    Args:
        file: open for reading; it stays with the caller.
        size: its bytes.
        checksums: whether the CRC-32 of each record is checked when it is read.
        max_bytes: how many bytes compressed records may inflate to, all together.
        data: the bytes of the file, uint8 of shape (size,), where they are mapped already.

    Raises:
        UnreadableCheckpointError: it is damaged, or two records have one name.
        CheckpointSizeError: it inflates to more.
    """

    def __init__(
        self, file: BinaryIO, size: int, *, checksums: bool, max_bytes: int, data: torch.Tensor | None = None
    ) -> None:
        self._checksums = checksums
        try:
            self._zip = zipfile.ZipFile(file)
            records = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RecursionError):
            raise UnreadableCheckpointError("is damaged or incomplete: fetch it again") from None
        self._records = {record.filename: record for record in records if not record.is_dir()}
        if len(self._records) < sum(not record.is_dir() for record in records):
            raise UnreadableCheckpointError("is an archive with two records of one name: fetch it again")
        inflated = sum(r.file_size for r in self._records.values() if r.compress_type != zipfile.ZIP_STORED)
        if inflated > max_bytes:
            raise CheckpointSizeError(
                f"inflates to {inflated} bytes, but max_bytes allows {max_bytes}: raise it if you trust the file"
            )
        if any(r.flag_bits & _ENCRYPTED for r in self._records.values()):
            raise UnreadableCheckpointError("is an encrypted archive: decrypt it first")
        self._content = content(file, size) if data is None else data
        self._bytes: memoryview = self._content.numpy().data
        self._read: dict[str, torch.Tensor] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    @property
    def compressed(self) -> bool:
        """Return whether any record is compressed: then `torch.load(mmap=True)` would take its bytes for values."""
        return any(record.compress_type != zipfile.ZIP_STORED for record in self._records.values())

    def read(self, name: str) -> torch.Tensor:
        """The bytes of a record as uint8: a view of the file where it is stored, else inflated; once for each name.

        Raises:
            UnreadableCheckpointError: there is no such record, or it is damaged.
        """
        if name not in self._read:
            record = self._records.get(name)
            if record is None:
                raise UnreadableCheckpointError(f"has no record {name[:80]!r}: it is damaged, fetch it again")
            stored = record.compress_type == zipfile.ZIP_STORED
            self._read[name] = self._stored(record) if stored else self._inflated(record)
        return self._read[name]

    def check(self) -> None:
        """Check the records that were not read as well.

        Raises:
            UnreadableCheckpointError: one is damaged.
        """
        for name in self._records if self._checksums else ():
            self.read(name)

    def _stored(self, record: zipfile.ZipInfo) -> torch.Tensor:
        header = bytes(self._bytes[record.header_offset : record.header_offset + _LOCAL_HEADER])
        if len(header) < _LOCAL_HEADER or header[:4] != _LOCAL_SIGNATURE:
            raise self._damaged(record)
        name_length, extra_length = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
        begin = record.header_offset + _LOCAL_HEADER
        name = bytes(self._bytes[begin : begin + name_length])
        if name.decode("utf-8" if record.flag_bits & _UTF8 else "cp437", "replace") != record.orig_filename:
            raise self._damaged(record)
        start = begin + name_length + extra_length
        stop = start + record.file_size
        if stop > len(self._bytes) or record.compress_size != record.file_size:
            raise self._damaged(record)
        if self._checksums and _crc(self._bytes[start:stop]) != record.CRC:
            raise self._damaged(record)
        return self._content[start:stop]

    def _inflated(self, record: zipfile.ZipInfo) -> torch.Tensor:
        data = torch.empty(record.file_size, dtype=torch.uint8)
        view = data.numpy().data
        done = 0
        if not self._checksums:
            record.CRC = None  # type: ignore[assignment]  # zipfile checks none then
        try:
            with self._zip.open(record) as stream:
                while done < len(view) and (piece := stream.read(min(_PIECE, len(view) - done))):
                    view[done : done + len(piece)] = piece
                    done += len(piece)
                complete = done == len(view) and not stream.read(1)  # at the end the CRC is checked
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
            complete = False
        if complete:
            return data
        raise self._damaged(record)

    @staticmethod
    def _damaged(record: zipfile.ZipInfo) -> UnreadableCheckpointError:
        return UnreadableCheckpointError(
            f"is damaged: record {record.filename[-80:]!r} does not match its CRC-32 and size; fetch it again "
            "(--no-checksums reads archives written without them)"
        )


def _crc(data: memoryview) -> int:
    found = 0
    for start in range(0, len(data), _PIECE):
        found = zlib.crc32(data[start : start + _PIECE], found)
    return found
