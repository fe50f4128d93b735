"""Sources of bytes: memory, or a file that is read piece by piece."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Callable, Hashable, Iterable
from io import BytesIO
from typing import Protocol

from ..common.forks import ProcessLock, generation
from ..errors import FileAccessError, TruncatedError

# What is asked for at a time: Linux reads at most 0x7ffff000 bytes a call, and others refuse 2 GiB or more.
_AT_A_TIME = 1 << 30


class Source(Protocol):
    """Random access to the bytes of a `.pemn` file, for any number of threads, also in forked children."""

    size: int

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from `start`.

        Raises:
            TruncatedError: they are not there.
            FileAccessError: they cannot be read, or the source was closed.
        """

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Take notice of ranges (first byte, and the one after the last) that will be read: each may be a request."""

    def state(self) -> Hashable:
        """A value that differs once bytes that were read may have changed, or the process is another one."""

    def mapped(self) -> memoryview:
        """All bytes as memory, which stays after the source was closed; nobody may write to it."""

    def close(self) -> None:
        """Close the source; what reads at the moment finishes."""


class MemorySource:
    """Bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        self._data = (view if view.c_contiguous else memoryview(bytes(view))).cast("B")
        self.size = len(self._data)

    def read(self, start: int, count: int) -> bytes:
        try:
            return bytes(self._data[start : start + count])
        except ValueError:
            raise FileAccessError("the file was closed: open it again") from None

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        pass

    def state(self) -> Hashable:
        return generation()

    def mapped(self) -> memoryview:
        return self._data

    def close(self) -> None:
        self._data.release()


class FileSource:
    """A file that is read by position. It is not mapped, because a map would crash if the file shrank under it.

    Raises:
        OSError: the file cannot be opened, or is no regular file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._handle: _Handle | None = _Handle(path)
        self.size = self._handle.status().st_size

    def read(self, start: int, count: int) -> bytes:
        handle = self._opened()
        try:
            data = handle.read(start, min(count, _AT_A_TIME))
            if len(data) < count and data:  # an interrupted or a large read: it goes on where it ended
                data = _rest(handle, start, count, data)
        except OSError as reason:
            raise FileAccessError(f"the file cannot be read at byte {start}: {reason.strerror}") from None
        if len(data) < count:
            raise TruncatedError(f"the file became shorter while it was read: {count} bytes at {start} are gone")
        return data

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        pass

    def state(self) -> Hashable:
        status = self._opened().status()
        return generation(), status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def mapped(self) -> memoryview:
        return self._opened().mapped()

    def close(self) -> None:
        self._handle = None

    def _opened(self) -> _Handle:
        handle = self._handle
        if handle is None:
            raise FileAccessError("the file was closed: open it again")
        return handle


def _rest(handle: _Handle, start: int, count: int, data: bytes) -> bytes:
    whole = BytesIO()
    while data:
        whole.write(data)
        data = handle.read(start + whole.tell(), min(count - whole.tell(), _AT_A_TIME))
    return whole.getvalue()


class _Handle:
    """A descriptor of a regular file that is closed when nobody uses it any more.

    Closed at once, its number could name another file before a thread that took the number has used it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._number = -1
        self._path = os.path.abspath(path)  # noqa: PTH100 (a Path would lose what is after a final slash)
        self._lock = ProcessLock()
        self._process = generation()
        self._number = _open(self._path)
        mode = self.status().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.ESPIPE, "a pipe or device has no positions to read at; save it to a file first")

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._number >= 0:
            close(self._number)

    def status(self) -> os.stat_result:
        """Size and times of the file now."""
        return os.fstat(self._number)

    def mapped(self) -> memoryview:
        """The file, mapped; a map of its own, as long as somebody has it."""
        return memoryview(mmap.mmap(self._number, 0, access=mmap.ACCESS_COPY))

    def read(self, start: int, count: int) -> bytes:
        """At most `count` bytes from `start`; no bytes after the end."""
        if hasattr(os, "pread"):
            return os.pread(self._number, count, start)
        with self._lock:
            if self._process != generation():  # a forked child shares the position of its parent
                self._open_again()
            os.lseek(self._number, start, os.SEEK_SET)
            return os.read(self._number, count)

    def _open_again(self) -> None:
        number = _open(self._path)
        if not os.path.samestat(os.fstat(number), self.status()):
            os.close(number)
            raise OSError(errno.ESTALE, "its path now holds another file")
        os.close(self._number)
        self._number, self._process = number, generation()


def _open(path: str) -> int:
    # O_NONBLOCK: the opening of a pipe would wait for who writes into it.
    return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
