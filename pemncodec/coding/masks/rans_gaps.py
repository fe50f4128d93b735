"""Gaps whose high parts are coded by rANS and whose low bits are stored (spec section 5.3). Shared by coders 6 and 7.

Gaps of random positions are geometric. In units of a fraction of their mean they still are, and what is below a unit is
as good as uniform, so that few frequencies of one parameter do for every density.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...common import bits
from ...container.cursor import Cursor, Payload, varint
from ...errors import PayloadError
from .. import rans
from . import gaps

MAX_LOW_BITS = 31
# Bytes by which a payload may be smaller than its cost, which leaves out its front and half of each state.
_SLACK = 2
# Gaps of at most this length are counted by their length, however few there are.
_LONG = 1 << 13
_PLACES = np.arange(257)


@cache
def model(t: int) -> rans.Model:
    """The frequencies of which each is t / 256 of what the ones before have left."""
    rest, table = rans.TOTAL, np.empty(256, dtype=np.int64)
    for v in range(255):
        table[v] = min(max(1, rest * t >> 8), rest - 255 + v)
        rest -= int(table[v])
    table[255] = rest
    return rans.Model(table)


@dataclass(frozen=True)
class CodedGaps:
    """Gaps before they are decoded, their sizes checked.

    Attributes:
        low_bits: how many of every gap are stored, 0 to `MAX_LOW_BITS`.
        low: these, as bits in bytes, one gap after the other.
        high: the coded gap bytes of the rest.
    """

    low_bits: int
    low: bits.Packed
    high: rans.Stream


def encode_positions(positions: NDArray[np.int64], limit: int) -> bytes | None:
    """The smallest payload over all s, or None if there is no position, or it surely takes `limit` bytes."""
    if not len(positions):
        return None
    distances = gaps.from_positions(positions)
    total = int(distances.sum())
    best: tuple[int, int, int] | None = None
    # Beyond the mean gap, low bits are not uniform any more.
    most = min((total // len(distances)).bit_length(), MAX_LOW_BITS)
    for s, (steps, histogram) in enumerate(_high_parts(distances, most)):
        t = min(max((512 * len(distances) + steps) // (2 * steps), 1), 255)  # 256 · len(distances) / steps, rounded
        size = model(t).cost(histogram) + s * len(positions)
        if best is None or size < best[0]:
            best = size, s, t
    assert best is not None
    size, s, t = best
    if size // 8 - len(distances) // 2048 - _SLACK > limit:  # `cost` rounds up, by 1 / 256 of a bit for each byte
        return None
    stream = gaps.to_bytes(distances >> s)
    lanes = rans.lanes_for(len(stream), size - s * len(positions))
    front = bytes([s, t]) + varint(len(stream)) + _low_bits(distances, s).tobytes() + varint(lanes)
    return front + rans.encode(stream, model(t), lanes)


def _low_bits(distances: NDArray[np.int64], s: int) -> bits.Packed:
    """The s low bits of every gap, one gap after the other."""
    flags = np.unpackbits(distances.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, count=s, bitorder="little")
    return bits.pack(flags.view(np.bool_))


def _high_parts(distances: NDArray[np.int64], most: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """For s = 0 … `most`: the sum of all gaps without s low bits, each plus 1; and a histogram of their gap bytes."""
    longest = int(distances.max())
    if longest > max(4 * len(distances), _LONG):  # a histogram of gaps would be longer than the gaps
        for s in range(most + 1):
            high = distances >> s
            histogram = np.bincount(high % 255, minlength=256)
            histogram[255] = int((high // 255).sum())
            yield int(high.sum()) + len(high), histogram
        return
    found = np.bincount(distances, minlength=(longest >> most) + 1 << most)
    for s in range(most + 1):
        if s:  # two gaps that differ in the lowest bit become one
            found = found[0::2] + found[1::2]
        size = len(found)
        if size <= 255:
            steps, histogram = int(found @ _PLACES[1 : size + 1]), found
        else:
            places = np.arange(size)
            steps, histogram = int(found @ (places + 1)), np.zeros(256, dtype=np.int64)
            rows = np.zeros(-(-size // 255) * 255, dtype=np.int64)
            rows[:size] = found
            histogram[:255] = rows.reshape(-1, 255).sum(axis=0)
            histogram[255] = found @ (places // 255)
        yield steps, histogram


def read(payload: Payload, length: int, count: int) -> CodedGaps:
    """Return the contents of the payload for `count` positions below `length`.

    Raises:
        PayloadError: a field that is not allowed, or sizes that do not fit.
    """
    cursor = Cursor(payload, PayloadError)
    s, t = cursor.fixed(1, "low bits of gaps"), cursor.fixed(1, "frequencies of gaps")
    if s > MAX_LOW_BITS or t == 0:
        raise PayloadError(f"gaps with {s} low bits and the frequencies {t}: at most {MAX_LOW_BITS}, and 1 to 255")
    size = cursor.varint("number of gap bytes", count + length // 255)
    stored = np.frombuffer(cursor.take(bits.byte_length(count * s), "low bits of gaps"), dtype=np.uint8)
    if s and count and not bits.padding_is_zero(stored, count * s):
        raise PayloadError("the padding after the low bits of gaps is not zero")
    lanes = cursor.varint("number of rANS lanes")
    return CodedGaps(s, stored, rans.stream(memoryview(payload)[cursor.position :], size, model(t), lanes))


def decode(payload: Payload, length: int, count: int, bit: bool) -> bits.Packed:
    """`length` bits, of which `count` are `bit`; errors as `read` and `gaps.decode`."""
    coded = read(payload, length, count)
    s = coded.low_bits

    def widen(start: int, high: NDArray[np.int64]) -> NDArray[np.int64]:
        first, last = start * s, (start + len(high)) * s
        flags = bits.unpack(coded.low[first // 8 : bits.byte_length(last)], last - first // 8 * 8)[first % 8 :]
        low = flags.reshape(len(high), s)
        distances = high << s
        for number in range(s):
            distances |= low[:, number].astype(np.int64) << number
        return distances

    return gaps.decode(length, count, bit, rans.decode(coded.high), s, widen if s else None)
