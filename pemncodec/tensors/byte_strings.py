"""Byte strings by rANS under a table of their own, where that is shorter (spec section 6.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..container.cursor import Cursor, varint, varints
from ..errors import PayloadError
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
    histogram = np.bincount(content, minlength=256)
    tables = [_table(histogram, b, greatest) for b in _BITS for greatest in _GREATEST]
    size, front, chosen = min(tables, key=lambda table: table[:2])
    lanes = rans.lanes_for(len(content), size)
    if size // 8 + len(front) + 4 * lanes >= len(plain):
        return plain
    coded = varint(lanes) + rans.encode(content, chosen, lanes)
    return min(plain, bytes([RANS]) + front + varint(len(coded)) + coded, key=len)


def _table(histogram: NDArray[np.int64], b: int, greatest: int) -> tuple[int, bytes, Model]:
    """Bits with the table, the table, and what follows from it."""
    bins = histogram.reshape(-1, 1 << b).sum(axis=1)
    used = np.flatnonzero(bins)
    first, counts = int(used[0]), bins[used[0] : used[-1] + 1]
    most = int(counts.max())
    weights = np.where(counts > 0, np.maximum(1, (2 * counts * greatest + most) // (2 * most)), 0).tolist()
    front = bytes([b, first, len(weights) - 1]) + varints(weights)
    made = model(b, first, weights)
    return _cost(histogram, made) + 8 * len(front), front, made


def _cost(histogram: NDArray[np.int64], made: Model) -> int:
    """Bits that bytes of this histogram take, about."""
    fraction, exponent = np.frexp(made.frequencies)  # exact
    costs = (17 - exponent.astype(np.int64)) * 256 - _LOGARITHMS[(fraction * 512).astype(np.int64) - 256]
    return int((histogram * costs).sum()) >> 8


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
