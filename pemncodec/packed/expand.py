"""Packed weights -> dense values: whole, or some rows at a time, into memory that is there."""

from __future__ import annotations

from threading import local
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common import torch_tensors
from ..common.words import Words
from ..network import fill
from ..network.tile import ScaledTile, Tile, extremes
from .cached import Cached
from .weight import KEPT, Weight, starts_of

_TILES: Cached[tuple[Tile, tuple[np.float32, np.float32] | None]] = Cached()
_STARTS: Cached[NDArray[np.int64]] = Cached()


def words_of(tensor: torch.Tensor) -> Words:
    """Return the elements of a contiguous tensor of one dimension as words, which share its memory."""
    return torch_tensors.to_words(tensor, "a packed weight")[1]


def starts(weight: Weight) -> NDArray[np.int64]:
    """Return where the kept values of each row begin; int64, shape (rows + 1,)."""
    how = weight.meaning
    return _STARTS.get(weight.bits, lambda: starts_of(weight.bits.numpy(), how.rows, how.columns))


def expand(weight: Weight, out: torch.Tensor, first: int = 0) -> torch.Tensor:
    """Write dense values, in bits those of the file, and return the memory.

    Args:
        weight: on the CPU.
        out: contiguous, of the weight's dtype: rows `first` … of the matrix that is stored.
        first: a row that begins at a multiple of eight elements.
    """
    how, words = weight.meaning, words_of(out.view(-1))
    begin = first * how.columns
    packed = weight.bits.numpy()[begin // 8 :]
    if how.kind == KEPT:
        values = words_of(weight.stored)
        at, end = 0, len(values)
        if len(words) < how.numel:
            begins = starts(weight)
            at, end = int(begins[first]), int(begins[first + len(words) // how.columns])
        fill.scatter(words, packed, values[at:end])
        return out
    first_tile = _tile(weight.stored, how.scale)
    second = None
    if weight.others is not None:
        other = _tile(weight.others, how.scale)
        second = other, (how.second_phase + begin) % len(other)
    fill.fill_masked(words, packed, how.kind, (first_tile, (how.phase + begin) % len(first_tile)), second)
    return out


def _tile(values: torch.Tensor, scale: float | None) -> Tile:
    tile, ends = _TILES.get(values, lambda: _measured(values))
    if scale is None:
        return tile
    assert ends is not None
    return ScaledTile(tile, ends, int(np.float32(scale).view(np.uint32)))


def _measured(values: torch.Tensor) -> tuple[Tile, tuple[np.float32, np.float32] | None]:
    words = words_of(values)
    return Tile(words), extremes(words) if values.dtype == torch.float32 else None


_SCRATCH = local()


def scratch(count: int, dtype: torch.dtype) -> torch.Tensor:
    """Return memory for so many elements, which all layers of a thread share."""
    buffers: dict[Any, torch.Tensor] = _SCRATCH.__dict__
    buffer = buffers.get(dtype)
    if buffer is None or buffer.numel() < count:
        buffer = buffers[dtype] = torch.empty(count, dtype=dtype)
    return buffer[:count]
