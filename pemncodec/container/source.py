"""Where the bytes of a file come from: memory, or a file that is read piece by piece."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol

from ..errors import FileAccessError, TruncatedError


class Source(Protocol):
    """Random access to the bytes of a `.pemn` file."""

    size: int

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from `start`; TruncatedError if they are not there."""

    def close(self) -> None:
        """Let go of the file."""


class MemorySource:
    """Bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data).cast("B")
        self.size = len(self._data)

    def read(self, start: int, count: int) -> bytes:
        return bytes(self._data[start : start + count])

    def close(self) -> None:
        self._data.release()


class FileSource:
    """A file, read piece by piece by any thread: a memory map would crash if the file shrank under it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115 (closed by close())
        self._lock = Lock()
        try:
            self.size = os.fstat(self._file.fileno()).st_size
        except BaseException:
            self._file.close()
            raise

    def read(self, start: int, count: int) -> bytes:
        try:
            with self._lock:
                self._file.seek(start)
                data = self._file.read(count)
        except OSError as reason:
            raise FileAccessError(f"the file cannot be read at byte {start}: {reason.strerror}") from None
        except ValueError:
            raise FileAccessError("the file was closed") from None
        if len(data) < count:
            raise TruncatedError(f"the file became shorter while it was read: {count} bytes at {start} are gone")
        return data

    def close(self) -> None:
        self._file.close()
