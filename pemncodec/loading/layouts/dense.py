"""Layout `dense`: effective weights."""
# ruff: noqa: ARG001 (the contract of layouts)

from __future__ import annotations

from collections.abc import Iterator

import torch

from ...coding.decoder import Decoder
from ...common import torch_tensors
from ...container.manifest.rows import KeptRow, TiledRow


def load(decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the layer under its mask."""
    decoder.check_entry(index)
    tensor, words = torch_tensors.empty(decoder.dtype(index), row.shape)
    decoder.filler(index)(words, 0)
    yield name, tensor


def result_bytes(decoder: Decoder, index: int, row: KeptRow | TiledRow) -> int:
    """Return the bytes of its elements."""
    return decoder.size(index)
