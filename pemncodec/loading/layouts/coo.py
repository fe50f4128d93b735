"""Layout `coo`: sparse tensors of coordinates; layers that these cannot say are dense."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from ...coding.decoder import Decoder
from ...common import bits
from ...container.manifest.rows import KeptRow, TiledRow
from . import dense, sparse


def load(decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensor."""
    if not sparse.can_hold(row):
        yield from dense.load(decoder, index, row, name)
        return

    def make(packed: bits.Packed, count: int, values: torch.Tensor) -> torch.Tensor:
        indices = _indices(packed, row.shape, count)
        return torch.sparse_coo_tensor(indices, values, row.shape, is_coalesced=True, check_invariants=False)

    yield from sparse.load(decoder, index, row, name, result_bytes(decoder, index, row), make)


def result_bytes(decoder: Decoder, index: int, row: KeptRow | TiledRow) -> int:
    """Return the bytes of indices and values."""
    if not sparse.can_hold(row):
        return decoder.size(index)
    return decoder.manifest.masks[row.mask].ones * (8 * len(row.shape) + decoder.dtype(index).itemsize)


def _indices(packed: bits.Packed, shape: tuple[int, ...], count: int) -> torch.Tensor:
    indices = sparse.int64(len(shape), count)
    array, done = indices.numpy(), 0
    for found in sparse.positions(packed, math.prod(shape)):
        rest = found
        for axis in range(len(shape) - 1, -1, -1):
            rest, array[axis, done : done + len(found)] = np.divmod(rest, shape[axis])
        done += len(found)
    return indices
