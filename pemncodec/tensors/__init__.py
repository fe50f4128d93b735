"""Block coders: elements <-> bytes, one coder a file (spec section 6).

Each module has `encode(words, dtype) -> bytes | None` (None: not worth trying) and
`decode(payload, dtype, count) -> words`, where `words` are elements as unsigned integers
(`pemncodec.words`) and `count` is the number of elements.
"""

from __future__ import annotations

from types import ModuleType

from ..container.cursor import Payload
from ..container.manifest import (
    BLOCK_PALETTE,
    BLOCK_PLANES,
    BLOCK_RAW,
    BLOCK_ROTATED_PLANES,
    BLOCK_ZSTD,
    BlockRow,
)
from ..dtypes import DType
from ..errors import PayloadError
from ..words import Words
from . import palette, planes, raw, rotated_planes, zstd

CODERS: dict[int, ModuleType] = {
    BLOCK_RAW: raw,
    BLOCK_ZSTD: zstd,
    BLOCK_PLANES: planes,
    BLOCK_PALETTE: palette,
    BLOCK_ROTATED_PLANES: rotated_planes,
}


def encode_block(words: Words, dtype: DType) -> tuple[BlockRow, bytes]:
    """The smallest coding of a block; the lowest id on a tie."""
    best: tuple[int, bytes] | None = None
    for coder, module in CODERS.items():
        payload = module.encode(words, dtype)
        if payload is not None and (best is None or len(payload) < len(best[1])):
            best = coder, payload
    assert best is not None  # raw always applies
    return BlockRow(dtype, best[0], len(best[1])), best[1]


def decode_block(row: BlockRow, payload: Payload, count: int, index: int) -> Words:
    """The elements of block `index`.

    Raises:
        PayloadError: the payload does not give `count` elements of `row.dtype`.
    """
    try:
        words: Words = CODERS[row.coder].decode(payload, row.dtype, count)
    except PayloadError as reason:
        raise PayloadError(f"block {index}: {reason}") from None
    if row.dtype.kind == "bool" and count and words.max() > 1:
        raise PayloadError(f"block {index}: a bool is {words.max()}, and must be 0 or 1")
    return words
