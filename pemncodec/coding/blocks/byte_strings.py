"""Byte strings by rANS under a table of their own, where that is shorter (spec section 6.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...container.cursor import Cursor, varint, varints
from ...errors import PayloadError
from .. import rans
from ..rans import Bytes, Model

RAW, CONSTANT, RANS = range(3)
MAX_WEIGHT = (1 << 24) - 1
_SPREAD = rans.TOTAL - 256

# What an encoder tries: bins of so many bits, and greatest weights. Weights below 128 take a byte, below 2^14 two.
_BITS = (0, 2, 3, 4, 5)
_GREATEST = (15, 63, 127, 1023, 16383)
# Fewer bytes never pay for a table and a state.
_SHORT = 24
# 256 × log2(i / 256) for i = 256 … 511, from integers alone, so that every machine writes the same bytes.
_LOGARITHMS = np.array([(i**256).bit_length() - 1 - 8 * 256 for i in range(256, 512)], dtype=np.int64)

# The same for every frequency: bits of a byte times 256, about.
_fractions, _exponents = np.frexp(np.arange(rans.TOTAL + 1))  # exact
_COSTS = np.zeros(rans.TOTAL + 1, dtype=np.int64)
_COSTS[1:] = (17 - _exponents[1:].astype(np.int64)) * 256 - _LOGARITHMS[(_fractions[1:] * 512).astype(np.int64) - 256]

# Of the bins of all tables, one after the other: how many each has, where they begin, and which bytes they stand for.
_WIDTHS = np.array([1 << b for b in _BITS], dtype=np.int64)
_BINS = 256 // _WIDTHS
_BEGINS = np.cumsum(_BINS) - _BINS
_NUMBERS = np.arange(_BINS.sum())
_TABLE_OF = np.repeat(np.arange(len(_BITS)), _BINS)
_FIRST = (_NUMBERS - np.repeat(_BEGINS, _BINS)) * np.repeat(_WIDTHS, _BINS)
_LAST = _FIRST + np.repeat(_WIDTHS, _BINS) - 1
_BIN_OF = _BEGINS[:, None] + np.arange(256) // _WIDTHS[:, None]
_LIMITS = np.array(_GREATEST, dtype=np.int64)[:, None]
_ROWS, _COLUMNS = np.ogrid[: len(_GREATEST), : len(_BITS)]


def model(b: int, first: int, weights: list[int]) -> Model:
    """The frequencies of a table."""
    total = sum(weights)
    table = np.ones(256, dtype=np.int64)
    width = 1 << b
    each = [weight * _SPREAD // (total * width) for weight in weights]
    table[first * width : (first + len(weights)) * width] += np.repeat(np.array(each, dtype=np.int64), width)
    table[(first + weights.index(max(weights))) * width] += rans.TOTAL - int(table.sum())
    return Model(table)


def encode(content: Bytes) -> bytes:
    """The shortest byte string that this encoder knows."""
    if (content == content[0]).all():
        return bytes([CONSTANT, int(content[0])])
    plain = bytes([RAW]) + content.tobytes()
    if len(content) < _SHORT:
        return plain
    size, front, chosen = _best_table(np.bincount(content, minlength=256))
    lanes = rans.lanes_for(len(content), size)
    if size // 8 + len(front) + 4 * lanes >= len(plain):
        return plain
    coded = varint(lanes) + rans.encode(content, chosen, lanes)
    return min(plain, bytes([RANS]) + front + varint(len(coded)) + coded, key=len)


def _best_table(histogram: NDArray[np.int64]) -> tuple[int, bytes, Model]:
    """Bits with the table, the table, and its frequencies: of the smallest table, or the first in order of their bytes.

    All tables are made at once, in arrays of shape (greatest weights, bits, bins or bytes): a block of small groups has
    twenty strings, and each 25 tables.
    """
    ends = np.cumsum(histogram)
    bins = ends[_LAST] - ends[_FIRST] + histogram[_FIRST]
    most = np.maximum.reduceat(bins, _BEGINS).take(_TABLE_OF)
    weights = np.where(bins > 0, np.maximum(1, (2 * bins * _LIMITS + most) // (2 * most)), 0)
    totals = np.add.reduceat(weights, _BEGINS, axis=1)
    each = weights * _SPREAD // (totals * _WIDTHS).take(_TABLE_OF, axis=1)
    frequencies = each.take(_BIN_OF, axis=1)
    frequencies += 1
    greatest = np.maximum.reduceat(weights, _BEGINS, axis=1).take(_TABLE_OF, axis=1)
    chosen = np.minimum.reduceat(np.where(weights == greatest, _NUMBERS, len(_NUMBERS)), _BEGINS, axis=1)
    lacking = _SPREAD - _WIDTHS * np.add.reduceat(each, _BEGINS, axis=1)
    frequencies[_ROWS, _COLUMNS, _FIRST[chosen]] += lacking
    costs = _COSTS.take(frequencies) @ histogram >> 8
    used = np.flatnonzero(histogram)
    shifts = np.array(_BITS)
    first, last = int(used[0]) >> shifts, int(used[-1]) >> shifts
    long = np.add.reduceat(weights >= 1 << 7, _BEGINS, axis=1, dtype=np.int64)
    sizes = costs + 8 * (4 + last - first + long)  # no weight takes three bytes

    def front(limit: int, place: int) -> bytes:
        own = weights[limit, _BEGINS[place] + first[place] : _BEGINS[place] + last[place] + 1].tolist()
        return bytes([_BITS[place], first[place], len(own) - 1]) + varints(own)

    size = int(sizes.min())
    ways = [(front(limit, place), limit, place) for limit, place in np.argwhere(sizes == size).tolist()]
    smallest, limit, place = min(ways)
    return size, smallest, Model(frequencies[limit, place])


def decode(cursor: Cursor, count: int, what: str) -> Bytes:
    """The next byte string, of `count` bytes.

    Raises:
        PayloadError: it breaks a rule, or has another number of bytes.
    """
    method = cursor.fixed(1, f"method of {what}")
    if method == RAW:
        return np.frombuffer(cursor.take(count, what), dtype=np.uint8)
    if method == CONSTANT:
        return np.full(count, cursor.fixed(1, what), dtype=np.uint8)
    if method != RANS:
        raise PayloadError(f"{what} has the unknown method {method}")
    table = _read_table(cursor, what)
    data = memoryview(cursor.take(cursor.varint(f"size of {what}"), what))
    inner = Cursor(data, PayloadError)
    lanes = inner.varint("number of rANS lanes")
    return rans.decode(rans.stream(data[inner.position :], count, table, lanes))


def _read_table(cursor: Cursor, what: str) -> Model:
    b, first = cursor.fixed(1, f"table of {what}"), cursor.fixed(1, f"table of {what}")
    bins = cursor.fixed(1, f"table of {what}") + 1
    if b > 7 or (first + bins) << b > 256:
        raise PayloadError(f"{what}: a table of {bins} bins of 2^{b} bytes from bin {first} on does not fit 256 bytes")
    weights = [cursor.varint(f"weight of {what}", MAX_WEIGHT) for _ in range(bins)]
    if not any(weights):
        raise PayloadError(f"{what}: all weights of its table are 0")
    return model(b, first, weights)
