"""Coder 4: gaps between zero bits, for nearly full masks (spec section 5)."""

from __future__ import annotations

from functools import partial

from ...common.bits import Packed
from ...container.cursor import Payload
from . import gaps


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    return gaps.encode(packed, length, length - ones, False, partial(gaps.encode_positions, limit=limit))


def decode(payload: Payload, length: int, ones: int) -> Packed:
    count = length - ones
    return gaps.decode(length, count, False, gaps.decode_stream(payload, length, count))
