"""Philox4x32-10, in numpy (spec section 8.1).

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A pure function of counter
and key on integers, so any element of a stream can be made alone, on any machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_M0, _M1 = (np.uint64(multiplier) for multiplier in MULTIPLIERS)


def round_keys(seed: int) -> list[tuple[int, int]]:
    """The two key words of every round."""
    key = (seed & 0xFFFFFFFF, seed >> 32)
    return [tuple((k + r * weyl) & 0xFFFFFFFF for k, weyl in zip(key, WEYL, strict=True)) for r in range(ROUNDS)]  # type: ignore[misc]


def blocks(counters: NDArray[np.uint64], stream: int, seed: int) -> NDArray[np.uint32]:
    """The four words of every block.

    Args:
        counters: block numbers, shape (n,), the low 64 bits of the counter.
        stream: the high 64 bits of the counter.
        seed: the 64-bit key.

    Returns:
        uint32, shape (n, 4).
    """
    c0, c1 = counters & _LOW, counters >> _SHIFT
    c2 = np.full_like(counters, stream & 0xFFFFFFFF)
    c3 = np.full_like(counters, stream >> 32)
    for key0, key1 in round_keys(seed):
        p0, p1 = c0 * _M0, c2 * _M1
        c0 = (p1 >> _SHIFT) ^ c1 ^ np.uint64(key0)
        c2 = (p0 >> _SHIFT) ^ c3 ^ np.uint64(key1)
        c1, c3 = p1 & _LOW, p0 & _LOW
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def words(start: int, stop: int, stream: int, seed: int) -> NDArray[np.uint32]:
    """The words x(start) … x(stop − 1) of a stream."""
    first = start // 4
    counters = np.arange(first, -(-stop // 4), dtype=np.uint64)
    return blocks(counters, stream, seed).reshape(-1)[start - 4 * first : stop - 4 * first]


def words_at(indices: NDArray[np.uint64], stream: int, seed: int) -> NDArray[np.uint32]:
    """The words x(i) for the given i."""
    four = blocks(indices >> np.uint64(2), stream, seed)
    return np.take_along_axis(four, (indices & np.uint64(3)).astype(np.intp)[:, None], axis=1)[:, 0]
