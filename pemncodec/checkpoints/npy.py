"""Arrays of `.npy` files: the header is checked before anything is made of what it says."""

from __future__ import annotations

import math
import tokenize
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from ..errors import UnreadableCheckpointError

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_KINDS = "biufc"  # bool, integers, floats, complex numbers
_LARGEST = (1 << 63) - 1
# What numpy's reader of headers raises for a damaged one.
_DAMAGED = (ArithmeticError, EOFError, LookupError, RecursionError, SyntaxError, TypeError, ValueError)


def load_array(path: Path) -> np.ndarray[Any, Any]:
    """The array of a `.npy` file that is a regular file; in the byte order of this machine, row by row.

    Raises:
        UnreadableCheckpointError: it is no array of numbers: another file, an array of objects, records, texts or
            dates; or it is shorter or longer than its header says.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            shape, by_column, dtype = _header(file, path)
            count = math.prod(shape)
            if count * dtype.itemsize != size - file.tell():
                raise UnreadableCheckpointError(
                    f"{path} has {size - file.tell()} bytes of values, not {count} of {dtype}: fetch it again"
                )
            values = np.fromfile(file, dtype=dtype, count=count)
    except OSError as reason:
        raise UnreadableCheckpointError(f"{path} cannot be read: {reason.strerror or reason}") from None
    except MemoryError:
        raise UnreadableCheckpointError(f"{path} needs more memory than there is") from None
    if len(values) != count:
        raise UnreadableCheckpointError(f"{path} became shorter while it was read: try again")
    if not dtype.isnative:
        values = values.astype(dtype.newbyteorder("="))
    return np.asarray(values.reshape(shape, order="F" if by_column else "C"), order="C")


def _header(file: BinaryIO, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis varies fastest, and type."""
    try:
        version = npy.read_magic(file)
    except ValueError:
        raise UnreadableCheckpointError(
            f"{path} is not a .npy file: it does not begin with the signature of one"
        ) from None
    if version not in _READERS:
        raise UnreadableCheckpointError(
            f"{path} holds records (version {version[0]}.{version[1]}): save an array of numbers"
        )
    try:
        with warnings.catch_warnings():  # of headers that Python 2 wrote
            warnings.simplefilter("ignore")
            shape, by_column, dtype = _READERS[version](file)
    except (*_DAMAGED, tokenize.TokenError, MemoryError):
        raise UnreadableCheckpointError(f"{path} has a damaged .npy header: fetch it again") from None
    if dtype.hasobject:
        raise UnreadableCheckpointError(f"{path} holds Python objects, and reading them would run code: save numbers")
    if dtype.kind not in _KINDS or dtype.fields is not None or dtype.subdtype is not None:
        raise UnreadableCheckpointError(f"{path} holds {dtype.name[:40]}, not numbers: save an array of numbers")
    if not all(isinstance(dim, int) and 0 <= dim <= _LARGEST for dim in shape) or len(shape) > 32:
        raise UnreadableCheckpointError(f"{path} has a damaged .npy header: it has no valid shape")
    if math.prod(dim or 1 for dim in shape) * dtype.itemsize > _LARGEST:
        raise UnreadableCheckpointError(f"{path} has a damaged .npy header: its shape is too large")
    return shape, by_column, dtype
