"""Coder 3: gaps between one bits, for sparse masks (spec section 5)."""

from __future__ import annotations

from ...common.bits import Packed
from ...container.cursor import Payload
from . import gaps


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    return gaps.encode(packed, length, ones, True, gaps.encode_positions)


def decode(payload: Payload, length: int, ones: int) -> Packed:
    return gaps.decode(length, ones, True, gaps.decode_stream(payload, length, ones))
