"""Outputs that appear whole or not at all: written in a temporary folder beside them, synced, renamed.

The temporary folder of a process that was killed is removed by the next one that writes the same output on the same
machine. As long as its process lives the folder is locked (`flock`): the system takes the lock away with the process,
however that ends, so that neither the number of a process nor a time has to be trusted. Its name holds the machine too,
because some network file systems lock for one machine only. Where a folder cannot be locked nothing is removed.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError, OutputExistsError
from ..errors.quoting import shortened

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Bytes of the output's name that the temporary folder's name begins with; file systems allow 255, some 143.
_NAME = 60


def refuse_existing(path: Path) -> None:
    """Raise OutputExistsError if there is anything at `path`."""
    if os.path.lexists(path):
        raise OutputExistsError(f"{path} already exists: name another output, or use --force to replace it")


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """A temporary path near `path` to write to; it becomes `path` when the block ends without an error.

    Args:
        path: where the file shall be. A symbolic link is followed.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False.
        OutputError: the folder is missing or cannot be written, the disk is full, or `path` is no file.
    """
    target = _path(path)
    if not overwrite:
        refuse_existing(target)
    with _saying(target):
        old_mode = _mode(target)  # before links are followed: /dev/stdout leads to a name that no path has
        target = Path(os.path.realpath(target))
    with temporary_folder(target) as folder:
        temporary = folder / target.name
        with _saying(target, target.parent):
            # Created here, so that the system applies the umask: asking for it would change it for other threads.
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if old_mode is None else 0o600))
            mode = stat.S_IMODE(temporary.stat().st_mode) if old_mode is None else old_mode
        with _saying(target):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(mode)  # whoever wrote it may have put another file there
            if overwrite:
                temporary.replace(target)
            else:
                _link(temporary, target)
            _sync_folder(target.parent)


@contextmanager
def whole_folder(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """A temporary folder near `path` to write to; it becomes `path` when the block ends without an error.

    Args:
        path: where the folder shall be.
        overwrite: whether an empty folder that is there may be replaced. One with anything in it never is.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False, or there is something in it.
        OutputError: the folder around it is missing or cannot be written, the disk is full, or `path` is no folder.
    """
    target = Path(os.path.abspath(_path(path)))  # noqa: PTH100 (its name, also of `out/..`)
    if not overwrite:
        refuse_existing(target)
    with temporary_folder(target) as folder, _saying(target):
        temporary = folder / target.name
        temporary.mkdir()
        yield temporary
        if target.is_dir() and any(target.iterdir()):
            raise OutputExistsError(f"{target} is a folder that is not empty: name another output")
        temporary.replace(target)
        _sync_folder(target.parent)


@contextmanager
def _saying(target: Path, where: Path | None = None) -> Iterator[None]:
    """Turn an error of the system into an OutputError."""
    try:
        yield
    except OSError as reason:
        place = "" if where is None else f" ({shortened(str(where), 80)})"
        error = OutputError(f"{target} cannot be written: {reason.strerror or reason}{place}")
    else:
        return
    raise error


def _path(path: str | os.PathLike[str]) -> Path:
    if "\0" in os.fspath(path):
        raise OutputError(f"{os.fspath(path)} cannot be written: the path contains a NUL character")
    return Path(path)


def _mode(target: Path) -> int | None:
    """Permissions of the file that is replaced; None where there is none."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OutputError(f"{target} is not a regular file and cannot be replaced")
    return stat.S_IMODE(status.st_mode)


def _link(temporary: Path, target: Path) -> None:
    """Rename without replacing: a file that appeared in the meantime stays."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise OutputExistsError(f"{target} already exists: name another output, or use --force to replace it") from None
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


# --- the temporary folder, and those that killed processes left ------------------------------------------------------


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, locked, and removed at the end with what is left in it."""
    with _saying(target, target.parent):
        _remove_left(target)
        folder, lock = _new_folder(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _new_folder(target: Path) -> tuple[Path, int | None]:
    """A new folder, and the descriptor that locks it; None where folders cannot be locked."""
    while True:
        folder = target.parent / f"{_begins(target)}{secrets.token_hex(8)}.part"
        folder.mkdir(0o700)
        try:
            lock = _lock(folder)
        except OSError:  # then it gets a name of which nothing is removed
            with suppress(OSError):
                folder.rmdir()
            folder = target.parent / f".{_shown(target)}.{secrets.token_hex(8)}.part"
            folder.mkdir(0o700)
            return folder, None
        if lock is not None:
            return folder, lock
        with suppress(OSError):  # who looks for what was left found it before it was locked
            folder.rmdir()


def _remove_left(target: Path) -> None:
    """Remove what killed processes left of this output. What belongs to a process that lives is locked."""
    name = re.compile(re.escape(_begins(target)) + r"[0-9a-f]{16}\.part")
    with suppress(OSError):
        for found in [Path(entry) for entry in os.scandir(target.parent) if name.fullmatch(entry.name)]:
            with suppress(OSError):
                lock = _lock(found)
                if lock is not None:
                    shutil.rmtree(found, ignore_errors=True)
                    os.close(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that locks `folder`; None if another process has it, or it is a new one or none by now.

    Raises:
        OSError: it cannot be locked, or is no folder of this user.
    """
    if fcntl is None:
        raise OSError("no flock")
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            raise PermissionError("of another user")
        if os.path.samestat(status, os.lstat(folder)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _begins(target: Path) -> str:
    """The beginning of the names of temporary folders of this output on this machine."""
    return f".{_shown(target)}.{zlib.crc32(os.fsencode(target.name)):08x}-{_machine():08x}-"


def _shown(target: Path) -> str:
    return os.fsencode(target.name)[:_NAME].decode(errors="ignore")


def _machine() -> int:
    """A number of this machine."""
    number = b""
    with suppress(OSError):
        number = Path("/etc/machine-id").read_bytes()
    return zlib.crc32(platform.node().encode() + number)
