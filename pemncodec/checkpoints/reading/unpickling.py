"""Read a pickle as data: a closed table says what the names in it stand for, and nothing else is looked up.

Python's own unpickler (the one in Python, whose memory is bounded by the file) does the opcodes of all protocols; every
global becomes a function of this module that records what it was called with.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sized
from functools import partial
from typing import Any, BinaryIO, ClassVar

import torch

from .objects import (
    STORAGES,
    ArrayRef,
    DTypeRef,
    Inert,
    MalformedError,
    Ordered,
    Refused,
    StorageRef,
    StorageType,
    TensorRef,
    array_of,
    tensor_ref,
)

Persistent = Callable[[Any], Any]
_CONSTANTS = {
    name: value
    for name, value in vars(torch).items()
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format | torch.qscheme)
}
_NUMPY = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_FIRST_WITH_FRAMES = b"\x04"
_SHARDED = "is a DTensor, a part of a distributed tensor: save its full_tensor()"


class UnknownGlobalError(Exception):
    """A pickle names a class or function that is not in the table; reading it would run code."""


class DataUnpickler(pickle._Unpickler):
    """Unpickles containers, numbers, texts, references to tensors, and numpy arrays.

    Args:
        file: where to read.
        persistent: what a persistent id stands for.
        nested: reads the bytes of a storage that was pickled as a file of its own.
        budget: how many elements of containers and bytes may be copied in all; one object may be named many times.

    Raises (from `load`):
        UnknownGlobalError: the pickle names something else.
        MalformedError, and nearly any other Exception: it is damaged.
    """

    stack: list[Any]

    def __init__(self, file: BinaryIO, persistent: Persistent, nested: Callable[[bytes], Any], budget: int) -> None:
        super().__init__(file, encoding="utf-8")
        self._file = file
        self._persistent = persistent
        self._nested = nested
        self._left = budget

    def load(self) -> Any:
        """Return the object that was pickled.

        Without the layer of the base class that knows frames, where there are none: torch.save writes protocol 2, and a
        fifth of the time goes into it.
        """
        head = self._file.read(2)
        self._file.seek(-len(head), io.SEEK_CUR)
        if head[:1] != pickle.PROTO or head[1:] >= _FIRST_WITH_FRAMES:
            return super().load()
        read, dispatch = self._file.read, self.dispatch
        self.read, self.readline = read, self._file.readline
        self.metastack: list[list[Any]] = []
        self.stack = []
        self.append = self.stack.append
        self.proto = 0
        try:
            while True:
                dispatch[ord(read(1))](self)  # at the end of the file a TypeError
        except pickle._Stop as stop:  # type: ignore[attr-defined]
            return stop.value

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage that a reference stands for."""
        return self._persistent(pid)

    def get_extension(self, code: int) -> Any:
        """Refuse extension codes: no registry is asked."""
        raise UnknownGlobalError(f"extension {code}")

    def load_build(self) -> None:
        """Set the state of a record. Attributes of others are not kept: of a function they would outlive the file."""
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, ArrayRef | DTypeRef):
            made.__setstate__(state)
        elif not isinstance(made, Inert | Ordered):
            raise MalformedError("a state for an object that has none")

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}

    def find_class(self, module: str, name: str) -> Any:
        """Return the record or function that stands for a global."""
        module = "builtins" if module == "__builtin__" else module  # as Python 2 called it
        if module == "torch.storage" and name == "_load_from_bytes":
            return partial(self._spend, self._nested)
        if module in ("torch", "torch.storage", "torch.cuda"):
            if name in STORAGES:
                return StorageType(STORAGES[name])
            if module == "torch" and name in _CONSTANTS:
                return _CONSTANTS[name]
        if module in _NUMPY and (name in _ARRAYS or name == "ndarray"):
            return partial(self._spend, _ARRAYS[name]) if name != "ndarray" else Inert
        if module.startswith("torch.distributed."):  # their parts; the tensor itself is refused by name
            return _Distributed
        known = _TABLE.get(f"{module}.{name}")
        if known is None:
            raise UnknownGlobalError(f"{module}.{name}")
        return partial(self._spend, known) if known in _COPYING else known

    def _spend(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._left -= 1 + sum(len(one) for one in arguments if isinstance(one, Sized))
        if self._left < 0:
            raise MalformedError("the same bytes many times over")
        return function(*arguments)


class _Distributed(Inert):
    """A part of a DTensor."""


def _refuses(what: str) -> Callable[..., Refused]:
    return lambda *_, **__: Refused(what)


def _rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> TensorRef | Refused:
    """`_rebuild_tensor`, `_rebuild_tensor_v2`: requires_grad, hooks and metadata follow."""
    return tensor_ref(storage, offset, shape, strides, metadata=more[2] if len(more) > 2 else None)


def _rebuild_v3(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> TensorRef | Refused:
    if not isinstance(dtype, torch.dtype):
        raise MalformedError("a tensor without a dtype")
    return tensor_ref(storage, offset, shape, strides, dtype, metadata)


def _same(data: Any, *_: Any) -> Any:
    """A parameter is the tensor that it holds."""
    return data


def _moved(data: Any, dtype: Any, *_: Any) -> Any:
    """A tensor that another device held, and that was saved as one on the CPU."""
    if isinstance(data, TensorRef) and dtype == data.dtype:
        return data
    return Refused("was saved from a device that changes its type: save it from the CPU")


def _rebuild_subclass(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """A tensor with attributes, or of a subclass: only torch's own types are plain tensors."""
    if not callable(function) or not isinstance(arguments, tuple):
        raise MalformedError("a tensor without a constructor")
    if kind is _Distributed:
        return Refused(_SHARDED)
    made = function(*arguments)
    if kind in (_tensor_type, _same) or isinstance(made, Refused):
        return made
    return Refused("is a tensor subclass: save it as a plain tensor")


def _tensor_type(*_: Any) -> Refused:
    return Refused("is a tensor without elements in the file")


def _mapping(*arguments: Any) -> Ordered:
    return Ordered(*(one for one in arguments if isinstance(one, dict | list)))


def _tuple(*arguments: Any) -> tuple[Any, ...]:
    return tuple(*arguments)


def _encoded(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise MalformedError("bytes that are not text")
    return text.encode("latin1")


def _bytes(data: Any = b"", *_: Any) -> bytes:
    if not isinstance(data, bytes):
        raise MalformedError("an array of bytes without bytes")
    return data


def _array(*_: Any) -> ArrayRef:
    return ArrayRef()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    made = ArrayRef()
    made.made = array_of(data, dtype, shape, order)
    return made


def _scalar(dtype: Any, data: Any = b"") -> Any:
    made = ArrayRef()
    made.made = array_of(data, dtype, (), "C")
    return made


def _dtype(code: Any, *_: Any) -> DTypeRef:
    return DTypeRef(code)


_ARRAYS: dict[str, Any] = {
    "_reconstruct": _array,
    "_frombuffer": _frombuffer,
    "scalar": _scalar,
    "dtype": _dtype,
}

_TABLE: dict[str, Any] = {
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "collections.defaultdict": _mapping,
    "torch.nn.parameter.Parameter": _same,
    "torch.nn.parameter.Buffer": _same,
    "torch.nn.parameter.UninitializedParameter": _refuses("is a lazy parameter without values: run the model once"),
    "torch.nn.parameter.UninitializedBuffer": _refuses("is a lazy buffer without values: run the model once"),
    "torch.Tensor": _tensor_type,
    "torch._tensor.Tensor": _tensor_type,
    "torch.Size": _tuple,
    "torch.device": Inert,
    "torch.serialization._get_layout": Inert,
    "_codecs.encode": _encoded,
    "builtins.bytearray": _bytes,
    "builtins.set": _tuple,
    "builtins.frozenset": _tuple,
    "builtins.complex": complex,
    "builtins.dict": _mapping,
    "builtins.list": _tuple,
    "builtins.int": _refuses("is a number"),  # factories of a defaultdict, never called
    "builtins.float": _refuses("is a number"),
    "torch._utils._rebuild_tensor": _rebuild,
    "torch._utils._rebuild_tensor_v2": _rebuild,
    "torch._utils._rebuild_tensor_v3": _rebuild_v3,
    "torch._utils._rebuild_parameter": _same,
    "torch._utils._rebuild_parameter_with_state": _same,
    "torch._tensor._rebuild_from_type_v2": _rebuild_subclass,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _moved,
    "torch._utils._rebuild_device_tensor_from_numpy": _refuses("was saved from another device: save it from the CPU"),
    "torch._utils._rebuild_qtensor": _refuses(
        "is quantized, which .pemn cannot hold: convert it (int_repr(), scale, zero point)"
    ),
    "torch._utils._rebuild_sparse_tensor": _refuses("is sparse: make it dense (to_dense()) and pack again"),
    "torch._utils._rebuild_nested_tensor": _refuses("is a nested tensor: save its parts as tensors"),
    "torch._utils._rebuild_meta_tensor_no_storage": _refuses("is on the meta device and has no values"),
    "torch._utils._rebuild_wrapper_subclass": _refuses("is a tensor subclass: save it as a plain tensor"),
}

# What copies what it is given.
_COPYING = (_mapping, _tuple, _bytes, _encoded)


def storage_of(pid: Any, source: int = 0) -> StorageRef:
    """The storage of a persistent id: ("storage", type, key, location, count[, view]).

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] not in ("storage", b"storage"):
        raise MalformedError("a reference to something other than a storage")
    _, kind, key, _, count, *view = pid
    if (
        not isinstance(kind, StorageType)
        or not isinstance(key, str)
        or type(count) is not int
        or not 0 <= count < 1 << 62
    ):
        raise MalformedError("a storage without type, name and size")
    if not view or view[0] is None:
        return StorageRef(key, kind.dtype, count, 0, source)
    if not isinstance(view[0], tuple) or len(view[0]) != 3:
        raise MalformedError("a malformed view of a storage")
    _, start, size = view[0]
    if type(start) is not int or type(size) is not int or start < 0 or size < 0 or start + size > count:
        raise MalformedError("a view that is larger than its storage")
    return StorageRef(key, kind.dtype, size, start, source)
