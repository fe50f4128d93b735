"""Bits in bytes (spec section 1): bit i of a string is bit i mod 8 of byte i div 8, in numpy arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint8]

# Elements that are looked at at a time where a tensor is large; a multiple of 8.
PIECE = 1 << 18
# So few bytes are counted sooner as one integer.
_FEW = 1 << 9


def byte_length(bits: int) -> int:
    """Bytes that hold so many bits."""
    return -(-bits // 8)


def pack(flags: NDArray[np.bool_]) -> Packed:
    """Boolean array, flattened, to bits in bytes; the padding is zero."""
    return np.packbits(flags.reshape(-1), bitorder="little")


def pack_pieces(length: int, flags: Callable[[slice], NDArray[np.bool_]]) -> Packed:
    """As `pack`, of flags that are made a piece at a time: a tensor of a billion elements has no room for them all.

    Args:
        flags: the flags of a slice, flat.
    """
    packed = np.zeros(byte_length(length), dtype=np.uint8)
    for start in range(0, length, PIECE):
        stop = min(start + PIECE, length)
        packed[start // 8 : byte_length(stop)] = pack(flags(slice(start, stop)))
    return packed


def unpack(packed: Packed, length: int) -> NDArray[np.bool_]:
    """The first `length` bits as a boolean array."""
    return np.unpackbits(packed, count=length, bitorder="little").view(np.bool_)


def count_ones(packed: Packed) -> int:
    """Number of one bits."""
    if len(packed) <= _FEW:
        return int.from_bytes(packed.tobytes(), "little").bit_count()
    whole = len(packed) // 8 * 8
    ones = int(np.bitwise_count(packed[:whole].view(np.uint64)).sum(dtype=np.int64)) if whole else 0
    return ones + int(np.bitwise_count(packed[whole:]).sum(dtype=np.int64))


def part(packed: Packed, start: int, stop: int) -> Packed:
    """Bits start … stop − 1 as bits of their own; their padding is zero. A view where both ends are those of bytes."""
    piece, shift, count = packed[start // 8 : byte_length(stop)], start % 8, stop - start
    if shift:
        moved = piece >> np.uint8(shift)
        moved[:-1] |= piece[1:] << np.uint8(8 - shift)
        piece = moved[: byte_length(count)]
    elif count % 8:
        piece = piece.copy()
    if count % 8:
        piece[-1] &= (1 << count % 8) - 1
    return piece


def padding_is_zero(packed: Packed, length: int) -> bool:
    """Return whether the unused bits of the last byte are zero."""
    return length % 8 == 0 or not int(packed[-1]) >> (length % 8)


def constant(length: int, bit: bool) -> Packed:
    """`length` equal bits."""
    packed = np.full(byte_length(length), 0xFF if bit else 0, dtype=np.uint8)
    if bit and length % 8:
        packed[-1] = (1 << length % 8) - 1
    return packed
