"""Coder 2: zstd over the packed bits (spec section 5).

Huffman over bytes of eight bits comes within 1 % of the order-0 entropy at a density of 0.3, 3 % at 0.1.
"""

from __future__ import annotations

import numpy as np

from .. import bits
from ..bits import Packed
from ..container import frames
from ..errors import PayloadError

_SAMPLE = 1 << 17


def encode(packed: Packed, length: int, ones: int) -> bytes | None:
    if len(packed) > 2 * _SAMPLE:
        # A trained mask of density one half is noise: a sample from its middle tells, at a fraction of the cost.
        start = (len(packed) - _SAMPLE) // 2
        sample = packed[start : start + _SAMPLE].tobytes()
        if len(frames.compress(sample)) > 0.995 * len(sample):
            return None
    return frames.compress(packed.tobytes())


def decode(payload: bytes, length: int, ones: int) -> Packed:
    size = bits.byte_length(length)
    return np.frombuffer(frames.decompress(payload, size, "packed bits", PayloadError), dtype=np.uint8)
