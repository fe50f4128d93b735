"""Layout `masked`: a layer before its mask, and scores that give the mask."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from ...checkpoints.names import scores_name
from ...coding.decoder import Decoder
from ...coding.sections import SLACK
from ...common import bits, torch_tensors
from ...common.dtypes import DType
from ...container.manifest.rows import KeptRow, TiledRow, numel
from ...container.manifest.zero_table import ZERO_RULES
from ...errors import OutputError


def load(decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weight and its scores.

    Raises:
        OutputError: zero bits stand for values that weight and scores cannot say.
    """
    if isinstance(row, TiledRow) and not ZERO_RULES[row.zero].scored:
        raise OutputError(
            f"layer {name!r} chooses between two values, which weight and scores cannot express: use 'dense'"
        )
    yield name, filled(decoder, index)
    yield scores_name(name), scores(decoder, index, _scores_dtype(decoder.dtype(index)))


def result_bytes(decoder: Decoder, index: int, row: KeptRow | TiledRow) -> int:
    """Return the bytes of the elements of both."""
    return decoder.size(index) + numel(row.shape) * _scores_dtype(decoder.dtype(index)).itemsize


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


def _scores_dtype(dtype: DType) -> torch.dtype:
    return torch_tensors.torch_dtype(dtype) if dtype.kind == "float" and dtype.itemsize >= 2 else torch.float32
