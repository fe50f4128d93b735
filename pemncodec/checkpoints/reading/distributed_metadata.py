"""The `.metadata` of a folder that `torch.distributed.checkpoint` wrote: a pickle, read as data.

It may name the classes of that module, dtypes, layouts and sizes, and the path that it was saved under; nothing else.
Its records are checked here: which tensors there are, and in which bytes of which file their parts lie.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from ...errors import UnreadableCheckpointError, UnsafeCheckpointError
from ...errors.quoting import quoted
from .objects import MAX_DIMS, Inert, MalformedError
from .unpickling import DataUnpickler, UnknownGlobalError

NAME = ".metadata"
_MAX_METADATA = 1 << 28
_MAX_DEPTH = 64
_METADATA, _FILESYSTEM = "torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem"
_PATHS = ("pathlib", "pathlib._local")  # of `StorageMeta.checkpoint_id`, which is not used
Key = str | int


@dataclass(frozen=True)
class Place:
    """Bytes of a file in the folder."""

    file: str
    offset: int
    length: int


@dataclass(frozen=True)
class Part:
    """A block of a tensor: its first element, its shape, and its file."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    place: Place


@dataclass(frozen=True)
class Stored:
    """An entry of the checkpoint.

    Attributes:
        name: in the metadata.
        path: the keys that lead to it; an integer is a place in a list.
        dtype: of a tensor; None for any other object, which `torch.save` wrote.
        shape: of the tensor.
        parts: of the tensor, of which none is empty, no two overlap, and all together are the tensor; of another
            object one.
    """

    name: str
    path: tuple[Key, ...]
    dtype: torch.dtype | None
    shape: tuple[int, ...]
    parts: tuple[Part, ...]


class _Record:
    """An object of a class of torch.distributed.checkpoint; `state` has what it holds."""

    kind: ClassVar[str] = ""

    def __init__(self, *arguments: object) -> None:
        self.state: Any = arguments


def _class(name: str) -> type[_Record]:
    return type(name, (_Record,), {"kind": name})


_CLASSES: dict[tuple[str, str], type[_Record]] = {
    (module, name): _class(name)
    for module, names in {
        _METADATA: (
            "Metadata",
            "TensorStorageMetadata",
            "BytesStorageMetadata",
            "TensorProperties",
            "ChunkStorageMetadata",
            "MetadataIndex",
            "StorageMeta",
            "_MEM_FORMAT_ENCODING",
        ),
        _FILESYSTEM: ("_StorageInfo", "_StoragePrefix"),
        # where torch 2.2 and older have them
        "torch.distributed._shard.sharded_tensor.metadata": ("TensorProperties", "MEM_FORMAT_ENCODING"),
    }.items()
    for name in names
}


class _Unpickler(DataUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the record that stands for a class; what is none of the checkpoint's own is refused."""
        if (module, name) in _CLASSES:
            return _CLASSES[module, name]
        if module in _PATHS and name.endswith("Path"):
            return Inert
        constant = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype | torch.layout)
        if constant or (module, name) in (("torch", "Size"), ("torch.serialization", "_get_layout")):
            return super().find_class(module, name)
        raise UnknownGlobalError(f"{module}.{name}")

    def load_build(self) -> None:
        """Keep the state of a record."""
        if isinstance(self.stack[-2], _Record):
            state = self.stack.pop()
            self.stack[-1].state = state
        else:
            super().load_build()

    dispatch: ClassVar[dict[int, Any]] = {**DataUnpickler.dispatch, pickle.BUILD[0]: load_build}


def read(data: bytes) -> list[Stored]:
    """Return the entries, in the order of the metadata.

    Raises:
        UnsafeCheckpointError: it names a class that does not belong in it.
        UnreadableCheckpointError: it is damaged, or contradicts itself.
    """
    if len(data) > _MAX_METADATA:
        raise UnreadableCheckpointError(f"has {len(data)} bytes of .metadata, at most {_MAX_METADATA} are allowed")
    try:
        whole = _Unpickler(io.BytesIO(data), _no_reference, _no_reference, 4 * len(data) + 1000).load()
        return list(_entries(whole))
    except UnknownGlobalError as reason:
        raise UnsafeCheckpointError(
            f"has .metadata with a {quoted(str(reason))}, which torch.distributed.checkpoint does not write: reading "
            "it would run code, so fetch it again"
        ) from None
    except UnreadableCheckpointError:
        raise
    except Exception:  # a damaged pickle makes the unpickler raise nearly anything
        raise UnreadableCheckpointError("has damaged or incomplete .metadata: fetch it again") from None


def _no_reference(_: Any) -> Any:
    raise MalformedError("a reference to another file")


def _entries(whole: Any) -> Iterator[Stored]:
    metadata = _state(whole, "Metadata")
    places = dict(_places(metadata["storage_data"]))
    paths = metadata.get("planner_data")
    paths = paths if isinstance(paths, dict) else {}
    for name, about in _dict(metadata["state_dict_metadata"]).items():
        if not isinstance(name, str):
            raise MalformedError("a name that is not text")
        path = _path(paths.get(name, (name,)))
        if isinstance(about, _Record) and about.kind == "BytesStorageMetadata":
            yield Stored(name, path, None, (), (Part((), (), _place(places, name, None)),))
            continue
        said = _state(about, "TensorStorageMetadata")
        properties = said["properties"]
        if not isinstance(properties, _Record) or properties.kind != "TensorProperties":
            raise MalformedError("a tensor without properties")
        dtype = properties.state["dtype"] if isinstance(properties.state, dict) else properties.state[0]
        if not isinstance(dtype, torch.dtype):
            raise MalformedError("a tensor without a dtype")
        shape = _counts(said["size"])
        chunks = [_state(chunk, "ChunkStorageMetadata") for chunk in said["chunks"]]
        blocks = [(_counts(chunk["offsets"]), _counts(chunk["sizes"])) for chunk in chunks]
        blocks = [(offsets, sizes) for offsets, sizes in blocks if 0 not in sizes]  # ranks without a row
        _check_blocks(name, shape, blocks)
        parts = (Part(offsets, sizes, _place(places, name, offsets)) for offsets, sizes in blocks)
        yield Stored(name, path, dtype, shape, tuple(parts))


Index = tuple[str, tuple[int, ...] | None]


def _places(storage: Any) -> Iterator[tuple[Index, Place]]:
    seen = set()
    for key, value in _dict(storage).items():
        index, info = _state(key, "MetadataIndex"), _state(value, "_StorageInfo")
        offset = index.get("offset")
        found = index["fqn"], None if offset is None else _counts(offset)
        file, start, length = info["relative_path"], info["offset"], info["length"]
        if not isinstance(found[0], str) or not isinstance(file, str) or found in seen:
            raise MalformedError("a part without a name or a file, or one that is there twice")
        seen.add(found)
        if info.get("transform_descriptors"):
            raise UnreadableCheckpointError(
                f"has {quoted(found[0])} compressed by an extension: save it without extensions, or as one file "
                "(dcp_to_torch_save)"
            )
        yield found, Place(file, *_counts((start, length)))


def _place(places: dict[Index, Place], name: str, offsets: tuple[int, ...] | None) -> Place:
    place = places.get((name, offsets))
    if place is None:
        raise UnreadableCheckpointError(f"has no place for a part of {quoted(name)} in its .metadata: fetch it again")
    return place


def _check_blocks(name: str, shape: tuple[int, ...], blocks: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """Refuse blocks that lie outside of a tensor, overlap, or leave a part of it out.

    Disjoint blocks within it whose elements are as many as its own are all of it.
    """
    for offsets, sizes in blocks:
        if len(offsets) != len(shape) or len(sizes) != len(shape):
            raise MalformedError("a part of another number of dimensions")
        if any(start + count > dim for start, count, dim in zip(offsets, sizes, shape, strict=True)):
            raise UnreadableCheckpointError(f"has a part of {quoted(name)} that lies outside of it: fetch it again")
    if sum(math.prod(sizes) for _, sizes in blocks) != math.prod(shape) or _overlap(blocks):
        raise UnreadableCheckpointError(
            f"has parts of {quoted(name)} that overlap, or do not make up the whole: fetch it again"
        )


def _overlap(blocks: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    """Return whether any two blocks share an element; a sweep over the first dimension that tells any two apart."""
    dims = len(blocks[0][0]) if blocks else 0
    axis = max(range(dims), key=lambda axis: len({offsets[axis] for offsets, _ in blocks}), default=0)
    if not dims:
        return len(blocks) > 1
    ordered = sorted(blocks, key=lambda block: block[0][axis])
    compared = 0
    for place, (offsets, sizes) in enumerate(ordered):
        for other, counts in ordered[place + 1 :]:
            if other[axis] >= offsets[axis] + sizes[axis]:
                break
            compared += 1
            if compared > 1 << 22:
                raise UnreadableCheckpointError("has a tensor in too many parts: save it in fewer")
            if all(a < b + m and b < a + n for a, n, b, m in zip(offsets, sizes, other, counts, strict=True)):
                return True
    return False


def _path(path: Any) -> tuple[Key, ...]:
    if not isinstance(path, tuple) or not 0 < len(path) <= _MAX_DEPTH:
        raise MalformedError("a path that is not a tuple of keys")
    if not all(type(key) in (str, int) for key in path) or type(path[0]) is not str:
        raise MalformedError("a key that is neither text nor a number")
    return path


def _state(value: Any, kind: str) -> dict[str, Any]:
    if not isinstance(value, _Record) or value.kind != kind:
        raise MalformedError(f"no {kind}")
    return _dict(value.state)


def _dict(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise MalformedError("no dictionary")
    return value


def _counts(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > MAX_DIMS:
        raise MalformedError("no shape")
    if not all(type(value) is int and 0 <= value < 1 << 48 for value in values):
        raise MalformedError("a dimension that is not a count")
    return values
