"""A folder for one case, in which nothing may be written but the output; and the command `pemn` in this process."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.testing import CliRunner

from pemncodec.cli.main import cli

from .harness import Wrong

# Names that lead out of a folder. The absolute one is looked for after every case.
ESCAPE = "/tmp/pemncodec-fuzz-escape"
OUTWARD = [
    *("../escape", "../../escape", ESCAPE, "a/../../escape", "..", ".", "", "/", "a/b/c", "a\\..\\b", "C:\\x", "~"),
    *("in.pemn", "x\0y", "x" * 300, "name\n", "\u202eabc", "-", "con", "final/../../escape", "./x", "é", "\ud800"),
]


@contextmanager
def sandbox(**files: bytes) -> Iterator[Path]:
    """A folder with these files (`__` in a name is a dot), two folders down; names that begin with `out` may be new.

    Raises:
        Wrong: anything else has changed.
    """
    top = Path(tempfile.mkdtemp(prefix="pemncodec-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    folder = top / "a" / "b"
    try:
        folder.mkdir(parents=True)
        named = {name.replace("__", "."): content for name, content in files.items()}
        for name, content in named.items():
            (folder / name).write_bytes(content)
        yield folder
        _unchanged(top, folder, named)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _unchanged(top: Path, folder: Path, files: dict[str, bytes]) -> None:
    there = {path.relative_to(folder).parts[0] for path in folder.iterdir()}
    others = {name for name in there - set(files) if not name.startswith("out")}
    beside = sorted(path.name for level in (top, folder.parent) for path in level.iterdir())
    if os.path.lexists(ESCAPE):
        if Path(ESCAPE).is_dir():
            shutil.rmtree(ESCAPE)
        else:
            Path(ESCAPE).unlink()
        raise Wrong("escape-absolute", f"{ESCAPE} was written")
    if others or beside != ["a", "b"]:
        raise Wrong("escape-beside", f"written beside the output: {sorted(others)!a}, {beside!a}")
    for name, content in files.items():
        if (folder / name).read_bytes() != content:
            raise Wrong("escape-input", f"{name} was changed")


def pemn(*arguments: str | Path) -> str:
    """Run the command and return its output. Its exceptions are raised; a usage error is raised as SystemExit."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], standalone_mode=False)
    if isinstance(result.exception, click.ClickException):
        raise SystemExit(result.exception.format_message())
    if result.exception is not None:
        raise result.exception
    return result.output


def pemn_unheard(*arguments: str | Path) -> None:
    """Run the command, and keep nothing of what it prints: what is captured would count as its memory."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        cli.main([str(argument) for argument in arguments], standalone_mode=False)


def refused(reason: BaseException) -> str:
    """The name of a refusal in the tables."""
    kind = getattr(reason, "kind", "")
    return str(kind) if kind else type(reason).__name__
