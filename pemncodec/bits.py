"""Bits in bytes (spec section 1): bit i of a string is bit i mod 8 of byte i div 8, in numpy arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint8]


def byte_length(bits: int) -> int:
    """Bytes that hold so many bits."""
    return -(-bits // 8)


def pack(flags: NDArray[np.bool_]) -> Packed:
    """Boolean array, flattened, to bits in bytes; the padding is zero."""
    return np.packbits(flags.reshape(-1), bitorder="little")


def unpack(packed: Packed, length: int) -> NDArray[np.bool_]:
    """The first `length` bits as a boolean array."""
    return np.unpackbits(packed, count=length, bitorder="little").view(np.bool_)


def count_ones(packed: Packed) -> int:
    """Number of one bits."""
    whole = len(packed) // 8 * 8
    ones = int(np.bitwise_count(packed[:whole].view(np.uint64)).sum(dtype=np.int64)) if whole else 0
    return ones + int(np.bitwise_count(packed[whole:]).sum(dtype=np.int64))


def padding_is_zero(packed: Packed, length: int) -> bool:
    """Whether the unused bits of the last byte are zero."""
    return length % 8 == 0 or not int(packed[-1]) >> (length % 8)


def constant(length: int, bit: bool) -> Packed:
    """`length` equal bits."""
    packed = np.full(byte_length(length), 0xFF if bit else 0, dtype=np.uint8)
    if bit and length % 8:
        packed[-1] = (1 << length % 8) - 1
    return packed
