"""Coder 1: the bits as they are (spec section 5)."""

from __future__ import annotations

import numpy as np

from ...common import bits
from ...common.bits import Packed
from ...container.cursor import Payload
from ...errors import PayloadError


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    return packed.tobytes()


def decode(payload: Payload, length: int, ones: int) -> Packed:
    if len(payload) != bits.byte_length(length):
        raise PayloadError(f"{length} raw bits in {len(payload)} bytes")
    return np.frombuffer(payload, dtype=np.uint8)
