"""Files that a caller names, by a path or as bytes, opened; what goes wrong with one is said with its path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .container.container import Container
from .container.source import FileSource, MemorySource, Source
from .errors import BaseFileError, FileAccessError, FormatError, LimitError, NotFoundError

PathOrBytes = str | os.PathLike[str] | bytes | bytearray | memoryview


def open_source(source: PathOrBytes) -> Source:
    """The bytes of a path, or bytes themselves; nothing is read.

    Raises:
        FileAccessError: the path cannot be opened.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return MemorySource(source)
    try:
        return FileSource(source)
    except OSError as reason:
        raise FileAccessError(f"{os.fspath(source)} cannot be read: {reason.strerror}") from None


def open_container(source: PathOrBytes) -> Container:
    """Open a path or bytes; header and manifest are read and validated.

    Raises:
        FormatError: as spec section 9 says.
        FileAccessError: the path cannot be opened.
    """
    stream = open_source(source)
    try:
        with naming(source):
            return Container(stream)
    except BaseException:
        stream.close()
        raise


def path_of(source: PathOrBytes) -> str | None:
    """The path, or None for bytes."""
    return None if isinstance(source, bytes | bytearray | memoryview) else os.fspath(source)


@contextmanager
def naming(source: PathOrBytes) -> Iterator[None]:
    """Put the path before what an error about a file says."""
    try:
        yield
    except (FormatError, NotFoundError, BaseFileError) as reason:
        path = path_of(source)
        if path is None or str(reason).startswith(f"{path}: "):
            raise
        raise type(reason)(f"{path}: {reason}") from None


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn a MemoryError into a LimitError."""
    try:
        yield
    except MemoryError:
        raise LimitError("the file decodes to more than the memory of this machine: set a lower max_bytes") from None
