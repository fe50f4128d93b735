"""A packed weight: tensors that hold it, and what they mean (spec section 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.bits import PIECE, byte_length, count_ones
from ..container.manifest.rows import numel
from .cached import Cached

KEPT = "kept"
ONES: Cached[int] = Cached()  # how many ones a mask has
# The tensors of a weight, in the order in which `PackedTensor` takes them.
INNER = ("bits", "stored", "others", "presence", "others_presence")
Maybe = torch.Tensor | None
Inner = tuple[torch.Tensor, torch.Tensor, Maybe, Maybe, Maybe]


@dataclass(frozen=True)
class Meaning:
    """The meaning of the tensors of a packed weight, beside their contents.

    Attributes:
        kind: `"kept"`, or the name of a rule of what a zero bit stands for (`"zero"`, `"negated"`, `"second"`).
        shape: of the weight as it is stored, in row-major order.
        phase: where in the prototype the weight begins.
        second_phase: where in the second prototype.
        scale: a float32 that multiplies every value, or None.
        recipe: what the manifest says after the length of a prototype that is made from a seed, in hexadecimal; empty
            for one with values.
        second_recipe: that of the second prototype.
        transposed: whether the tensor is the transposed matrix of what is stored.
    """

    kind: str
    shape: tuple[int, ...]
    phase: int = 0
    second_phase: int = 0
    scale: float | None = None
    recipe: str = ""
    second_recipe: str = ""
    transposed: bool = False

    @property
    def rows(self) -> int:
        """Rows of the matrix that is stored: all that has the first dimension."""
        return self.shape[0] if self.shape else 1

    @property
    def columns(self) -> int:
        """Columns of it."""
        return math.prod(self.shape[1:])

    @property
    def numel(self) -> int:
        return numel(self.shape)


@dataclass(frozen=True, eq=False)
class Weight:
    """A packed weight.

    Attributes:
        meaning: what the tensors mean.
        bits: the mask, one bit for every element, least significant first; uint8, shape (⌈numel / 8⌉,).
        stored: the prototype, one period; or the kept values in order.
        others: the second prototype, where a zero bit stands for its values.
        presence, others_presence: which elements of the prototypes are stored, as bits; None for all.
    """

    meaning: Meaning
    bits: torch.Tensor
    stored: torch.Tensor
    others: torch.Tensor | None = None
    presence: torch.Tensor | None = None
    others_presence: torch.Tensor | None = None

    @property
    def tensors(self) -> Inner:
        """The tensors, in the order in which `PackedTensor` takes them."""
        return self.bits, self.stored, self.others, self.presence, self.others_presence


def is_packed(value: object) -> bool:
    """Return whether a value is a `PackedTensor`."""
    return isinstance(value, torch.Tensor) and isinstance(getattr(value, "meaning", None), Meaning)


def unpacked(value: Any) -> Any:
    """Return the dense tensor of a packed one, and anything else as it is."""
    return value.dense() if is_packed(value) else value


def starts_of(bits: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.int64]:
    """Return the number of ones before each row of a mask, and in all; shape (rows + 1,)."""
    starts = np.zeros(rows + 1, dtype=np.int64)
    if columns % 8 == 0:
        step = max(PIECE // max(columns, 1), 1)
        for row in range(0, rows, step):
            stop = min(row + step, rows)
            whole = bits[row * columns // 8 : stop * columns // 8].reshape(stop - row, columns // 8)
            starts[row + 1 : stop + 1] = np.bitwise_count(whole).sum(1, dtype=np.int64)
    else:
        for row in range(rows):
            first, last = row * columns, (row + 1) * columns
            part = np.unpackbits(bits[first // 8 : byte_length(last)], bitorder="little")
            starts[row + 1] = np.count_nonzero(part[first % 8 : first % 8 + columns])
    np.cumsum(starts, out=starts)
    assert not rows or starts[-1] == count_ones(bits)
    return starts
