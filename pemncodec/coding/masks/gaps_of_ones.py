"""Coder 3: gaps between one bits, for sparse masks (spec section 5)."""

from __future__ import annotations

from functools import partial

from ...common.bits import Packed
from ...container.cursor import Payload
from . import gaps


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    return gaps.encode(packed, length, ones, True, partial(gaps.encode_positions, limit=limit))


def decode(payload: Payload, length: int, ones: int) -> Packed:
    return gaps.decode(length, ones, True, gaps.decode_stream(payload, length, ones))
