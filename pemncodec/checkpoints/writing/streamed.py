"""Tensors that are written piece by piece: what a writer is given, and how it walks over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import DType
from ...common.progress import Progress
from ...container.manifest.rows import numel

Piece = bytes | memoryview | NDArray[np.generic]


@dataclass(frozen=True)
class StreamedTensor:
    """One tensor of a state_dict, whose bytes are made when they are written.

    Attributes:
        name: its key in the state_dict.
        dtype: element type.
        shape: dimensions; `()` for a scalar.
        pieces: makes an iterator over the elements' bytes, little-endian, in row-major order; arrays of any type count
            with the bytes they hold. All pieces together have `size` bytes. It may be called more than once.
        same_as: for a tied tensor the name of an earlier one of the same dtype and shape: both become one tensor, and
            `pieces` of this one is never called.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[Piece]]
    same_as: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all elements."""
        return numel(self.shape) * self.dtype.itemsize


def owners(tensors: Sequence[StreamedTensor]) -> dict[str, StreamedTensor]:
    """For every name the tensor whose bytes it has: itself, or what it is tied to.

    Raises:
        ValueError: a name is there twice, or is tied to a tensor that is not there before it or looks different.
    """
    found: dict[str, StreamedTensor] = {}
    for tensor in tensors:
        if tensor.name in found:
            raise ValueError(f"two tensors are named {tensor.name!r}")
        owner = tensor if tensor.same_as is None else found.get(tensor.same_as)
        if owner is None or (owner.dtype, owner.shape) != (tensor.dtype, tensor.shape):
            raise ValueError(f"{tensor.name!r} cannot be tied to {tensor.same_as!r}: no such tensor before it")
        found[tensor.name] = owner
    return found


def pour(
    tensors: Sequence[StreamedTensor], progress: Progress
) -> Iterator[tuple[StreamedTensor, Iterator[memoryview]]]:
    """Every tensor in turn with its pieces, which are to be written before the next tensor is asked for.

    Args:
        tensors: in the order of the file; ties are not looked at.
        progress: called with (bytes done, bytes in total, name).

    Raises:
        ValueError: the pieces of a tensor have more or fewer bytes than the tensor; and whatever `pieces` raises.
    """
    done, total = 0, sum(tensor.size for tensor in tensors)
    for tensor in tensors:
        yield tensor, _pieces(tensor, done, total, progress)
        done += tensor.size
    progress(total, total, "")


def _pieces(tensor: StreamedTensor, done: int, total: int, progress: Progress) -> Iterator[memoryview]:
    left = tensor.size
    progress(done, total, tensor.name)
    for piece in tensor.pieces():
        if isinstance(piece, np.ndarray):
            data = np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data
        else:
            data = memoryview(piece)
        left -= data.nbytes
        if left < 0:
            break
        yield data
        progress(done + tensor.size - left, total, tensor.name)
    if left:
        raise ValueError(f"the pieces of {tensor.name!r} do not add up to its {tensor.size} bytes")
