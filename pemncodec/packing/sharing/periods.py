"""The smallest vector that, repeated, gives a layer; and scaled copies. On words, exact."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...common.bits import PIECE
from ...common.words import Words

# A mask or a network of two values repeats its beginning everywhere by chance. Candidates are thinned by probes;
# what is left is verified in full, and at most so many, so that no input makes this slow.
_PROBES = 64
_MAX_VERIFIED = 256
_FIRST, _NORMAL = 16, 2.0**-126


def extend(period: Words, count: int) -> Words:
    """`count` elements of the repetition of `period`."""
    if count <= len(period):
        return period[:count]
    return np.resize(period, count)


def equal(one: Words, two: Words) -> bool:
    """Return whether words of one length are the same; no array of that length is made."""
    return all(
        np.array_equal(one[start : start + PIECE], two[start : start + PIECE]) for start in range(0, len(one), PIECE)
    )


def is_tile_of(values: Words, period: Words) -> bool:
    """Return whether `values` is the repetition of `period` from its beginning, cut to length."""
    length = min(len(period), len(values))
    return equal(values[:length], period[:length]) and equal(values[length:], values[: len(values) - length])


def _places(values: Words, value: np.unsignedinteger) -> NDArray[np.int64]:
    """Return the places of `value`."""
    pieces = range(0, len(values), PIECE)
    found = [np.flatnonzero(values[start : start + PIECE] == value) + start for start in pieces]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def minimal_period(values: Words) -> int:
    """The least d ≤ n / 2 with values[i] = values[i − d] for all i ≥ d; n if there is none.

    Candidates are the places where the first elements stand again.
    """
    n = len(values)
    if n < 2:
        return n
    if values[0] == values[1] and equal(values[1:], values[:-1]):
        return 1
    candidates = _places(values[1 : n // 2 + 1], values[0]) + 1
    if not len(candidates):
        return n
    for offset in _offsets(n):
        candidates = candidates[values[candidates + offset] == values[offset]]
        if not len(candidates):
            return n
    for candidate in candidates[:_MAX_VERIFIED].tolist():
        if equal(values[candidate:], values[:-candidate]):
            return int(candidate)
    return n


@lru_cache(maxsize=1 << 10)
def _offsets(length: int) -> list[int]:
    """Offsets below length / 2, which can be compared at every candidate, spread over the whole range."""
    most = length - length // 2
    offsets = np.unique(np.concatenate([np.arange(1, 9), np.linspace(0, most - 1, _PROBES).astype(np.int64)]))
    few: list[int] = offsets[offsets < most].tolist()
    return few


def scale_between(base: Words, scaled: Words) -> float | None:
    """The float32 c > 0 with scaled = fl(c · base) in every bit, or None.

    Args:
        base: float32 words; one period of a repetition that is as long as `scaled`.
        scaled: float32 words.
    """
    b, s = base.view(np.float32), scaled.view(np.float32)
    if _differ_at_once(b[:_FIRST].tolist(), s[:_FIRST].tolist()):
        return None
    head = slice(0, 256)
    first = np.resize(b, min(len(s), 256))
    if not (np.isfinite(first).all() and np.isfinite(s[head]).all()):
        return None
    peak = int(np.argmax(np.abs(first)))
    with np.errstate(all="ignore"):
        if first[peak] == 0 or s[peak] / first[peak] <= 0:
            return None
        guess = np.float32(np.float64(s[peak]) / np.float64(first[peak]))
        bits = int(guess.view(np.uint32))
        for candidate in (bits, bits - 1, bits + 1, bits - 2, bits + 2):
            if not 0 < candidate < 0x7F800000:
                continue
            factor = np.uint32(candidate).view(np.float32)
            if np.array_equal((first * factor).view(np.uint32), scaled[head]) and _is_product(b, factor, scaled):
                return float(factor)
    return None


def _differ_at_once(base: list[float], scaled: list[float]) -> bool:
    """Return whether some first elements already have other ratios than one factor can give.

    A normal product is within 2^−24 of the exact one, so the ratios of two are within 2^−22. Products of two float32
    are exact in float64. No factor makes anything of zero.
    """
    known: tuple[float, float] | None = None
    for one, two in zip(base, scaled, strict=False):
        if one == 0 and two != 0:
            return True
        if not (_NORMAL <= abs(one) < math.inf and _NORMAL <= abs(two) < math.inf):
            continue
        if known is None:
            known = one, two
        elif abs(known[1] * one - two * known[0]) > 2.0**-20 * abs(known[1] * one):
            return True
    return False


def _is_product(base: NDArray[np.float32], factor: np.float32, scaled: Words) -> bool:
    """Return whether the repetition of `base` times `factor` is `scaled`, in bits, and nothing is infinite or NaN."""
    step = max(len(base), PIECE // len(base) * len(base))
    for start in range(0, len(scaled), step):
        for begin in range(start, min(start + step, len(scaled)), PIECE):
            stop = min(begin + PIECE, start + step, len(scaled))
            piece = base[begin - start : stop - start] if step == len(base) else np.resize(base, stop - begin)
            products = piece * factor
            if not (np.isfinite(piece).all() and np.isfinite(products).all()):
                return False
            if not np.array_equal(products.view(np.uint32), scaled[begin:stop]):
                return False
    return True
