"""Coder 4: gaps between zero bits, for nearly full masks (spec section 5)."""

from __future__ import annotations

import numpy as np

from .. import bits
from ..bits import Packed
from . import gaps


def encode(packed: Packed, length: int, ones: int) -> bytes | None:
    if length - ones > gaps.MAX_DENSITY * length:
        return None
    return gaps.encode_positions(np.flatnonzero(~bits.unpack(packed, length)))


def decode(payload: bytes, length: int, ones: int) -> Packed:
    zeros = bits.constant(length, False)
    gaps.set_positions(zeros, gaps.decode_positions(payload, length, length - ones))
    return zeros ^ bits.constant(length, True)
