"""Outputs that appear whole or not at all: a path, a URL, or a binary file object."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..coding.delta.base_files import BaseFiles, listed, refuse_base
from ..common.files import whole_file
from ..container.opening import path_of
from ..container.ranges import is_url
from ..errors import OutputError, OutputExistsError
from ..errors.quoting import shortened

# A path, a URL that fsspec knows, or a binary file object.
Output = str | os.PathLike[str] | BinaryIO


@contextmanager
def whole_output(output: Output, base: BaseFiles, *, overwrite: bool = True) -> Iterator[Path]:
    """A temporary path to write to; what is there becomes the output when the block ends without an error.

    A file for a URL is sent in one piece then, and one for a file object is copied to it.

    Args:
        output: where the file shall be.
        base: files that it must not replace.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExistsError: it exists and `overwrite` is False, or is a base.
        OutputError: it cannot be written.
    """
    if hasattr(output, "write"):
        with _temporary() as path:
            yield path
            _copy(path, cast("BinaryIO", output))
    elif is_url(output):
        with _temporary() as path:
            url = str(output)
            if any(path_of(one) == url for one in listed(base)):
                raise OutputExistsError(f"{url} is the base itself: name another output")
            system, place = _system(url)
            if not overwrite and _tried(url, system.exists, place):
                raise OutputExistsError(f"{url} already exists: name another output, or use --force to replace it")
            yield path
            _tried(url, system.put_file, str(path), place)
    else:
        target = Path(output)
        refuse_base(target, base)
        with whole_file(target, overwrite=overwrite) as path:
            yield path


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pemncodec-") as folder:
        yield Path(folder) / "file.pemn"


def _copy(path: Path, output: BinaryIO) -> None:
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, output, 1 << 20)
        output.flush()
    except (OSError, ValueError, TypeError) as reason:  # closed, or of text
        raise OutputError(f"the file object cannot be written: {reason}") from None


def _system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        reason = "URLs need fsspec, which is not installed: pip install 'pemncodec[remote]'"
        raise OutputError(f"{url} cannot be written: {reason}") from None
    found: tuple[Any, str] = _tried(url, url_to_fs, url)
    return found


def _tried(url: str, call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except Exception as reason:  # each file system has its own
        said = " ".join(str(reason).split()) or type(reason).__name__
        raise OutputError(f"{url} cannot be written: {shortened(said, 120)}") from None
