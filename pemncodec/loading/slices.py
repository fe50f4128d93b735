"""`TensorSlices`: rows, and other parts, of one tensor of an opened file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, SupportsIndex

import numpy as np
import torch

from ..coding.decoder import Decoder
from ..coding.parts import PartDecoder
from ..common import torch_tensors
from ..common.words import Words
from ..container.opening import PathOrBytes, memory_errors, naming
from ..errors import SliceError
from ..errors.quoting import quoted
from ..network.fill import PIECE

# An index of one dimension.
Index = SupportsIndex | slice | EllipsisType


class TensorSlices:
    """Parts of one tensor of an opened file, as safetensors' `get_slice` gives them.

    A part costs about what its rows cost where masks and values are raw: their pages alone are read. A mask of rANS
    bytes is decoded from its beginning to the part; other masks, and values in a coded block, are decoded whole at the
    first part. What was decoded beside a part is kept as long as this object (docs/how-to/single-tensors.md).

    Example:
        >>> rows = file.get_slice("layer.weight")[128:256]
    """

    def __init__(self, decoder: Decoder, index: int, source: PathOrBytes) -> None:
        self._decoder = decoder
        self._source = source
        self._name = decoder.manifest.entries[index].name
        self._dtype = decoder.dtype(index)
        self._shape = decoder.shape(index)
        self._parts = PartDecoder(decoder, index)

    def get_shape(self) -> list[int]:
        """Shape of the whole tensor."""
        return list(self._shape)

    def get_dtype(self) -> str:
        """Element type, by PyTorch's name without `torch.`, as `PemnFile.dtype`."""
        return self._dtype.name

    def __getitem__(self, key: Index | tuple[Index, ...]) -> torch.Tensor:
        """A part of the tensor, the same bits as of the whole one: a new tensor, on the CPU.

        Args:
            key: integers, slices of steps of 1 or more, and `...`, at most one a dimension.

        Raises:
            SliceError: another kind of index, or one out of range.
            FormatError: what the part needs is damaged, or more than `max_bytes` would be made.
            BaseFileError: the file is a delta, and its base was not given, or is another file.
        """
        rows, shape = self._rows(key)
        size = math.prod(shape) * self._dtype.itemsize
        self._decoder.begin()
        with naming(self._source), memory_errors():
            self._decoder.check_limit(size, f"a part of {quoted(self._name)}")
            tensor, words = torch_tensors.empty(self._dtype, shape)
            if len(words):
                runs = list(_runs(words.reshape(*map(len, rows), -1), 0, self._shape, rows))
                self._parts.expect([(run.start, run.start + math.prod(run.shape)) for run in runs])
                for run in runs:
                    self._decode(run)
            else:
                self._parts.fill(words, 0)
        return tensor

    def _rows(self, key: Index | tuple[Index, ...]) -> tuple[tuple[range, ...], tuple[int, ...]]:
        """The places along each dimension, and the shape without the dimensions of integers."""
        items: list[Any] = list(key) if isinstance(key, tuple) else [key]
        wild = [place for place, item in enumerate(items) if item is ...]
        if len(items) - len(wild) > len(self._shape) or len(wild) > 1:
            raise self._error(f"has {len(self._shape)} dimensions, too few for {len(items)} indices")
        place = wild[0] if wild else len(items)
        filling = [slice(None)] * (len(self._shape) - len(items) + len(wild))
        items[place : place + 1] = filling
        rows = tuple(self._range(item, size) for item, size in zip(items, self._shape, strict=True))
        return rows, tuple(len(row) for row, item in zip(rows, items, strict=True) if isinstance(item, slice))

    def _range(self, item: Any, size: int) -> range:
        if isinstance(item, slice):
            try:
                found = range(*item.indices(size))
            except (TypeError, ValueError):
                found = range(0, 0, -1)
            if found.step < 1:
                raise self._error("is sliced by integers, with steps of 1 or more")
            return range(found.start, found.start + 1) if len(found) == 1 else found
        if isinstance(item, bool | np.bool_) or not hasattr(item, "__index__"):
            raise self._error(f"is indexed by integers, slices and '...', not by {type(item).__name__}: use get_tensor")
        number = item.__index__()
        if not -size <= number < size:
            raise self._error(f"has no index {number} in a dimension of {size}")
        return range(number % size, number % size + 1)

    def _error(self, what: str) -> SliceError:
        return SliceError(f"{quoted(self._name)} {what}")

    def _decode(self, run: _Run) -> None:
        if run.key is None:
            self._parts.fill(run.out.reshape(-1), run.start)
            return
        buffer = np.empty((*run.shape, run.out.shape[-1]), dtype=run.out.dtype)
        self._parts.fill(buffer.reshape(-1), run.start)
        run.out[...] = buffer[run.key]


@dataclass(frozen=True)
class _Run:
    """Elements that follow each other in the tensor, and what is wanted of them.

    Attributes:
        out: where they go, with the words of an element as the last dimension.
        start: the first element.
        shape: of the elements.
        key: which of them are wanted; None for all, and `out` is contiguous.
    """

    out: Words
    start: int
    shape: tuple[int, ...]
    key: tuple[slice, ...] | None


def _runs(out: Words, start: int, shape: tuple[int, ...], rows: tuple[range, ...]) -> Iterator[_Run]:
    """The runs of places `rows` of the tensor of this shape that begins at element `start`, in ascending order."""
    if not shape:
        yield _Run(out, start, (), None)
        return
    first, inner = rows[0], math.prod(shape[1:])
    if first.step == 1 and all(row == range(size) for row, size in zip(rows[1:], shape[1:], strict=True)):
        yield _Run(out, start + first.start * inner, (len(first), *shape[1:]), None)
        return
    at_a_time = PIECE // (inner * first.step)
    if len(first) == 1 or at_a_time < 2:
        for number, row in enumerate(first):
            yield from _runs(out[number], start + row * inner, shape[1:], rows[1:])
        return
    others = tuple(slice(row.start, row.stop, row.step) for row in rows[1:])
    for done in range(0, len(first), at_a_time):
        some = first[done : done + at_a_time]
        span = some[-1] - some[0] + 1
        key = (slice(None, None, first.step), *others)
        yield _Run(out[done : done + len(some)], start + some[0] * inner, (span, *shape[1:]), key)
