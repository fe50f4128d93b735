"""Gap bytes: the distances between positions (spec section 5). Shared by coders 3, 4, 6 and 7.

A gap is so many bytes 255 and one byte below. On masks of two million bits zstd over these comes within 1 % of the
order-0 entropy at a density of 0.02 and 11 % at 0.001, where Huffman over packed bits loses up to 60 %; on shorter
masks the table of the frame adds to that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .. import bits
from ..bits import Packed
from ..container import frames
from ..container.cursor import Payload
from ..errors import PayloadError

Positions = NDArray[np.int64]

# Above this density the gaps were never the smallest on any mask that was measured.
MAX_DENSITY = 0.2


def to_bytes(distances: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Gaps as gap bytes."""
    ends = np.cumsum(distances // 255 + 1)
    stream = np.full(int(ends[-1]) if len(ends) else 0, 255, dtype=np.uint8)
    stream[ends - 1] = (distances % 255).astype(np.uint8)
    return stream


def from_bytes(stream: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """The gaps, `count` of them.

    Raises:
        PayloadError: there are more or fewer, or the last is cut off.
    """
    if len(stream) and stream[-1] == 255:
        raise PayloadError("the last gap is cut off")
    ends = np.flatnonzero(stream < 255)
    if len(ends) != count:
        raise PayloadError(f"the gaps give {len(ends)} positions, and the manifest says {count}")
    distances: NDArray[np.int64] = 255 * (np.diff(ends, prepend=np.int64(-1)) - 1) + stream[ends].astype(np.int64)
    return distances


def from_positions(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The gaps before ascending positions."""
    return np.diff(positions, prepend=np.int64(-1)) - 1


def to_positions(distances: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The ascending positions, each below `length`."""
    positions: NDArray[np.int64] = np.cumsum(distances + 1) - 1
    if len(positions) and positions[-1] >= length:
        raise PayloadError(f"the gaps lead to position {positions[-1]} of {length}")
    return positions


def encode_positions(positions: NDArray[np.int64]) -> bytes:
    """zstd of the gap bytes of ascending positions."""
    return frames.compress(to_bytes(from_positions(positions)).tobytes())


def decode_positions(payload: Payload, length: int, count: int) -> NDArray[np.int64]:
    """The ascending positions, `count` of them, each below `length`."""
    size = frames.content_size(payload, "gaps", PayloadError)
    if size > count + length // 255:
        raise PayloadError(f"{size} gap bytes for {count} positions in {length} bits are too many")
    stream = np.frombuffer(frames.decompress(payload, size, "gaps", PayloadError), dtype=np.uint8)
    return to_positions(from_bytes(stream, count), length)


def encode(
    packed: Packed, length: int, count: int, bit: bool, encode_one: Callable[[Positions], bytes | None]
) -> bytes | None:
    """The `count` positions of one or of zero bits, by either coding; None where they are too dense."""
    if count > MAX_DENSITY * length:
        return None
    flags = bits.unpack(packed, length)
    return encode_one(np.flatnonzero(flags if bit else ~flags))


def decode(length: int, bit: bool, positions: Positions) -> Packed:
    """`length` bits of which those at `positions` are `bit`, and no others."""
    packed = bits.constant(length, False)
    set_positions(packed, positions)
    return packed if bit else packed ^ bits.constant(length, True)


def set_positions(packed: Packed, positions: NDArray[np.int64]) -> None:
    """Set the bits at these positions of `packed`."""
    np.bitwise_or.at(packed, positions >> 3, (1 << (positions & 7)).astype(np.uint8))
