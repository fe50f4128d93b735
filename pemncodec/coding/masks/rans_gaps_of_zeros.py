"""Coder 7: gaps between zero bits by rANS, for nearly full masks (spec section 5.3)."""

from __future__ import annotations

from functools import partial

from ...common.bits import Packed
from ...container.cursor import Payload
from . import gaps, rans_gaps


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    return gaps.encode(packed, length, length - ones, False, partial(rans_gaps.encode_positions, limit=limit))


def decode(payload: Payload, length: int, ones: int) -> Packed:
    return rans_gaps.decode(payload, length, length - ones, False)
