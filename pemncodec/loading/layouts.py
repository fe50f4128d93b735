"""The layouts in which a file can be loaded: torch tensors from decoded layers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterator
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ..checkpoints.names import scores_name
from ..coding.decoder import Decoder
from ..coding.sections import SLACK
from ..common import bits, torch_tensors
from ..common.allowance import Allowance
from ..common.dtypes import DType
from ..common.words import Words
from ..container.manifest.rows import ZERO_SECOND, ZERO_ZERO, KeptRow, TensorRow, TiledRow, numel
from ..errors import NetworkError, OutputError, UnsupportedTensorError
from ..network.tile import BLOCK, Tile

Layout = Literal["dense", "masked", "csr", "coo"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
# What a tensor of torch takes beside its elements, about. It counts from so many tensors on.
TENSOR_BYTES, FREE_TENSORS = 2048, 1 << 13


def check_layout(layout: str) -> None:
    """Raise NetworkError for an unknown layout."""
    if layout not in LAYOUTS:
        other = " ('original' is what load_original gives)" if layout == "original" else ""
        raise NetworkError(f"layout {layout!r} is unknown: choose {', '.join(LAYOUTS)}{other}")


def load_entry(decoder: Decoder, index: int, name: str, layout: Layout) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that an entry becomes: one, or for `masked` layers two (weight and scores).

    Args:
        decoder: of an opened file.
        index: of the entry; an alias gives what it stands for.
        name: under which the tensors are returned.
        layout: one of `LAYOUTS`.

    Raises:
        FormatError: the file cannot be decoded.
        OutputError: the layout cannot say what the layer is.
        UnsupportedTensorError: the installed torch lacks the dtype, or sparse tensors of it.
    """
    row = decoder.manifest.resolve(index)
    if isinstance(row, TensorRow):
        yield name, torch_tensors.to_tensor(decoder.words(index), decoder.dtype(index), row.shape)
    elif layout == "dense" or (layout != "masked" and not _is_sparse(row)):
        decoder.check_entry(index)
        tensor, words = torch_tensors.empty(decoder.dtype(index), row.shape)
        decoder.filler(index)(words, 0)
        yield name, tensor
    elif layout == "masked":
        yield from _masked(decoder, index, row, name)
    else:
        yield name, _sparse(decoder, index, row, layout, name)


def filled(decoder: Decoder, index: int) -> torch.Tensor:
    """A masked layer before its mask; zero where its values are not stored."""
    row = decoder.manifest.resolve(index)
    words = decoder.filled(index) if isinstance(row, TiledRow) else decoder.words(index)
    return torch_tensors.to_tensor(words, decoder.dtype(index), row.shape)


def scores(decoder: Decoder, index: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Scores of a masked layer: 1 where it is kept, 0 where not.

    A mask has no bit where the prototype is zero. A score of 0.5 leaves it to the original code there, whose top k then
    still holds every kept weight. Elements that are not stored are kept by no layer.
    """
    shape = decoder.shape(index)
    packed, count = decoder.layer_mask(index), math.prod(shape)
    decoder.check_limit(count * kind.itemsize - SLACK, f"the scores of {decoder.manifest.resolve(index).name!r}")
    made = torch.empty(count, dtype=kind)
    idle = decoder.idle(index) if decoder.has_idle(index) else None
    for start in range(0, count, bits.PIECE):
        stop = min(start + bits.PIECE, count)
        values = bits.unpack(packed[start // 8 : bits.byte_length(stop)], stop - start).astype(np.float32)
        if idle is not None:
            values[idle(start, stop)] = 0.5
        made[start:stop] = torch.from_numpy(values)
    return made.reshape(shape)


def result_bytes(decoder: Decoder, index: int, layout: Layout) -> int:
    """Bytes of the tensors that `load_entry` makes of an entry, as the manifest says it."""
    row = decoder.manifest.resolve(index)
    dense, dtype = decoder.size(index), decoder.dtype(index)
    if isinstance(row, TensorRow) or layout == "dense" or not (layout == "masked" or _is_sparse(row)):
        return dense
    if layout == "masked":
        return dense + numel(row.shape) * _scores_dtype(dtype).itemsize
    kept = decoder.manifest.masks[row.mask].ones
    if layout == "coo":
        return kept * (8 * len(row.shape) + dtype.itemsize)
    return kept * (8 + dtype.itemsize) + 8 * (csr_shape(row.shape)[0] + 1)


def check_result(decoder: Decoder, entries: Collection[int], layout: Layout) -> None:
    """Refuse, before anything is made, entries that become more than `max_bytes` of tensors.

    Raises:
        LimitError: they do.
    """
    made = sum(result_bytes(decoder, index, layout) for index in entries)
    many = max(0, len(entries) * (1 if layout == "dense" else 2) - FREE_TENSORS)
    decoder.check_limit(made + many * TENSOR_BYTES - SLACK, f"layout {layout!r}")


def result_allowance(max_bytes: int) -> Allowance:
    """The memory of tensors that are made one by one and kept by the caller, `TENSOR_BYTES` each beside elements."""
    reason = "what is made takes {count} bytes, and {most} are allowed: raise max_bytes if you trust the file"
    return Allowance(max_bytes + FREE_TENSORS * TENSOR_BYTES, reason)


def _is_sparse(row: KeptRow | TiledRow) -> bool:
    return row.shape != () and not (isinstance(row, TiledRow) and row.zero != ZERO_ZERO)


def _scores_dtype(dtype: DType) -> torch.dtype:
    return torch_tensors.torch_dtype(dtype) if dtype.kind == "float" and dtype.itemsize >= 2 else torch.float32


def _masked(decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(row, TiledRow) and row.zero == ZERO_SECOND:
        raise OutputError(f"layer {name!r} chooses between two values, which weight and scores cannot say: use 'dense'")
    yield name, filled(decoder, index)
    yield scores_name(name), scores(decoder, index, _scores_dtype(decoder.dtype(index)))


def _sparse(decoder: Decoder, index: int, row: KeptRow | TiledRow, layout: Layout, name: str) -> torch.Tensor:
    """Explicit elements are those that the mask keeps, also where their value is zero."""
    decoder.check_limit(result_bytes(decoder, index, layout) - SLACK, f"tensor {name!r}")
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
            if layout == "coo":
                indices = _coo_indices(packed, row.shape, count)
                return torch.sparse_coo_tensor(indices, values, row.shape, is_coalesced=True, check_invariants=False)
            shape = csr_shape(row.shape)
            starts, columns = _csr_indices(packed, shape, count)
            return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
    except (RuntimeError, NotImplementedError) as reason:
        raise UnsupportedTensorError(f"torch has no sparse tensors for {name!r} ({dtype}): {reason}") from None


def _positions(packed: bits.Packed, count: int) -> Iterator[NDArray[np.int64]]:
    """The places of the one bits among `count`, a piece at a time."""
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


def _coo_indices(packed: bits.Packed, shape: tuple[int, ...], count: int) -> torch.Tensor:
    indices = _int64(len(shape), count)
    array, done = indices.numpy(), 0
    for positions in _positions(packed, math.prod(shape)):
        rest = positions
        for axis in range(len(shape) - 1, -1, -1):
            rest, array[axis, done : done + len(positions)] = np.divmod(rest, shape[axis])
        done += len(positions)
    return indices


def _csr_indices(packed: bits.Packed, shape: tuple[int, int], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The number of elements before each row, and the column of each."""
    starts, columns = _int64(shape[0] + 1), _int64(count)
    before, array, done, row = starts.numpy(), columns.numpy(), 0, 0
    for positions in _positions(packed, math.prod(shape)):
        if not len(positions):
            continue
        rows, array[done : done + len(positions)] = np.divmod(positions, shape[1])
        last = int(rows[-1])
        before[row : last + 1] = done + np.searchsorted(rows, np.arange(row, last + 1))
        row, done = last + 1, done + len(positions)
    before[row:] = done
    return starts, columns


def _int64(*shape: int) -> torch.Tensor:
    """Integers that are not set yet; MemoryError if there is no room."""
    try:
        return torch.empty(shape, dtype=torch.int64)
    except RuntimeError as reason:
        raise MemoryError(str(reason)) from None


def csr_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """The two dimensions of a CSR tensor: (out, everything else) for layers, (1, n) for vectors."""
    return (1, shape[0]) if len(shape) == 1 else (shape[0], math.prod(shape[1:]))
