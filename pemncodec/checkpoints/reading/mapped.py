"""Memory of files: mapped where a file that shrinks cannot end the process, and read where it could.

A page of a mapping that lies behind the end of its file raises SIGBUS, which no `except` catches. The compiled guard
(`_mapping.c`) puts a page of zeros there instead and counts; whoever used mapped memory asks `unchanged` at the end.
Without the guard (no compiler, Windows) files are read into memory.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch

from ...errors import UnreadableCheckpointError

try:
    from ... import _mapping as _guard
except ImportError:  # not built, or for another Python
    _guard = None  # type: ignore[assignment]

# Below this a copy is as cheap as a mapping.
_MAPPED_FROM = 1 << 20


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
    view = memoryview(buffer.numpy())
    file.seek(0)
    done = 0
    while done < size:
        count = file.readinto(view[done : done + (1 << 26)])  # type: ignore[attr-defined]
        if not count:
            raise UnreadableCheckpointError("the file became shorter while it was read: try again when it is complete")
        done += count
    return buffer


def protect(tensors: Iterator[torch.Tensor]) -> bool:
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


@contextmanager
def unchanged(*paths: str | os.PathLike[str]) -> Iterator[None]:
    """Raise where a checkpoint changed while the block read it: its size or time, or pages of a mapping that are gone.

    Args:
        paths: files to look at before and after; others (folders, files that are not there) are passed over.

    Raises:
        UnreadableCheckpointError: a file changed.
    """
    before = [_stamp(path) for path in paths]
    faults = 0 if _guard is None else _guard.faults()
    yield
    if _guard is not None and _guard.faults() != faults:
        names = ", ".join(map(str, paths)) or "a checkpoint"
        raise UnreadableCheckpointError(f"{names} became shorter while it was read: try again when it is complete")
    for path, stamp in zip(paths, before, strict=True):
        if _stamp(path) != stamp:
            raise UnreadableCheckpointError(f"{path} changed while it was read: try again when it is complete")


def _stamp(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if Path(path).is_file() else None
