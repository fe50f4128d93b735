"""Gap bytes: the distances between positions (spec section 5). Shared by coders 3, 4, 6 and 7.

A gap is so many bytes 255 and one byte below. On masks of two million bits zstd over these comes within 1 % of the
order-0 entropy at a density of 0.02 and 11 % at 0.001, where Huffman over packed bits loses up to 60 %; on shorter
masks the table of the frame adds to that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...common import bits, kernels
from ...common.bits import Packed
from ...container import frames
from ...container.cursor import Payload
from ...errors import PayloadError

Positions = NDArray[np.int64]

# Above this density the gaps were never the smallest on any mask that was measured.
MAX_DENSITY = 0.2
# Below this one the positions are found sooner from bytes than from bits.
_SPARSE = 1 / 64


def to_bytes(distances: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Gaps as gap bytes."""
    if int(distances.max(initial=0)) < 255:
        return distances.astype(np.uint8)
    ends = np.cumsum(distances // 255 + 1)
    stream = np.full(int(ends[-1]) if len(ends) else 0, 255, dtype=np.uint8)
    stream[ends - 1] = (distances % 255).astype(np.uint8)
    return stream


# Makes distances of the next high parts: their place among all of them, and what they are.
Widen = Callable[[int, NDArray[np.int64]], NDArray[np.int64]]
# Gap bytes that are looked at at a time: a position takes eight bytes, and an element of a layer perhaps one.
_CHUNK = 1 << 15


def from_positions(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The gaps before ascending positions."""
    distances = positions - 1
    distances[1:] -= positions[:-1]
    if len(distances):
        distances[0] += 1
    return distances


def encode_positions(positions: NDArray[np.int64], limit: int) -> bytes:
    """zstd of the gap bytes of ascending positions, less thoroughly where little data are above `limit` bytes."""
    return frames.compress_mask(to_bytes(from_positions(positions)).tobytes(), limit)


def decode_stream(payload: Payload, length: int, count: int) -> NDArray[np.uint8]:
    """The gap bytes of `count` positions below `length`."""
    size = frames.content_size(payload, "gaps", PayloadError)
    if size > count + length // 255:
        raise PayloadError(f"{size} gap bytes for {count} positions in {length} bits are too many")
    return np.frombuffer(frames.decompress(payload, size, "gaps", PayloadError), dtype=np.uint8)


def encode(
    packed: Packed, length: int, count: int, bit: bool, encode_one: Callable[[Positions], bytes | None]
) -> bytes | None:
    """The `count` positions of one or of zero bits, by either coding; None where they are too dense."""
    if count > MAX_DENSITY * length:
        return None
    return encode_one(_positions(packed if bit else inverted(packed.copy(), length), length, count))


def _positions(packed: Packed, length: int, count: int) -> Positions:
    """The places of the one bits, of which there are `count`, ascending."""
    if kernels.compiled is not None:
        found = np.empty(count, dtype=np.int64)
        if kernels.compiled.positions(found, np.ascontiguousarray(packed)):
            return found
    return _sparse(packed) if count < _SPARSE * length else np.flatnonzero(bits.unpack(packed, length))


def _sparse(packed: Packed) -> Positions:
    """The same by way of the few bytes that have some."""
    places = np.flatnonzero(packed)
    found = np.flatnonzero(np.unpackbits(packed[places], bitorder="little").view(np.bool_))
    positions: Positions = (places[found >> 3] << 3) + (found & 7)
    return positions


def decode(
    length: int, count: int, bit: bool, stream: NDArray[np.uint8], low_bits: int = 0, widen: Widen | None = None
) -> Packed:
    """`length` bits, of which `count` are `bit`: those at the positions that gap bytes give.

    Args:
        low_bits: how many of every distance are not in the gap bytes.
        widen: puts them there.

    Raises:
        PayloadError: there are more or fewer positions, the last gap is cut off, or one leads beyond the length.
    """
    if len(stream) and stream[-1] == 255:
        raise PayloadError("the last gap is cut off")
    found = sum(int(np.count_nonzero(stream[at : at + _CHUNK] < 255)) for at in range(0, len(stream), _CHUNK))
    if found != count:
        raise PayloadError(f"the gaps give {found} positions, but the manifest says {count}")
    # In Python's integers; below, nothing overflows. Without low bits nothing does anyway.
    if low_bits and int(stream.sum(dtype=np.uint64)) << low_bits > length:
        raise PayloadError(f"the gaps lead beyond the {length} bits")
    packed = bits.constant(length, False)
    done, place, carried = 0, 0, 0  # positions so far, one more than the last, and what a gap has in chunks before
    for start in range(0, len(stream), _CHUNK):
        chunk = stream[start : start + _CHUNK]
        ends = np.flatnonzero(chunk < 255)
        distances: NDArray[np.int64] = 255 * (np.diff(ends, prepend=np.int64(-1)) - 1) + chunk[ends].astype(np.int64)
        rest = 255 * (len(chunk) - 1 - int(ends[-1])) if len(ends) else 255 * len(chunk)
        if not len(ends):
            carried += rest
            continue
        distances[0] += carried
        carried = rest
        if widen is not None:
            distances = widen(done, distances)
        positions = np.cumsum(distances + 1) + (place - 1)
        if positions[-1] >= length:
            raise PayloadError(f"the gaps lead to position {positions[-1]} of {length}")
        set_positions(packed, positions)
        done, place = done + len(ends), int(positions[-1]) + 1
    return packed if bit else inverted(packed, length)


def inverted(packed: Packed, length: int) -> Packed:
    """The other bits, in place."""
    np.bitwise_not(packed, out=packed)
    if length % 8:
        packed[-1] &= (1 << length % 8) - 1
    return packed


def set_positions(packed: Packed, positions: NDArray[np.int64]) -> None:
    """Set the bits at these positions of `packed`."""
    np.bitwise_or.at(packed, positions >> 3, (1 << (positions & 7)).astype(np.uint8))
