"""Coder 7: gaps between zero bits by rANS, for nearly full masks (spec section 5.3)."""

from __future__ import annotations

import numpy as np

from .. import bits
from ..bits import Packed
from . import gaps, rans_gaps


def encode(packed: Packed, length: int, ones: int) -> bytes | None:
    if length - ones > gaps.MAX_DENSITY * length:
        return None
    return rans_gaps.encode_positions(np.flatnonzero(~bits.unpack(packed, length)))


def decode(payload: bytes, length: int, ones: int) -> Packed:
    zeros = bits.constant(length, False)
    gaps.set_positions(zeros, rans_gaps.decode_positions(payload, length, length - ones))
    return zeros ^ bits.constant(length, True)
