"""The file that ranks write their shards to, each to its place: all tensors, dense, one after the other."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..checkpoints.reading.mapped import content
from ..common import torch_tensors
from ..errors import OutputError

# Where tensors begin: a multiple of the size of every element.
_ALIGNED = 64


@dataclass(frozen=True)
class Place:
    """A tensor in the file.

    Attributes:
        offset: of its first byte.
        dtype, shape: of the whole tensor.
    """

    offset: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the tensor."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Layout:
    """The place of each tensor.

    Attributes:
        path: of the file, which all ranks see.
        places: by name, in the order of the state_dict.
    """

    path: str
    places: dict[str, Place]

    @property
    def size(self) -> int:
        """Bytes of all tensors, without what is between them."""
        return sum(place.size for place in self.places.values())

    def create(self) -> None:
        """Make the file, of zeros.

        Raises:
            OSError: it cannot be written.
        """
        end = max((place.offset + place.size for place in self.places.values()), default=0)
        with open(self.path, "xb") as file:  # noqa: PTH123
            file.truncate(end)

    def write(self, parts: Iterable[tuple[str, Sequence[int], torch.Tensor]]) -> list[int]:
        """Write parts of tensors: the name, the first index in each dimension, and the elements.

        Returns:
            The bytes of each.

        Raises:
            OutputError: the file cannot be written.
        """
        sizes: list[int] = []
        try:
            with open(self.path, "r+b", buffering=0) as file:  # noqa: PTH123
                for name, offsets, tensor in parts:
                    data = torch_tensors.to_words(tensor, name)[1].view(np.uint8).data
                    done = 0
                    for start, count in _runs(self.places[name], offsets, tuple(tensor.shape)):
                        file.seek(start)
                        while count:
                            written = file.write(data[done : done + count]) or 0
                            done, count = done + written, count - written
                    sizes.append(done)
                os.fsync(file.fileno())
        except OSError as reason:
            raise OutputError(f"{self.path} cannot be written: {reason.strerror or reason}") from None
        return sizes

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors, as views of the mapped file where the system allows it.

        Raises:
            UnreadableCheckpointError, OSError: the file is gone or became shorter.
        """
        with Path(self.path).open("rb") as file:
            flat = content(file, os.fstat(file.fileno()).st_size)
        return {
            name: flat[place.offset : place.offset + place.size].view(place.dtype).reshape(place.shape)
            for name, place in self.places.items()
        }


def planned(path: str, tensors: dict[str, tuple[torch.dtype, tuple[int, ...]]]) -> Layout:
    """The layout of tensors by name."""
    places: dict[str, Place] = {}
    offset = 0
    for name, (dtype, shape) in tensors.items():
        places[name] = Place(offset, dtype, shape)
        offset += -(-places[name].size // _ALIGNED) * _ALIGNED
    return Layout(path, places)


def _runs(place: Place, offsets: Sequence[int], shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """The first byte and the number of bytes of each run of a part that lies in one piece."""
    whole, itemsize = place.shape, place.dtype.itemsize
    outer = len(shape)
    while outer and shape[outer - 1] == whole[outer - 1]:
        outer -= 1
    outer = max(outer - 1, 0)  # of this dimension a part, of those behind it all
    count = math.prod(shape[outer:]) * itemsize
    strides = [math.prod(whole[dimension + 1 :]) for dimension in range(len(whole))]
    inside = sum(offset * stride for offset, stride in zip(offsets[outer:], strides[outer:], strict=True))
    for index in itertools.product(*(range(o, o + n) for o, n in zip(offsets[:outer], shape[:outer], strict=True))):
        start = inside + sum(i * stride for i, stride in zip(index, strides[:outer], strict=True))
        if count:
            yield place.offset + start * itemsize, count
