"""The common part of the sparse layouts: the values at the one bits, in order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ...coding.decoder import Decoder
from ...coding.sections import SLACK
from ...common import bits, torch_tensors
from ...common.words import Words
from ...container.manifest.rows import KeptRow, TiledRow, numel
from ...container.manifest.zero_table import ZERO_RULES
from ...errors import UnsupportedTensorError
from ...network.tile import BLOCK, Tile

# Makes a tensor of mask, number of ones, and values.
Make = Callable[[bits.Packed, int, torch.Tensor], torch.Tensor]


def can_hold(row: KeptRow | TiledRow) -> bool:
    """Return whether a sparse tensor says the layer; otherwise it is dense."""
    return row.shape != () and not (isinstance(row, TiledRow) and not ZERO_RULES[row.zero].sparse)


def load(
    decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str, size: int, make: Make
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the sparse tensor. Explicit elements are those that the mask keeps, also where their value is zero.

    Args:
        size: bytes of the tensor.
        make: makes it.

    Raises:
        UnsupportedTensorError: the installed torch lacks sparse tensors of the dtype.
    """
    decoder.check_limit(size - SLACK, f"tensor {name!r}")
    dtype, packed = decoder.dtype(index), decoder.layer_mask(index)
    count = bits.count_ones(packed)
    values, words = torch_tensors.empty(dtype, (count,))
    if isinstance(row, KeptRow):
        words[:] = decoder.kept(index)
    else:
        _gather(words, decoder.tile(row.prototype, row.scale_bits), row.phase, packed, numel(row.shape))
    try:
        with warnings.catch_warnings():  # torch calls CSR beta once a process
            warnings.simplefilter("ignore", UserWarning)
            yield name, make(packed, count, values)
    except (RuntimeError, NotImplementedError) as reason:
        raise UnsupportedTensorError(f"torch has no sparse tensors for {name!r} ({dtype}): {reason}") from None


def positions(packed: bits.Packed, count: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places of the one bits among `count`, a piece at a time."""
    for start in range(0, count, bits.PIECE):
        stop = min(start + bits.PIECE, count)
        yield start + np.flatnonzero(bits.unpack(packed[start // 8 : bits.byte_length(stop)], stop - start))


def _gather(out: Words, tile: Tile, phase: int, packed: bits.Packed, count: int) -> None:
    """Gather the values of a prototype at the one bits."""
    done = 0
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        flags = bits.unpack(packed[start // 8 : bits.byte_length(stop)], stop - start)
        found = tile.slice(phase + start, stop - start)[flags]
        out[done : done + len(found)] = found
        done += len(found)


def int64(*shape: int) -> torch.Tensor:
    """Return integers that are not set yet; MemoryError if there is no room."""
    try:
        return torch.empty(shape, dtype=torch.int64)
    except RuntimeError as reason:
        raise MemoryError(str(reason)) from None
