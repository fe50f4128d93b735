"""Stand-ins for what a pickle names: records of what was said, none of which runs code of torch or of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# What torch's classes of storages hold. `None`: bytes, whose dtype the tensor says itself.
STORAGES: dict[str, torch.dtype | None] = {
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": None,
    "QInt8Storage": torch.qint8,
    "QUInt8Storage": torch.quint8,
    "QInt32Storage": torch.qint32,
    "QUInt4x2Storage": torch.quint4x2,
    "QUInt2x4Storage": torch.quint2x4,
}
MAX_DIMS = 64


class MalformedError(ValueError):
    """A pickle says something that torch.save does not write."""


@dataclass(frozen=True)
class StorageType:
    """A class of storages."""

    dtype: torch.dtype | None


@dataclass(frozen=True)
class StorageRef:
    """A storage in the file.

    Attributes:
        key: its name there, in whichever file or nested file `source` numbers.
        dtype: of its elements; None: bytes.
        count: number of elements.
        start: first element, for a view of another storage (the oldest files have these).
    """

    key: str
    dtype: torch.dtype | None
    count: int
    start: int = 0
    source: int = 0

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return 1 if self.dtype is None else self.dtype.itemsize


@dataclass(frozen=True)
class TensorRef:
    """A strided tensor over a storage of the file; checked to lie within it."""

    storage: StorageRef
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    conj: bool = False
    neg: bool = False


@dataclass(frozen=True)
class Refused:
    """A tensor that is no plain one. It is an error where the network needs it, and nothing where it stands beside.

    Attributes:
        what: what it is, and what to do.
    """

    what: str


class Inert:
    """An object of a class that is known and not needed; it keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> Inert:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Ignore the state."""


class Ordered(dict[Any, Any]):
    """A dictionary that may carry attributes, as the OrderedDict of a state_dict does (`_metadata`)."""


def tensor_ref(
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    dtype: torch.dtype | None = None,
    metadata: object = None,
) -> TensorRef | Refused:
    """The tensor that `torch._utils._rebuild_tensor` and its successors are called for.

    Raises:
        MalformedError: it does not lie within its storage.
    """
    if not isinstance(storage, StorageRef):
        raise MalformedError("a tensor without a storage")
    kind = dtype or storage.dtype
    if kind is None or (dtype is not None and storage.dtype is not None and dtype != storage.dtype):
        raise MalformedError("a tensor without a dtype, or with another one than its storage")
    if kind in (torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4):
        return Refused(f"has dtype {kind}, which .pemn cannot hold: convert it (int_repr(), scale, zero point)")
    dims, steps, start = _integers(shape), _integers(strides), _integers([offset])[0]
    if len(dims) != len(steps) or len(dims) > MAX_DIMS:
        raise MalformedError("a tensor whose strides and shape differ in length")
    available = storage.count * storage.itemsize // kind.itemsize
    last = start + sum((dim - 1) * step for dim, step in zip(dims, steps, strict=True)) if 0 not in dims else start - 1
    if last >= available or start > available:
        raise MalformedError("a tensor that is larger than its storage")
    marks = metadata if isinstance(metadata, dict) else {}
    return TensorRef(storage, kind, start, dims, steps, bool(marks.get("conj")), bool(marks.get("neg")))


def _integers(values: object) -> tuple[int, ...]:
    """Not negative, and none of them a bool or larger than what torch counts with."""
    if not isinstance(values, list | tuple):
        raise MalformedError("a shape that is not a tuple")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
            raise MalformedError("a dimension that is not a count")
    return tuple(values)


class ArrayRef:
    """A numpy array or scalar while it is read; `made` is the array once its state is known."""

    def __init__(self) -> None:
        self.made: np.ndarray[Any, np.dtype[Any]] | Refused | None = None

    def __setstate__(self, state: object) -> None:
        """Take what `numpy.ndarray.__reduce__` gives: version, shape, dtype, Fortran order, bytes."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise MalformedError("an array without a state")
        if self.made is not None:
            raise MalformedError("an array that is built twice")
        _, shape, dtype, fortran, data = state
        self.made = array_of(data, dtype, shape, "F" if fortran else "C")


class DTypeRef:
    """A numpy dtype while it is read: a code, and the byte order that follows in its state."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: object) -> None:
        """Take what `numpy.dtype.__reduce__` gives; the second item is the byte order."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def known(self) -> np.dtype[Any] | None:
        """The type, if it is one of plain numbers."""
        if not isinstance(self.code, str) or len(self.code) > 4 or self.code[:1] not in "?biufc":
            return None
        try:
            found = np.dtype(self.code)
        except TypeError:
            return None
        return found if self.order in "|=" else found.newbyteorder(self.order)  # type: ignore[arg-type]


def array_of(data: object, dtype: object, shape: object, order: str) -> np.ndarray[Any, np.dtype[Any]] | Refused:
    """A numpy array of these bytes.

    Raises:
        MalformedError: there are more or fewer bytes than the shape needs.
    """
    kind = dtype.known() if isinstance(dtype, DTypeRef) else None
    if kind is None:
        return Refused("is a numpy array of objects or strings: convert it to an array of numbers")
    dims = _integers(shape if isinstance(shape, tuple) else [shape])
    if not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise MalformedError("an array without bytes")
    count = 1
    for dim in dims:
        count *= dim
    if len(data) != count * kind.itemsize:
        raise MalformedError("an array whose size in bytes does not match its shape")
    return np.frombuffer(data, dtype=kind).reshape(dims, order=order)  # type: ignore[call-overload, no-any-return]
