"""Files of torch.save, the archive and the older one, and plain pickles: what is in them, as tensors and containers."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch

from ...errors import CheckpointSizeError, UnreadableCheckpointError
from .archive import Archive
from .mapped import content
from .objects import ArrayRef, MalformedError, Refused, StorageRef, TensorRef
from .unpickling import DataUnpickler, storage_of

_MAGIC = 0x1950A86A20F9469CFC6C
_DAMAGED = "is damaged or incomplete: fetch it again"
_MAX_DEPTH = 100
Storages = Callable[[StorageRef], torch.Tensor]


def read_archive(archive: Archive, max_bytes: int) -> Any:
    """Return the object that torch.save wrote into an archive.

    Raises:
        UnreadableCheckpointError: it is damaged.
        CheckpointSizeError: its tensors take more than `max_bytes` beyond what the file holds of them.
        unpickling.UnknownGlobalError: it holds objects beyond tensors.
    """
    pickles = [name for name in archive if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UnreadableCheckpointError("is an archive with several pickles, which torch.save does not write")
    folder = pickles[0].removesuffix("data.pkl")
    order = archive.read(folder + "byteorder").numpy().tobytes() if folder + "byteorder" in archive else b"little"
    if order not in (b"little", b"big"):
        raise UnreadableCheckpointError(_DAMAGED)

    def storage(reference: StorageRef) -> torch.Tensor:
        return archive.read(f"{folder}data/{reference.key}")

    data = archive.read(pickles[0]).numpy().tobytes()
    nested = _Nested()
    read = _load(io.BytesIO(data), nested, len(data))
    return Builder(nested.storages(storage), big=order == b"big", max_bytes=max_bytes).build(read)


def read_stream(file: BinaryIO, size: int, max_bytes: int) -> Any:
    """The older file of torch.save, or a plain pickle of tensors and arrays. Raises as `read_archive`."""
    nested = _Nested()
    first = _load(file, nested, size)
    if type(first) is not int or first != _MAGIC:
        if file.read(1):
            raise UnreadableCheckpointError("is a pickle followed by other data, not a file of torch.save")
        return Builder(nested.storages(None), big=False, max_bytes=max_bytes).build(first)
    legacy = _Legacy(file, size, nested, start_read=True)
    return Builder(nested.storages(legacy.storage), big=False, max_bytes=max_bytes).build(legacy.root)


def is_torch_pickle(file: BinaryIO) -> bool:
    """Return whether an open file begins as the older files of torch.save do."""
    head = file.read(64)
    file.seek(0)
    return pickle.dumps(_MAGIC, protocol=2)[:-1] in head


def _load(file: BinaryIO, nested: _Nested, budget: int, source: int = 0) -> Any:
    kinds: dict[str, torch.dtype | None] = {}

    def noted(pid: Any) -> StorageRef:
        reference = storage_of(pid, source)
        if kinds.setdefault(reference.key, reference.dtype) != reference.dtype:
            raise MalformedError("a storage of two types, which torch.save does not write")
        return reference

    return DataUnpickler(file, noted, nested.read, 4 * budget + 1000).load()


class _Nested:
    """Storages that were pickled one by one, each as a file of its own (`torch.storage._load_from_bytes`)."""

    def __init__(self) -> None:
        self._files: list[_Legacy] = []

    def read(self, data: bytes) -> StorageRef:
        """The storage that such a file holds."""
        if not isinstance(data, bytes):
            raise MalformedError("a storage that is not bytes")
        inner = _Legacy(io.BytesIO(data), len(data), self, start_read=False, source=len(self._files) + 1)
        self._files.append(inner)
        if not isinstance(inner.root, StorageRef):
            raise MalformedError("a storage that is something else")
        return inner.root

    def storages(self, outer: Storages | None) -> Storages:
        """The bytes of any storage, of the file itself and of those in it."""

        def storage(reference: StorageRef) -> torch.Tensor:
            if reference.source:
                return self._files[reference.source - 1].storage(reference)
            if outer is None:
                raise MalformedError("a storage that is not in the file")
            return outer(reference)

        return storage


def _refuse_nesting(_: bytes) -> Any:
    raise MalformedError("files nested too deep")


class _Legacy:
    """The older file: magic number, version, system, the object, the keys of its storages, and their bytes."""

    def __init__(self, file: BinaryIO, size: int, nested: _Nested, *, start_read: bool, source: int = 0) -> None:
        inner = _refuse_nesting if source else nested.read
        if not start_read and _load(file, nested, size) != _MAGIC:
            raise MalformedError("not a file of torch.save")
        _load(file, nested, size)  # version of the protocol
        _load(file, nested, size)  # of the system; numbers have their lowest byte first on every one
        self._kinds: dict[str, StorageRef] = {}
        self.root = DataUnpickler(file, lambda pid: self._noted(pid, source), inner, 4 * size + 1000).load()
        keys = _load(file, nested, size)
        if not isinstance(keys, list):
            raise MalformedError("storages without names")
        self._places: dict[str, tuple[int, int]] = {}
        place = file.tell()
        for key in keys:
            if not isinstance(key, str) or key in self._places or key not in self._kinds:
                raise MalformedError("a storage that nothing refers to")
            file.seek(place)
            count = int.from_bytes(file.read(8), "little")
            length = count * self._kinds[key].itemsize
            if place + 8 + length > size:
                raise MalformedError("a storage that is cut off")
            self._places[key] = (place + 8, length)
            place += 8 + length
        if place != size:
            raise MalformedError("data after the storages")
        self._content = content(file, size) if source == 0 else torch.frombuffer(file.getbuffer(), dtype=torch.uint8)  # type: ignore[attr-defined]

    def _noted(self, pid: Any, source: int) -> StorageRef:
        reference = storage_of(pid, source)
        if self._kinds.setdefault(reference.key, reference).dtype != reference.dtype:
            raise MalformedError("a storage of two types")
        return reference

    def storage(self, reference: StorageRef) -> torch.Tensor:
        """The bytes of a storage."""
        place = self._places.get(reference.key)
        if place is None:
            raise MalformedError("a storage that is not in the file")
        return self._content[place[0] : place[0] + place[1]]


class Builder:
    """Makes tensors of references.

    Args:
        storages: the bytes of a storage.
        big: whether numbers have their highest byte first.
        max_bytes: how many bytes tensors may take beyond those of their storages (steps of 0 repeat elements, and
            many tensors may show one storage), and copies of arrays.
    """

    def __init__(self, storages: Storages, *, big: bool, max_bytes: int) -> None:
        self._storages = storages
        self._big = big
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._bases: dict[tuple[int, str, torch.dtype], torch.Tensor] = {}
        self._counted: set[tuple[object, ...]] = set()  # storages, and tensors that are alike
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def build(self, value: Any, depth: int = 0) -> Any:
        """Containers with their references replaced; an object that is named twice stays one object."""
        if not isinstance(value, dict | list | tuple | TensorRef | ArrayRef | StorageRef):
            return value
        if id(value) in self._made:
            return self._made[id(value)]
        if depth > _MAX_DEPTH:
            raise UnreadableCheckpointError(f"nests containers more than {_MAX_DEPTH} deep: save the state_dict alone")
        self._kept.append(value)
        made: Any
        if isinstance(value, dict):
            made = self._made[id(value)] = {}
            for key, item in value.items():
                made[key] = self.build(item, depth + 1)
            return made
        if isinstance(value, list):
            made = self._made[id(value)] = []
            made.extend(self.build(item, depth + 1) for item in value)
            return made
        if isinstance(value, tuple):
            made = tuple(self.build(item, depth + 1) for item in value)
        elif isinstance(value, TensorRef):
            made = self._tensor(value)
        elif isinstance(value, ArrayRef):
            made = self._array(value)
        else:
            made = Refused("is a storage, not a tensor: save tensors")
        self._made[id(value)] = made
        return made

    def _tensor(self, reference: TensorRef) -> torch.Tensor:
        base = self._base(reference)
        count = math.prod(reference.shape)
        alike = (reference.storage, reference.dtype, reference.offset, reference.shape, reference.strides)
        if alike not in self._counted:
            self._counted.add(alike)
            self._spend(count * reference.dtype.itemsize)
        if count == 0:
            return torch.empty(reference.shape, dtype=reference.dtype)
        first = base.storage_offset() + self._first(reference) + reference.offset  # counted in all of the file
        tensor = torch.as_strided(base, reference.shape, reference.strides, first)
        if reference.conj and tensor.is_complex():
            tensor = torch._conj(tensor)
        return torch._neg_view(tensor) if reference.neg and tensor.dtype != torch.bool else tensor

    @staticmethod
    def _first(reference: TensorRef) -> int:
        """The first element of a view, in elements of the tensor."""
        return reference.storage.start * reference.storage.itemsize // reference.dtype.itemsize

    def _base(self, reference: TensorRef) -> torch.Tensor:
        storage = reference.storage
        key = (storage.source, storage.key, reference.dtype)
        if key not in self._bases:
            data = self._storages(storage)
            self._bases[key] = _typed(data, reference.dtype, self._big)
            if key[:2] not in self._counted:  # what the file holds may be used once for nothing
                self._counted.add(key[:2])
                self._left += len(data)
        base = self._bases[key]
        if (storage.start + storage.count) * storage.itemsize > len(base) * reference.dtype.itemsize:
            raise UnreadableCheckpointError(
                f"holds less of storage {storage.key[:40]!r} than its tensors need: fetch it again"
            )
        return base

    def _array(self, reference: ArrayRef) -> np.ndarray[Any, np.dtype[Any]] | Refused:
        if reference.made is None:
            raise MalformedError("an array without a state")
        if isinstance(reference.made, Refused):
            return reference.made
        self._spend(reference.made.nbytes)
        return reference.made.copy()

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise CheckpointSizeError(
                f"expands by more than the {self._max_bytes} bytes that max_bytes allows: raise it if you trust "
                "the file"
            )


def _typed(data: torch.Tensor, dtype: torch.dtype, big: bool) -> torch.Tensor:
    """Bytes as elements; a view where the memory allows."""
    width = dtype.itemsize
    data = data[: len(data) // width * width]
    if not len(data):
        return torch.empty(0, dtype=dtype)
    if big and width > 1:
        unit = width // 2 if dtype.is_complex else width
        data = data.reshape(-1, unit).flip(1).reshape(-1)
    if data.data_ptr() % width:
        data = data.clone()
    return data.view(dtype)
