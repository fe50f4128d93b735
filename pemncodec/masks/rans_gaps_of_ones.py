"""Coder 6: gaps between one bits by rANS, for sparse masks (spec section 5.3)."""

from __future__ import annotations

import numpy as np

from .. import bits
from ..bits import Packed
from . import gaps, rans_gaps


def encode(packed: Packed, length: int, ones: int) -> bytes | None:
    if ones > gaps.MAX_DENSITY * length:
        return None
    return rans_gaps.encode_positions(np.flatnonzero(bits.unpack(packed, length)))


def decode(payload: bytes, length: int, ones: int) -> Packed:
    packed = bits.constant(length, False)
    gaps.set_positions(packed, rans_gaps.decode_positions(payload, length, ones))
    return packed
