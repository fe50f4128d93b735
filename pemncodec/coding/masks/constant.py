"""Coder 0: all ones or all zeros take no bytes (spec section 5)."""

from __future__ import annotations

from ...common import bits
from ...common.bits import Packed
from ...container.cursor import Payload
from ...errors import PayloadError


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    return b"" if ones in (0, length) else None


def decode(payload: Payload, length: int, ones: int) -> Packed:
    if payload:
        raise PayloadError(f"a constant mask has no payload, and this one has {len(payload)} bytes")
    if ones not in (0, length):
        raise PayloadError(f"a constant mask of {length} bits cannot have {ones} ones")
    return bits.constant(length, ones > 0)
