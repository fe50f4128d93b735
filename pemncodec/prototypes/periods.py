"""The smallest vector that, repeated, gives a layer; and scaled copies. On words, exact."""

from __future__ import annotations

import numpy as np

from ..words import Words

# A mask or a network of two values repeats its beginning everywhere by chance. Candidates are thinned by probes;
# what is left is verified in full, and at most so many, so that no input makes this slow.
_PROBES = 64
_MAX_VERIFIED = 256


def extend(period: Words, count: int) -> Words:
    """`count` elements of the repetition of `period`."""
    if count <= len(period):
        return period[:count]
    return np.resize(period, count)


def is_tile_of(values: Words, period: Words) -> bool:
    """Whether `values` is the repetition of `period` from its beginning, cut to length."""
    length = min(len(period), len(values))
    if not np.array_equal(values[:length], period[:length]):
        return False
    return np.array_equal(values[length:], values[: len(values) - length])


def minimal_period(values: Words) -> int:
    """The least d ≤ n / 2 with values[i] = values[i − d] for all i ≥ d; n if there is none.

    Candidates are the places where the first elements stand again.
    """
    n = len(values)
    if n < 2:
        return n
    if (values == values[0]).all():
        return 1
    candidates = np.flatnonzero(values[1 : n // 2 + 1] == values[0]) + 1
    # Offsets below n / 2 can be compared at every candidate; spread them over the whole range.
    offsets = np.unique(np.concatenate([np.arange(1, 9), np.linspace(0, n - n // 2 - 1, _PROBES).astype(np.int64)]))
    for offset in offsets[offsets < n - n // 2]:
        if not len(candidates):
            return n
        candidates = candidates[values[candidates + offset] == values[offset]]
    for candidate in candidates[:_MAX_VERIFIED].tolist():
        if np.array_equal(values[candidate:], values[:-candidate]):
            return int(candidate)
    return n


def scale_between(base: Words, scaled: Words) -> float | None:
    """The float32 c > 0 with scaled = fl(c · base) in every bit, or None.

    Args:
        base, scaled: float32 words of equal length.
    """
    b, s = base.view(np.float32), scaled.view(np.float32)
    if not (np.isfinite(b).all() and np.isfinite(s).all()):
        return None
    peak = int(np.argmax(np.abs(b)))
    if b[peak] == 0 or s[peak] / b[peak] <= 0:
        return None
    with np.errstate(all="ignore"):
        guess = np.float32(np.float64(s[peak]) / np.float64(b[peak]))
        bits = int(guess.view(np.uint32))
        for candidate in (bits, bits - 1, bits + 1, bits - 2, bits + 2):
            if not 0 < candidate < 0x7F800000:
                continue
            factor = np.uint32(candidate).view(np.float32)
            head = slice(0, 256)
            if np.array_equal((b[head] * factor).view(np.uint32), scaled[head]) and np.array_equal(
                (b * factor).view(np.uint32), scaled
            ):
                return float(factor)
    return None
