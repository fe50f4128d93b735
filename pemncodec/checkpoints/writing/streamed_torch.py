"""A file as torch.save writes it, written tensor by tensor.

The file is a zip archive of stored records: `data.pkl` is the pickled state_dict, whose tensors refer to storages by
number; `data/0`, `data/1`, … are the storages; `byteorder` and `version` say how to read them. torch.save can only
write what is in memory, and its ways around that are newer than the oldest torch that we run with, so the archive is
made here. It names only what every torch must go on reading: two functions and the classes of storages.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ...common.progress import Progress
from ...common.torch_tensors import torch_dtype
from .streamed import StreamedTensor, owners, pour

_FOLDER = "archive"
_ALIGNMENT = 64
_LOCAL_HEADER = 30
_ZIP64_FIELD = 20

# Types that torch has had for long carry their own class of storage; newer ones are bytes and a dtype.
_STORAGES = {
    "bool": torch.BoolStorage,
    "uint8": torch.ByteStorage,
    "int8": torch.CharStorage,
    "int16": torch.ShortStorage,
    "int32": torch.IntStorage,
    "int64": torch.LongStorage,
    "float16": torch.HalfStorage,
    "bfloat16": torch.BFloat16Storage,
    "float32": torch.FloatStorage,
    "float64": torch.DoubleStorage,
    "complex64": torch.ComplexFloatStorage,
    "complex128": torch.ComplexDoubleStorage,
}


def write(tensors: Sequence[StreamedTensor], path: Path, progress: Progress) -> None:
    """Write a file that torch.load reads, with `weights_only` and `mmap` or without, as a dict of CPU tensors.

    Tied tensors are one tensor, as when torch.save is given one tensor under two names.

    Args:
        tensors: in the order of the dict.
        path: a file that may be overwritten.
        progress: called with (bytes done, bytes in total, name).

    Raises:
        UnsupportedTensorError: the installed torch lacks a dtype.
        OSError: `path` cannot be written.
        ValueError: contradictions, as `streamed.owners` and `streamed.pour` say; and whatever `pieces` raises.
    """
    own = owners(tensors)
    stored = [tensor for tensor in tensors if own[tensor.name] is tensor]
    pickled = {tensor.name: _Tensor(tensor, str(number)) for number, tensor in enumerate(stored)}
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump({name: pickled[owner.name] for name, owner in own.items()})
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        _add(archive, file, "data.pkl", [buffer.getbuffer()], buffer.tell())
        # Without torch's record .format_version, a reader takes the places of storages from the archive itself
        _add(archive, file, "byteorder", [b"little"], 6)
        for number, (tensor, pieces) in enumerate(pour(stored, progress)):
            _add(archive, file, f"data/{number}", pieces, tensor.size)
        _add(archive, file, "version", [b"3\n"], 2)


def _add(archive: zipfile.ZipFile, file: BinaryIO, name: str, pieces: Iterable[bytes | memoryview], size: int) -> None:
    """Add a record whose data begins at a multiple of 64 bytes, which torch.load(mmap=True) makes views of."""
    info = zipfile.ZipInfo(f"{_FOLDER}/{name}")
    zip64 = size > zipfile.ZIP64_LIMIT
    before = file.tell() + _LOCAL_HEADER + len(info.filename) + _ZIP64_FIELD * zip64
    info.extra = _padding(before)
    with archive.open(info, "w", force_zip64=zip64) as record:
        record.writelines(pieces)
    info.extra = b""  # the padding is not wanted in the archive's directory


def _padding(before: int) -> bytes:
    """An extra field, named as torch's, that ends at the alignment when it starts at `before`."""
    fill = -(before + 4) % _ALIGNMENT
    return b"FB" + fill.to_bytes(2, "little") + bytes(fill)


class _Storage:
    """Stands for the storage of a tensor in the pickle."""

    def __init__(self, tensor: StreamedTensor, key: str) -> None:
        kind = _STORAGES.get(tensor.dtype.name, torch.UntypedStorage)
        unit = 1 if kind is torch.UntypedStorage else tensor.dtype.itemsize
        self.identity = ("storage", kind, key, "cpu", tensor.size // unit)


class _Tensor:
    """Stands for a tensor in the pickle."""

    def __init__(self, tensor: StreamedTensor, key: str) -> None:
        self.storage = _Storage(tensor, key)
        self.shape = tensor.shape
        # the newer way of writing names the dtype at the end
        self.dtype = () if tensor.dtype.name in _STORAGES else (torch_dtype(tensor.dtype),)

    def reduced(self) -> tuple[Any, tuple[Any, ...]]:
        """Return the call that torch.load makes: storage, offset, shape, strides, requires_grad, hooks."""
        rebuild = torch._utils._rebuild_tensor_v3 if self.dtype else torch._utils._rebuild_tensor_v2
        return rebuild, (self.storage, 0, self.shape, _strides(self.shape), False, OrderedDict(), *self.dtype)


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a contiguous tensor, as torch counts them: an empty dimension counts as 1."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return tuple(strides)


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.identity if isinstance(obj, _Storage) else None

    def reducer_override(self, obj: Any) -> Any:
        return obj.reduced() if isinstance(obj, _Tensor) else NotImplemented
