"""Files that a caller names, by a path or as bytes, opened; errors about a file name its path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, TypeVar

from ..errors import BaseFileError, FileAccessError, FormatError, LimitError, NotFoundError
from .header import Header
from .ranges import is_stream, is_url, open_stream, open_url
from .reader import Container
from .source import FileSource, MemorySource, Source

# A path, a URL, the bytes of a file, or a binary file object.
PathOrBytes = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


class _File(Protocol):
    @property
    def header(self) -> Header: ...
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=_File)


def open_source(source: PathOrBytes) -> Source:
    """The bytes of a path, a URL or a file object, or bytes themselves; nothing is read.

    Raises:
        FileAccessError: the path, URL or object cannot be opened, or read at positions.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return MemorySource(source)
    if is_stream(source):
        return open_stream(source)
    path = os.fspath(source)  # type: ignore[arg-type]
    if is_url(source):
        with naming(source):
            return open_url(path)
    try:
        return FileSource(path)
    except (OSError, ValueError) as reason:  # ValueError: a path with a NUL
        why = reason.strerror if isinstance(reason, OSError) else reason
        error = FileAccessError(f"{path} cannot be read: {why}")
    error.path = path
    raise error


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


def metadata_of(source: PathOrBytes) -> dict[str, str]:
    """The metadata of a file, whatever tasks it has.

    Raises:
        FormatError, FileAccessError: the file cannot be read.
    """
    container = open_container(source)
    try:
        return dict(container.manifest.metadata)
    finally:
        container.close()


def path_of(source: PathOrBytes) -> str | None:
    """The path or URL, or None for bytes and file objects."""
    if isinstance(source, bytes | bytearray | memoryview) or is_stream(source):
        return None
    return os.fspath(source)  # type: ignore[arg-type]


def pickled(source: PathOrBytes) -> str | bytes:
    """The source as another process, with another current folder, opens it: an absolute path, a URL, or bytes.

    Raises:
        FileAccessError: it is a file object, which another process does not have.
    """
    if is_stream(source):
        raise FileAccessError("a file object cannot be pickled: open the file by its path, or from its bytes")
    path = path_of(source)
    if path is None:
        return bytes(source)  # type: ignore[arg-type]
    return path if is_url(path) else os.path.abspath(path)  # noqa: PTH100


def open_again(kind: Callable[..., Opened], source: str | bytes, options: dict[str, Any], header: Header) -> Opened:
    """Open in another process what was open in one.

    Args:
        kind: what opens it.
        source: from `pickled`.
        options: of `kind`, by name.
        header: which the file must have; it holds a checksum of the manifest and of all checksums.

    Raises:
        FileAccessError: the file cannot be read, or is another one.
        FormatError: it is no longer of this format.
    """
    file = kind(source, **options)
    if file.header != header:
        file.close()
        raise FileAccessError(f"{path_of(source)}: the file has changed since it was pickled: pickle it again")
    return file


@contextmanager
def naming(source: PathOrBytes) -> Iterator[None]:
    """Put the path before the message of an error about a file."""
    try:
        yield
    except (FormatError, NotFoundError, BaseFileError, FileAccessError) as reason:
        path = path_of(source)
        elsewhere = isinstance(reason, FileAccessError) and reason.path is not None  # a base that cannot be opened
        if path is None or reason.path == path or elsewhere or str(reason).startswith(f"{path}: "):
            raise
        error = type(reason)(f"{path}: {reason}")
    else:
        return
    error.path = path
    raise error


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn a MemoryError into a LimitError."""
    try:
        yield
    except MemoryError:
        raise LimitError("the file decodes to more than the memory of this machine: set a lower max_bytes") from None
