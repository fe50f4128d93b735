"""Coder 5: rANS over the packed bits, by their density (spec section 5.2)."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...common import bits
from ...common.bits import Packed
from ...container.cursor import Cursor, Payload, varint
from ...errors import PayloadError
from .. import rans

_POPCOUNT = np.bitwise_count(np.arange(256, dtype=np.uint8)).astype(np.int64)


@cache
def model(q: int) -> rans.Model:
    """The frequencies for a density of q / 256."""
    by_ones = [max(1, q**c * (256 - q) ** (8 - c) >> 48) for c in range(9)]
    table = np.array(by_ones, dtype=np.int64)[_POPCOUNT]
    table[0 if q <= 128 else 255] += rans.TOTAL - int(table.sum())
    return rans.Model(table)


def encode(packed: Packed, length: int, ones: int, limit: int) -> bytes | None:
    if not 0 < ones < length:
        return None
    q = min(max((512 * ones + length) // (2 * length), 1), 255)
    size = model(q).cost(np.bincount(packed, minlength=256))
    lanes = rans.lanes_for(len(packed), size)
    if size // 8 + 2 * lanes >= len(packed):
        return None
    return bytes([q]) + varint(lanes) + rans.encode(packed, model(q), lanes)


def stream(payload: Payload, length: int) -> rans.Stream:
    """The coded bytes of a mask; errors as `rans.stream`."""
    cursor = Cursor(payload, PayloadError)
    q = cursor.fixed(1, "density of rANS bytes")
    if q == 0:
        raise PayloadError("the density of rANS bytes is 0, and must be 1 to 255")
    lanes = cursor.varint("number of rANS lanes")
    return rans.stream(memoryview(payload)[cursor.position :], bits.byte_length(length), model(q), lanes)


def decode(payload: Payload, length: int, ones: int) -> Packed:
    return rans.decode(stream(payload, length))
