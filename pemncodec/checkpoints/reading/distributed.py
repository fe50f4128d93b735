"""Folders of `torch.distributed.checkpoint`: `.metadata`, and files `__0_0.distcp` with the parts of tensors.

Each part is a file of `torch.save` within a file of the folder. Tensors in one part stay views of the mapped file where
the memory allows; the parts of others are copied together.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointSizeError, UnreadableCheckpointError, UnsafeCheckpointError
from ...errors.quoting import quoted
from ..folders import open_folder
from . import distributed_metadata, torch_file
from .archive import Archive
from .distributed_metadata import NAME, Key, Part, Place, Stored
from .mapped import content
from .unpickling import UnknownGlobalError

SUFFIX = ".distcp"
_MAX_LIST = 1 << 16


def is_distributed(files: Iterable[str]) -> bool:
    """Return whether files are those of such a folder.

    Raises:
        UnreadableCheckpointError: its metadata, which are written last, are missing.
    """
    files = set(files)
    parts = any(name.endswith(SUFFIX) for name in files)
    if parts and NAME not in files:
        raise UnreadableCheckpointError(f"has {SUFFIX} files and no {NAME}: the save did not end, save it again")
    return parts


def read(path: Path, *, checksums: bool, max_bytes: int) -> dict[str, Any]:
    """The checkpoint, nested as it was saved: what `dcp_to_torch_save` makes of it.

    Args:
        path: the folder.
        checksums, max_bytes: as for `load_checkpoint`.

    Raises:
        UnsafeCheckpointError: it holds objects beyond tensors.
        UnreadableCheckpointError, CheckpointSizeError: it is damaged; it expands to more.
    """
    entries, files = opened(path)
    reader = _Reader(files, checksums, max_bytes)
    return nested([(stored.path, reader.value(stored)) for stored in entries])


def opened(path: Path) -> tuple[list[Stored], dict[str, Path]]:
    """The entries of a folder, and the paths of the files that these name: regular files in the folder.

    Raises:
        UnsafeCheckpointError, UnreadableCheckpointError: as `distributed_metadata.read`; a file is missing or too
            short, lies elsewhere, or two entries have the same bytes.
    """
    folder = open_folder(path, lambda file: file)
    entries = distributed_metadata.read(folder.load(NAME).read_bytes())
    places = sorted((part.place for stored in entries for part in stored.parts), key=lambda p: (p.file, p.offset))
    files: dict[str, Path] = {}
    for place in places:
        if place.file not in files:
            if place.file not in folder.files or "/" in place.file or not place.file.endswith(SUFFIX):
                raise UnreadableCheckpointError(
                    f"lacks the file {quoted(place.file)} that its {NAME} lists: copy all files of all ranks"
                )
            files[place.file] = folder.load(place.file)
        size = files[place.file].stat().st_size
        if place.offset + place.length > size:
            raise UnreadableCheckpointError(
                f"has {size} bytes of {quoted(place.file)}, and {place.offset + place.length} are needed: copy it"
            )
    for one, other in pairwise(places):
        if one.file == other.file and one.offset + one.length > other.offset:
            raise UnreadableCheckpointError(f"has two entries in the same bytes of {quoted(one.file)}: fetch it again")
    return entries, files


class _Reader:
    """Reads entries; each file is mapped once."""

    def __init__(self, files: dict[str, Path], checksums: bool, max_bytes: int) -> None:
        self._files = files
        self._checksums = checksums
        self._left = self._max_bytes = max_bytes
        self._mapped: dict[str, torch.Tensor] = {}

    def value(self, stored: Stored) -> Any:
        """A tensor, or what else an entry holds."""
        if stored.dtype is None:
            return self._object(stored.parts[0].place, stored.name)
        if len(stored.parts) == 1:
            return self._part(stored, stored.parts[0])
        return assembled(stored, lambda part: self._part(stored, part))

    def _part(self, stored: Stored, part: Part) -> torch.Tensor:
        found = self._object(part.place, stored.name)
        if not isinstance(found, torch.Tensor) or found.dtype != stored.dtype or tuple(found.shape) != part.sizes:
            raise UnreadableCheckpointError(
                f"has a part of {quoted(stored.name)} in {quoted(part.place.file)} that is not what its {NAME} says: "
                "fetch it again"
            )
        return found

    def _object(self, place: Place, name: str) -> Any:
        if place.file not in self._mapped:
            path = self._files[place.file]
            with path.open("rb") as file:
                self._mapped[place.file] = content(file, path.stat().st_size)
        data = self._mapped[place.file][place.offset : place.offset + place.length]
        if len(data) != place.length:
            raise UnreadableCheckpointError(f"has a {quoted(place.file)} that became shorter: fetch it again")
        archive = Archive(Slice(data), len(data), checksums=self._checksums, max_bytes=self._left, data=data)  # type: ignore[arg-type]
        try:
            found = torch_file.read_archive(archive, self._left)
        except UnknownGlobalError as reason:
            raise UnsafeCheckpointError(
                f"holds a {str(reason)[:80]} object ({quoted(name)}), and reading it would run code: save the "
                "state_dict alone"
            ) from None
        archive.check()
        if isinstance(found, torch.Tensor):  # a tensor may repeat its elements
            self._left -= max(found.numel() * found.itemsize - place.length, 0)
            if self._left < 0:
                raise CheckpointSizeError(
                    f"expands by more than the {self._max_bytes} bytes that max_bytes allows: raise it if you trust it"
                )
        return found


def assembled(stored: Stored, part: Callable[[Part], torch.Tensor]) -> torch.Tensor:
    """The tensor of an entry, of `stored.shape` and `stored.dtype`, from its parts.

    Args:
        part: gives the elements of one, of its sizes.
    """
    whole = torch.empty(stored.shape, dtype=stored.dtype)
    target = _bits(whole)
    for one in stored.parts:
        place = tuple(slice(start, start + count) for start, count in zip(one.offsets, one.sizes, strict=True))
        target[place] = _bits(part(one))
    return whole


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """Elements as bytes in a last dimension: copying them as numbers need not keep the bits of a NaN."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous().unsqueeze(-1).view(torch.uint8)


def nested(entries: Iterable[tuple[tuple[Key, ...], Any]]) -> dict[str, Any]:
    """Dictionaries, and lists where a key is an integer, from values by their paths.

    Raises:
        UnreadableCheckpointError: two paths contradict each other, or a list would be very long.
    """
    root: dict[Key, Any] = {}
    for path, value in entries:
        inner = root
        for key in path[:-1]:
            inner = inner.setdefault(key, _Branch())
            if not isinstance(inner, _Branch):
                raise _contradiction(path)
        if path[-1] in inner:
            raise _contradiction(path)
        inner[path[-1]] = value
    return {str(key): _closed(value) for key, value in root.items()}


class _Branch(dict[Key, Any]):
    """A container while paths are read."""


def _closed(value: Any) -> Any:
    if not isinstance(value, _Branch):
        return value
    integers = [key for key in value if isinstance(key, int)]
    if not integers:
        return {key: _closed(item) for key, item in value.items()}
    if len(integers) < len(value) or min(integers) < 0 or max(integers) > _MAX_LIST:
        raise _contradiction(tuple(value))
    return [_closed(value.get(place)) for place in range(max(integers) + 1)]


def _contradiction(path: tuple[Key, ...]) -> UnreadableCheckpointError:
    name = quoted(".".join(map(str, path[:8])))
    return UnreadableCheckpointError(f"has paths that contradict each other ({name}) in its {NAME}: fetch it again")


class Slice(io.RawIOBase):
    """Bytes of a mapped file as a file of its own, without a copy."""

    def __init__(self, data: torch.Tensor) -> None:
        self._data = data.numpy().data
        self._place = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, at least 0; return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._data)}[whence]
        if start + offset < 0:
            raise ValueError("a position before the beginning")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes; return how many."""
        found = self._data[self._place : self._place + len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)
