"""Layout `csr`: compressed sparse rows; layers that these cannot say are dense."""

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
    """Yield the tensor of two dimensions."""
    if not sparse.can_hold(row):
        yield from dense.load(decoder, index, row, name)
        return

    def make(packed: bits.Packed, count: int, values: torch.Tensor) -> torch.Tensor:
        shape = csr_shape(row.shape)
        starts, columns = _indices(packed, shape, count)
        return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)

    yield from sparse.load(decoder, index, row, name, result_bytes(decoder, index, row), make)


def result_bytes(decoder: Decoder, index: int, row: KeptRow | TiledRow) -> int:
    """Return the bytes of indices and values."""
    if not sparse.can_hold(row):
        return decoder.size(index)
    kept = decoder.manifest.masks[row.mask].ones
    return kept * (8 + decoder.dtype(index).itemsize) + 8 * (csr_shape(row.shape)[0] + 1)


def csr_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """The two dimensions of a CSR tensor: (out, everything else) for layers, (1, n) for vectors."""
    return (1, shape[0]) if len(shape) == 1 else (shape[0], math.prod(shape[1:]))


def _indices(packed: bits.Packed, shape: tuple[int, int], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The number of elements before each row, and the column of each."""
    starts, columns = sparse.int64(shape[0] + 1), sparse.int64(count)
    before, array, done, row = starts.numpy(), columns.numpy(), 0, 0
    for found in sparse.positions(packed, math.prod(shape)):
        if not len(found):
            continue
        rows, array[done : done + len(found)] = np.divmod(found, shape[1])
        last = int(rows[-1])
        before[row : last + 1] = done + np.searchsorted(rows, np.arange(row, last + 1))
        row, done = last + 1, done + len(found)
    before[row:] = done
    return starts, columns
