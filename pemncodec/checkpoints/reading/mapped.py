"""Memory of files: mapped where a file that shrinks cannot end the process, and read where it could.

A page of a mapping that lies behind the end of its file raises SIGBUS, which no `except` catches. The compiled guard
(`_mapping.c`) puts a page of zeros there instead and counts; whoever used mapped memory asks a `Watch` at the end.
Without the guard (no compiler, Windows) files are read into memory.
"""

from __future__ import annotations

import mmap
import os
import stat
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import torch

from ...errors import UnreadableCheckpointError

try:
    from . import _mapping as _guard
except ImportError:  # not built, or for another Python
    _guard = None  # type: ignore[assignment]

# Below this a copy is as cheap as a mapping.
_MAPPED_FROM = 1 << 20


def mapping_is_guarded() -> bool:
    """Return whether large files are mapped; otherwise they are read."""
    return _guard is not None


def content(file: BinaryIO, size: int) -> torch.Tensor:
    """The bytes of an open file as uint8, shape (size,); a private mapping that may be written to, or a copy.

    Raises:
        UnreadableCheckpointError: the file is shorter than `size`.
        MemoryError: it has to be read, and there is not so much memory.
    """
    if _guard is not None and size >= _MAPPED_FROM:
        mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        tensor = torch.frombuffer(mapping, dtype=torch.uint8)
        if _guard.protect(tensor.data_ptr(), size):
            weakref.finalize(mapping, _guard.release, tensor.data_ptr())
            return tensor
        del tensor, mapping
    buffer = torch.empty(size, dtype=torch.uint8)
    view = buffer.numpy().data
    file.seek(0)
    done = 0
    while done < size:
        count = file.readinto(view[done : done + (1 << 26)])  # type: ignore[attr-defined]
        if not count:
            raise UnreadableCheckpointError("the file became shorter while it was read: try again when it is complete")
        done += count
    return buffer


def protect(tensors: Iterable[torch.Tensor]) -> bool:
    """Guard the memory of tensors that another library mapped, for as long as they live; False without the guard."""
    if _guard is None:
        return False
    for tensor in tensors:
        storage = tensor.untyped_storage()
        if storage.nbytes():
            address = storage.data_ptr()
            if _guard.protect(address, storage.nbytes()):
                weakref.finalize(storage, _guard.release, address)
    return True


class Watch:
    """Notices that checkpoints changed while they were read: their size or time, or pages of a mapping that are gone.

    Args:
        paths: files to look at, now and in `check`; others (folders, what is not there) are passed over.
    """

    def __init__(self, *paths: str | os.PathLike[str]) -> None:
        self._stamps = {Path(path): _stamp(Path(path)) for path in paths}
        self._faults = 0 if _guard is None else _guard.faults()

    def check(self) -> None:
        """Call this before what was made of the files is put in its place.

        Raises:
            UnreadableCheckpointError: a file changed.
        """
        if _guard is not None and _guard.faults() != self._faults:
            raise UnreadableCheckpointError(
                "the checkpoint became shorter while it was read: try again when it is complete"
            )
        for path, stamp in self._stamps.items():
            if _stamp(path) != stamp:
                raise UnreadableCheckpointError(f"{path} changed while it was read: try again when it is complete")


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
