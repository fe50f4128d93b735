"""Checkpoints that are folders: what is in them, how they are read, and how one is written.

A folder comes from a stranger: nothing is read but regular files in it, and nothing is written but plain names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common.plain_names import plain_path
from ..errors import MetadataError, OutputError, UnreadableCheckpointError
from ..errors.quoting import quoted
from .npy import load_array

Content = Mapping[str, Any] | np.ndarray[Any, Any] | None

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class Folder:
    """A folder.

    Attributes:
        files: paths of its files, relative to it and with slashes, sorted; those in its folders, too. All that is no
            folder is among them, whatever it is.
        load: reads one: an array for `.npy`, else as `load_checkpoint`. Raises CheckpointError, also for what is no
            regular file in the folder.
    """

    files: tuple[str, ...]
    load: Callable[[str], Any]


@dataclass(frozen=True)
class OutputFolder:
    """A folder to be written: what is in every file, a state_dict (as torch.save writes it) or an array (`.npy`).

    A name that ends with a slash is that of a folder, and has None.

    Raises:
        MetadataError: a name is not a path of plain names (`plain_names`), appears twice, or is that of both a file
            and a folder.
    """

    files: Mapping[str, Content]

    def __post_init__(self) -> None:
        folders: set[tuple[str, ...]] = set()
        files: set[tuple[str, ...]] = set()
        for name, content in self.files.items():
            is_folder = name.endswith("/")
            if is_folder != (content is None):
                raise MetadataError(f"{quoted(name)} must end with a slash if, and only if, it is a folder")
            parts = plain_path(name[:-1] if is_folder else name)
            folders.update(parts[:length] for length in range(1, len(parts) + is_folder))
            if not is_folder:
                files.add(parts)
        both = files & folders
        if both:
            raise MetadataError(f"{quoted('/'.join(min(both)))} would be both a file and a folder: use another layout")

    @classmethod
    def of(cls, files: Iterable[tuple[str, Content]]) -> OutputFolder:
        """From pairs.

        Raises:
            MetadataError: as the class; or a name appears twice.
        """
        found: dict[str, Content] = {}
        for name, content in files:
            if name in found:
                raise MetadataError(f"two files would be named {quoted(name)}: use another layout")
            found[name] = content
        return cls(found)


def open_folder(path: Path, load_file: Callable[[Path], Any]) -> Folder:
    """The files of a folder, and of its folders.

    Args:
        path: the folder.
        load_file: reads a file that is no `.npy`.

    Raises:
        UnreadableCheckpointError: the folder cannot be read.
    """
    try:
        root = path.resolve(strict=True)
        names = tuple(sorted(_names(path)))
    except (OSError, RuntimeError) as reason:  # a circle of links
        raise UnreadableCheckpointError(f"{path} cannot be read: {_why(reason)}") from None

    def load(name: str) -> Any:
        try:
            file = (path / name).resolve(strict=True)
        except (OSError, RuntimeError) as reason:
            raise UnreadableCheckpointError(f"{path / name} cannot be read: {_why(reason)}") from None
        if not file.is_relative_to(root):
            raise UnreadableCheckpointError(f"{path / name} points outside the folder: put the file itself there")
        check_regular(file)
        return load_array(file) if name.endswith(".npy") else load_file(file)

    return Folder(names, load)


def check_regular(path: Path) -> int:
    """The size of a regular file; opening anything else might block for ever, or never end.

    Raises:
        UnreadableCheckpointError: it is missing, or something else; a folder, too.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableCheckpointError(f"{path} does not exist") from None
    except (OSError, ValueError) as reason:
        raise UnreadableCheckpointError(f"{path} cannot be read: {_why(reason)}") from None
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnreadableCheckpointError(f"{path} is {what}, not a regular file: write the checkpoint to a file first")
    return status.st_size


def _names(path: Path) -> Iterator[str]:
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        if not _is_folder(entry):
            yield entry.name
            continue
        with os.scandir(entry.path) as inner:
            yield from (f"{entry.name}/{other.name}" for other in inner if not _is_folder(other))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def _why(reason: Exception) -> str:
    return (reason.strerror if isinstance(reason, OSError) else None) or str(reason)


def refuse_second(file: Path, name: str) -> None:
    """Raise OutputError if a file is there: this file system does not tell two names apart, such as `A` and `a`."""
    if os.path.lexists(file):
        raise OutputError(f"{quoted(name)} names a file that was already written: use another layout")
