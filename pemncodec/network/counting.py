"""Counts of many masks, bit by bit, in bits: the counters are in planes, so no mask is ever unpacked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common import bits
from ..common.bits import Packed


class BitCounter:
    """Counts of ones at each bit, over the masks so far.

    Plane k holds bit k of all counters, so that adding a mask is a few operations on bytes, two of them on average.

    Args:
        length: number of bits of each mask.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.added = 0
        self._planes: list[Packed] = []

    def add(self, packed: Packed) -> None:
        """Count one more mask.

        Args:
            packed: its bits in bytes, uint8, shape (ceil(length / 8),); left as they are.
        """
        carry = packed
        self.added += 1
        for k in range(self.added.bit_length()):
            if k == len(self._planes):
                self._planes.append(np.zeros_like(packed))
            plane = self._planes[k]
            more = plane & carry
            plane ^= carry
            if k < self.added.bit_length() - 1 and not more.any():
                return
            carry = more

    def counts(self) -> NDArray[np.int64]:
        """Return the counters, int64, shape (length,)."""
        total = np.zeros(self.length, dtype=np.int64)
        for k, plane in enumerate(self._planes):
            total += bits.unpack(plane, self.length).astype(np.int64) << k
        return total
