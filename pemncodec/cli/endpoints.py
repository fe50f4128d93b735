"""Files that a command is given: paths, URLs, and `-` for standard input or output."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import click

from ..container.opening import PathOrBytes
from ..container.ranges import is_url

STANDARD = Path("-")


class _File(click.Path):
    """A path, or a URL, which stays text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_url(value) else super().convert(value, param, ctx)


FILE = _File(path_type=Path)


def opened(file: Path | str) -> PathOrBytes:
    """The input as the package takes it: standard input is read to its end."""
    return sys.stdin.buffer.read() if file == STANDARD else file


def called(file: Path | str) -> str:
    """The name of an input in messages."""
    return "standard input" if file == STANDARD else str(file)


def near(file: Path | str) -> Path:
    """The path beside which an output is written if none is named: for a URL one in the current folder.

    Raises:
        click.UsageError: standard input has no place.
    """
    if file == STANDARD:
        raise click.UsageError("standard input has no name: name the output, or - for standard output")
    return file if isinstance(file, Path) else Path(PurePosixPath(urlsplit(file.rpartition("::")[2]).path).name)


def on_disk(file: Path) -> Path:
    """The input as a file: standard input is copied to one, which is removed when the command ends."""
    if file != STANDARD:
        return file
    folder = click.get_current_context().with_resource(tempfile.TemporaryDirectory(prefix="pemncodec-"))
    path = Path(folder) / "standard-input"
    with path.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
    return path


@contextmanager
def on_the_way(path: Path) -> Iterator[Path]:
    """A path to write to: for standard output a temporary one, which is copied there at the end."""
    if path != STANDARD:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pemncodec-") as folder:
        made = Path(folder) / "standard-output.pt"
        yield made
        with made.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
