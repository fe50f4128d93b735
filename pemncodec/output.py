"""Outputs that appear whole or not at all: temporary file, fsync, rename."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError, OutputExistsError


def refuse_existing(path: Path) -> None:
    """Raise OutputExistsError if there is anything at `path`."""
    if os.path.lexists(path):
        raise OutputExistsError(f"{path} exists already: name another output, or overwrite it with --force")


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends without an error.

    Args:
        path: where the file shall be. A symbolic link is followed.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False.
        OutputError: the folder is missing or cannot be written, the disk is full, or `path` is no file.
    """
    target = Path(path)
    if not overwrite:
        refuse_existing(target)
    target = Path(os.path.realpath(target))
    mode = _mode(target)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as reason:
        raise OutputError(f"{target} cannot be written: {reason.strerror} ({target.parent})") from None
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(mode)
        if overwrite:
            temporary.replace(target)
        else:
            _link(temporary, target)
        _sync_folder(target.parent)
    except OSError as reason:
        raise OutputError(f"{target} cannot be written: {reason.strerror or reason}") from None
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def whole_folder(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """A temporary folder beside `path` to write to; it becomes `path` when the block ends without an error.

    Args:
        path: where the folder shall be.
        overwrite: whether an empty folder that is there may be replaced. One with anything in it never is.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False, or there is something in it.
        OutputError: the folder around it is missing or cannot be written, the disk is full, or `path` is no folder.
    """
    target = Path(path)
    if not overwrite:
        refuse_existing(target)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent))
    except OSError as reason:
        raise OutputError(f"{target} cannot be written: {reason.strerror} ({target.parent})") from None
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if target.is_dir() and any(target.iterdir()):
            raise OutputExistsError(f"{target} is a folder with something in it: name another output")
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as reason:
        raise OutputError(f"{target} cannot be written: {reason.strerror or reason}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _mode(target: Path) -> int:
    """Permissions of the new file: those of the old one, or what the umask gives."""
    try:
        status = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
    except OSError as reason:
        raise OutputError(f"{target} cannot be written: {reason.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise OutputError(f"{target} is no ordinary file, so it cannot be replaced")
    return stat.S_IMODE(status.st_mode)


def _link(temporary: Path, target: Path) -> None:
    """Rename without replacing: a file that appeared in the meantime stays."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise OutputExistsError(f"{target} exists already: name another output, or overwrite it with --force") from None
    except OSError:  # a file system without hard links
        refuse_existing(target)
        temporary.replace(target)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system lets a folder be synced
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
