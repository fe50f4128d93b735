"""Random choices that mutations of every kind need."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

# Where rules of the format and of machines change.
EDGES = [
    *(0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 254, 255, 256, 257, 511, 1024, 1025),
    *((1 << power) + step for power in (15, 16, 18, 20, 24, 31, 32, 40, 48, 56, 62, 63) for step in (-1, 0, 1)),
]


def integer(rng: Random, near: int = 0, pool: Sequence[int] = ()) -> int:
    """A number that is not negative: near another one, from a pool, at an edge, or any."""
    kind = rng.randrange(10)
    if kind < 4:
        return max(0, near + rng.choice([-2, -1, -1, 1, 1, 2, near, -(near // 2)]))
    if kind < 6 and pool:
        return rng.choice(pool)
    if kind < 8:
        return rng.choice(EDGES[:26])
    return rng.choice(EDGES) if kind < 9 else rng.randrange(1 << rng.randrange(1, 64))


def noise(data: bytes, rng: Random, most: int = 4) -> bytes:
    """A few bytes changed, removed, doubled or put in."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, most])):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(8)
        if kind < 4 and at < len(out):
            out[at] = rng.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF, out[at] ^ 1 << rng.randrange(8), rng.randrange(256)])
        elif kind == 4:
            del out[at : at + rng.randrange(1, 4)]
        elif kind == 5:
            out[at:at] = out[at : at + rng.randrange(1, 9)]
        elif kind == 6:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif rng.randrange(4) == 0:
            del out[at:]
    return bytes(out)


def bundle(parts: Sequence[bytes]) -> bytes:
    """Several files as one case: the size of each as u32, and its bytes."""
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def unbundle(data: bytes) -> list[bytes]:
    """The files of a case; what is cut off is left out."""
    parts, at = [], 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return parts
