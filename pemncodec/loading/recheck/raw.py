"""A checkpoint as other libraries read it, without any reader of this package; in memory, if there is enough."""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...checkpoints.containers import Holding
from ...checkpoints.reading import distributed
from ...checkpoints.reading.distributed_metadata import Place
from ...checkpoints.reading.mapped import mapping_is_guarded, protect
from ...checkpoints.reading.shards import SINGLE
from ...errors import UnreadableCheckpointError

# A checkpoint that takes more of the memory that is left is mapped.
_SHARE = 0.7
# Of the header of a zip record: where the length of its name is, and the name, of at most 65,535 bytes.
_NAME_LENGTH, _RECORD_NAME = 26, 30
_HEAD = _RECORD_NAME + 0xFFFF


class CannotReadError(Exception):
    """No other library reads the file without running code that it carries."""


def read(path: Path, *, unsafe: bool = False) -> Any:
    """Read a checkpoint, onto the CPU; a folder by the paths of its files.

    Args:
        unsafe: whether code in it may run.

    Raises:
        CannotReadError: as it says.
    """
    if path.is_dir():
        return _folder(path, unsafe)
    return _file(path, unsafe, several=False)


def _folder(path: Path, unsafe: bool) -> Any:
    """The files of a folder by their paths: those of its index if there is one; a distributed one as it was saved."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix != ".json")
    if distributed.is_distributed(file.name for file in files if file.parent == path):
        return _distributed(path)
    indices = sorted(path.glob("*.index.json"))
    named = {path / name for name in SINGLE}
    if len(indices) == 1:
        named = {path / name for name in json.loads(indices[0].read_bytes())["weight_map"].values()}
    files = [file for file in files if file in named] or files
    return {file.relative_to(path).as_posix(): _file(file, unsafe, several=len(files) > 1) for file in files}


def _distributed(path: Path) -> Any:
    """A folder of torch.distributed.checkpoint. Its metadata are read by this package: torch would run code in them."""
    entries, files = distributed.opened(path)

    def part(place: Place) -> Any:
        with files[place.file].open("rb") as file:
            file.seek(place.offset)
            data = io.BytesIO(file.read(place.length))
        try:
            return torch.load(data, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, EOFError):
            raise CannotReadError("torch.load cannot read it without running code") from None

    found = {}
    for stored in entries:
        if stored.dtype is None:
            found[stored.path] = part(stored.parts[0].place)
            continue
        whole = torch.empty(stored.shape, dtype=stored.dtype)
        for one in stored.parts:
            block = whole
            for axis, (start, count) in enumerate(zip(one.offsets, one.sizes, strict=True)):
                block = block.narrow(axis, start, count)
            block.copy_(part(one.place))
        found[stored.path] = whole
    return distributed.nested(found.items())


def _file(path: Path, unsafe: bool, several: bool) -> Any:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(path, head, unsafe, several)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
    ) as reason:
        if isinstance(reason, RuntimeError) and "allocate memory" in str(reason):
            raise CannotReadError("there is not enough memory to read it a second time") from None
        raise CannotReadError("torch.load cannot read it without running code") from None
    except (MemoryError, EOFError, OSError) as reason:
        if isinstance(reason, MemoryError):
            raise CannotReadError("there is not enough memory to read it a second time") from None
        raise UnreadableCheckpointError(f"{path} cannot be read again: {reason}") from None


def _read(path: Path, head: bytes, unsafe: bool, several: bool) -> Any:
    size = path.stat().st_size
    large = size > _SHARE * available_memory()
    if several and mapping_is_guarded():  # shards are mapped, so that a folder takes no more memory than a file
        large = large or head[8:9] == b"{" or (head.startswith(b"PK") and not unsafe and not _is_compressed(path))
    if head[8:9] == b"{":
        from safetensors.torch import load, load_file

        return guarded(load_file(path)) if large else load(path.read_bytes())
    if head.startswith(b"\x93NUMPY"):
        return np.load(path, allow_pickle=False)
    if head.startswith(b"PK") and _is_npz(path, head):
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    if large:
        if not head.startswith(b"PK") or _is_compressed(path):
            raise CannotReadError("there is not enough memory to read it a second time")
        return guarded(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    with path.open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception:
            if not unsafe:
                raise
        file.seek(0)
        try:
            return torch.load(file, map_location="cpu", weights_only=False)
        except Exception:
            file.seek(0)
            return pickle.load(file)


def available_memory() -> int:
    """Bytes that can be taken without anything being swapped out, about."""
    try:
        with Path("/proc/meminfo").open() as lines:
            found = next((line for line in lines if line.startswith("MemAvailable:")), None)
        if found is not None:
            return int(found.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 1 << 62


def guarded(made: Any) -> Any:
    """Guard what was mapped: a file that shrinks meanwhile is noticed, and does not end the process."""
    protect(tensor for _, tensor in leaves(made))
    return made


def _is_compressed(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist())


def _is_npz(path: Path, head: bytes) -> bool:
    """Return whether all records of an archive are arrays; the first is looked at before the directory is read."""
    name = head[_RECORD_NAME : _RECORD_NAME + int.from_bytes(head[_NAME_LENGTH : _NAME_LENGTH + 2], "little")]
    if not name.endswith(b".npy"):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(name.endswith(".npy") for name in archive.namelist())


def bytes_of(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """Return the bytes of every element in order, shape (elements * itemsize,)."""
    whole = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if not whole.numel():
        return np.empty(0, dtype=np.uint8)
    flat = whole.as_strided((whole.numel(),), (1,))  # one element may have any stride
    data: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return data


def leaves(value: object) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor and array of numbers in dictionaries, by its dotted name; not the state of optimizers."""
    yield from _leaves(value, (), Holding(value))


def _leaves(value: object, path: tuple[str, ...], holding: Holding) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    elif isinstance(value, Mapping) and not holding(value):
        value = {key: item for key, item in value.items() if isinstance(item, np.generic)}
    if isinstance(value, Mapping):
        if "state" in value and "param_groups" in value:
            return
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)), holding)
    elif isinstance(value, torch.Tensor):
        yield ".".join(path), value.detach()
    elif isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "?biufc":
        array = np.array(value)
        yield ".".join(path), torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).reshape(array.shape)
