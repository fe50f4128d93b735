"""Coder 3: gaps between one bits, for sparse masks (spec section 5)."""

from __future__ import annotations

import numpy as np

from .. import bits
from ..bits import Packed
from . import gaps


def encode(packed: Packed, length: int, ones: int) -> bytes | None:
    if ones > gaps.MAX_DENSITY * length:
        return None
    return gaps.encode_positions(np.flatnonzero(bits.unpack(packed, length)))


def decode(payload: bytes, length: int, ones: int) -> Packed:
    packed = bits.constant(length, False)
    gaps.set_positions(packed, gaps.decode_positions(payload, length, ones))
    return packed
