"""The layouts in which a file can be loaded: torch tensors from decoded layers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import torch

from . import bits, torch_tensors
from .container.manifest import ZERO_SECOND, ZERO_ZERO, KeptRow, TensorRow, TiledRow
from .decode import Decoder
from .errors import NetworkError, OutputError, UnsupportedTensorError
from .words import word_type

LAYOUTS = ("dense", "masked", "csr", "coo")


def check_layout(layout: str) -> None:
    """Raise NetworkError for an unknown layout."""
    if layout not in LAYOUTS:
        other = " ('original' is what load_original gives)" if layout == "original" else ""
        raise NetworkError(f"layout {layout!r} is unknown: choose {', '.join(LAYOUTS)}{other}")


def load_entry(decoder: Decoder, index: int, name: str, layout: str) -> Iterator[tuple[str, torch.Tensor]]:
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
    sparse = layout in ("csr", "coo") and row.shape != () and not (isinstance(row, TiledRow) and row.zero != ZERO_ZERO)
    if isinstance(row, TensorRow):
        yield name, torch_tensors.to_tensor(decoder.words(index), decoder.dtype(index), row.shape)
    elif layout == "dense" or (layout != "masked" and not sparse):
        decoder.check_entry(index)
        tensor, words = torch_tensors.empty(decoder.dtype(index), row.shape)
        decoder.filler(index)(words, 0)
        yield name, tensor
    elif layout == "masked":
        yield from _masked(decoder, index, row, name)
    else:
        yield name, _sparse(decoder, index, row, layout, name)


def scores_name(weight: str) -> str:
    """`X.scores` for `X.weight`; for any other tensor its name and `_scores`."""
    if weight == "weight" or weight.endswith(".weight"):
        return weight[: -len("weight")] + "scores"
    return weight + "_scores"


def filled(decoder: Decoder, index: int) -> torch.Tensor:
    """A masked layer before its mask; zero where its values are not stored."""
    row = decoder.manifest.resolve(index)
    words = decoder.filled(index) if isinstance(row, TiledRow) else decoder.words(index)
    return torch_tensors.to_tensor(words, decoder.dtype(index), row.shape)


def scores(decoder: Decoder, index: int) -> torch.Tensor:
    """Scores of a masked layer: 1 where it is kept, 0 where not; float32.

    A mask has no bit where the prototype is zero. A score of 0.5 leaves it to the original code there, whose top k then
    still holds every kept weight. Elements that are not stored are kept by no layer.
    """
    shape = decoder.shape(index)
    values = bits.unpack(decoder.layer_mask(index), math.prod(shape)).astype(np.float32)
    if decoder.has_idle(index):
        idle = decoder.filled(index) == 0
        unstored = decoder.unstored(index)
        if unstored is not None:
            idle &= unstored == 0
        values[idle] = 0.5
    return torch.from_numpy(values).reshape(shape)


def _masked(decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    dtype = decoder.dtype(index)
    if isinstance(row, TiledRow) and row.zero == ZERO_SECOND:
        raise OutputError(f"layer {name!r} chooses between two values, which weight and scores cannot say: use 'dense'")
    yield name, filled(decoder, index)
    kind = torch_tensors.torch_dtype(dtype) if dtype.kind == "float" and dtype.itemsize >= 2 else torch.float32
    yield scores_name(name), scores(decoder, index).to(kind)


def _sparse(decoder: Decoder, index: int, row: KeptRow | TiledRow, layout: str, name: str) -> torch.Tensor:
    """Explicit elements are those that the mask keeps, also where their value is zero."""
    dtype = decoder.dtype(index)
    flags = bits.unpack(decoder.layer_mask(index), math.prod(row.shape))
    positions = np.flatnonzero(flags)
    kept = decoder.kept(index) if isinstance(row, KeptRow) else decoder.filled(index)[positions]
    values = torch_tensors.to_tensor(np.array(kept, dtype=word_type(dtype)), dtype, (len(positions),))
    try:
        with warnings.catch_warnings():  # torch calls CSR beta once a process
            warnings.simplefilter("ignore", UserWarning)
            if layout == "coo":
                indices = torch.from_numpy(np.stack(np.unravel_index(positions, row.shape)).astype(np.int64))
                return torch.sparse_coo_tensor(indices, values, row.shape, is_coalesced=True, check_invariants=False)
            rows, columns = csr_shape(row.shape)
            starts = np.searchsorted(positions, np.arange(rows + 1, dtype=np.int64) * columns)
            return torch.sparse_csr_tensor(
                torch.from_numpy(starts.astype(np.int64)),
                torch.from_numpy(positions % columns if columns else positions),
                values,
                (rows, columns),
                check_invariants=False,
            )
    except (RuntimeError, NotImplementedError) as reason:
        raise UnsupportedTensorError(f"torch has no sparse tensors for {name!r} ({dtype}): {reason}") from None


def csr_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """The two dimensions of a CSR tensor: (out, everything else) for layers, (1, n) for vectors."""
    return (1, shape[0]) if len(shape) == 1 else (shape[0], math.prod(shape[1:]))
