"""The list of formats that are compared."""

from __future__ import annotations

import safetensors.torch

from . import formats, handmade, installed
from .formats import Peer, loaded

# Dense megabytes beyond which the slow general coders are skipped.
SLOW = 64


def peers() -> list[Peer]:
    """pemn first; then the dense files, what general coders make of them, sparse ones, and those that know masks."""
    torch_dense, safe = formats.torch_dense(), formats.safetensors_dense()
    return [
        formats.pemn(),
        torch_dense,
        safe,
        formats.zstd(torch_dense, 19, loaded, SLOW),
        formats.xz(torch_dense, loaded, SLOW),
        formats.zstd(safe, 19, safetensors.torch.load, SLOW),
        formats.xz(safe, safetensors.torch.load, SLOW),
        installed.zipnn(),
        formats.torch_csr(),
        installed.compressed_tensors(),
        installed.nncodec(),
        handmade.peer(),
    ]
