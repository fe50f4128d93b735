"""Sources that are read by ranges: binary file objects, and URLs by fsspec.

Each request takes as long as some hundred kilobytes do, so that reads are made few: the beginning of the file, in which
the manifest lies, is one request, and what is expected is joined where it lies near.
"""

from __future__ import annotations

import io
import os
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, cast

from ..common.forks import ProcessLock, generation
from ..errors import FileAccessError, TruncatedError
from ..errors.quoting import shortened

HEAD = 1 << 15  # bytes that are read first: most manifests are shorter
NEAR = 1 << 16  # what lies no further apart is read together
MOST = 1 << 24  # bytes of a request, unless one section has more
KEPT = 4 * MOST  # bytes that are kept for reads to come
_URL = re.compile(r"(?:[A-Za-z][\w+.\-]+::)*[A-Za-z][\w+.\-]+://")


def is_url(source: object) -> bool:
    """Return whether a source is a URL (`https://…`, `s3://…`, `simplecache::https://…`), and not a path."""
    return isinstance(source, str) and _URL.match(source) is not None


def is_stream(source: object) -> bool:
    """Return whether a source is a file object."""
    return hasattr(source, "read") and hasattr(source, "seek")


class RangeSource:
    """A file that is read at positions, from any number of threads.

    Args:
        open_file: returns the file object; called again in a forked child if `url` is given.
        url: the URL, or None for a file object of the caller, which stays open.

    Raises:
        FileAccessError: it cannot be opened, has no positions to read at, or does not say how long it is.
    """

    def __init__(self, open_file: Callable[[], BinaryIO], url: str | None = None) -> None:
        self._open, self._url = open_file, url
        self._lock = ProcessLock()
        self._files: dict[int, BinaryIO | None] = {}
        self._head: bytes | None = None
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._closed = False
        file = self._file()
        try:
            before = file.tell()
            self.size = file.seek(0, os.SEEK_END)
            file.seek(before)
        except Exception as reason:
            raise FileAccessError(self._no_ranges(reason)) from None

    def read(self, start: int, count: int) -> bytes:
        with self._lock:
            if self._closed:
                raise FileAccessError("the file was closed: open it again")
            if self._head is None:
                self._head = self._fetch(0, min(HEAD, self.size))
            if start + count <= len(self._head):
                return self._head[start : start + count]
            number = bisect_right(self._starts, start) - 1
            if number < 0 or start + count > self._stops[number]:
                return self._fetch(start, count)
            begin = self._starts[number]
            return self._piece(begin, self._stops[number] - begin)[start - begin : start - begin + count]

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        joined: list[list[int]] = []
        for start, stop in sorted(ranges):
            if joined and start <= joined[-1][1] + NEAR and stop - joined[-1][0] <= MOST:
                joined[-1][1] = max(joined[-1][1], stop)
            elif not joined or stop > joined[-1][1]:
                joined.append([start, stop])
        with self._lock:
            self._starts = [start for start, _ in joined]
            self._stops = [stop for _, stop in joined]
            self._pieces.clear()

    def state(self) -> Hashable:
        return generation()

    def mapped(self) -> memoryview:
        return memoryview(self.read(0, self.size))

    def close(self) -> None:
        self._closed = True
        if self._url is not None:
            for file in self._files.values():
                with suppress(Exception):
                    if file is not None:
                        file.close()
        self._files.clear()

    def _piece(self, start: int, count: int) -> bytes:
        found = self._pieces.get(start)
        if found is None:
            found = self._fetch(start, count)
            self._pieces[start] = found
            while len(self._pieces) > 1 and sum(map(len, self._pieces.values())) > KEPT:
                self._pieces.popitem(last=False)
        self._pieces.move_to_end(start)
        return found

    def _fetch(self, start: int, count: int) -> bytes:
        try:
            data = _read_at(self._file(), start, count)
        except Exception as reason:
            raise FileAccessError(self._no_ranges(reason, start)) from None
        if len(data) < count:
            raise TruncatedError(f"the file became shorter while it was read: {count} bytes at {start} are gone")
        if len(data) > count:
            raise FileAccessError(self._no_ranges(ValueError("more bytes than were asked for"), start))
        return data

    def _file(self) -> BinaryIO:
        """Return the file object of this process: a child has no connection of its parent's."""
        number = generation() if self._url is not None else 0
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = self._open()
        return file

    def _no_ranges(self, reason: Exception, start: int | None = None) -> str:
        where = "" if start is None else f" at byte {start}"
        said = shortened(" ".join(str(reason).split()) or type(reason).__name__, 80)
        if self._url is None:
            return f"the file object cannot be read{where} ({said}): it must be binary and seekable; pass its bytes"
        if isinstance(reason, ValueError | io.UnsupportedOperation):  # of fsspec, where a server has no ranges
            return f"the server gives no ranges ({said}): to read it whole, put 'simplecache::' before the URL"
        return f"cannot be read{where}: {said}"


def _read_at(file: BinaryIO, start: int, count: int) -> bytes:
    """Read at a position: by the system where it is a regular file, whose position stays what it is then."""
    if isinstance(file, io.FileIO | io.BufferedReader) and hasattr(os, "pread"):
        with suppress(io.UnsupportedOperation):
            number = file.fileno()
            parts = []
            while count and (part := os.pread(number, min(count, 1 << 30), start)):
                parts.append(part)
                start, count = start + len(part), count - len(part)
            return b"".join(parts)
    file.seek(start)
    whole = io.BytesIO()
    while count and (part := file.read(count)):
        if not isinstance(part, bytes | bytearray | memoryview):
            raise TypeError("it gives text")
        whole.write(part)
        if len(part) > count:
            break
        count -= len(part)
    return whole.getvalue()


def open_stream(file: Any) -> RangeSource:
    """Return the source of a binary file object, which the caller closes."""
    return RangeSource(lambda: cast("BinaryIO", file))


def open_url(url: str) -> RangeSource:
    """Return the source of a URL.

    Raises:
        FileAccessError: fsspec, or what it needs for this kind of URL, is not installed; or it cannot be read.
    """
    return RangeSource(lambda: _opened(url), url)


def _opened(url: str) -> BinaryIO:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise FileAccessError("URLs need fsspec, which is not installed: pip install 'pemncodec[remote]'") from None
    try:
        system, path = url_to_fs(url)
        return cast("BinaryIO", system.open(path, "rb", cache_type="none"))
    except FileNotFoundError as reason:
        why = "there is no such file" if reason.__cause__ is None else shortened(str(reason.__cause__), 100)
        raise FileAccessError(f"cannot be read: {why}") from None
    except Exception as reason:  # each file system has its own, and a missing package is one of them
        raise FileAccessError(f"cannot be read: {shortened(' '.join(str(reason).split()), 120)}") from None
