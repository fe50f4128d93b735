"""The float32 arithmetic of spec section 8.8: fused multiply-add, logarithm, sine and cosine."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


def _floats(*patterns: int) -> list[np.float32]:
    return list(np.array(patterns, dtype=np.uint32).view(np.float32))


_P = _floats(
    0x3D9021BB, 0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF, 0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA
)  # fmt: skip
_ROOT_HALF, _LN2_LOW, _LN2_HIGH = _floats(0x3F3504F3, 0xB95E8083, 0x3F318000)
_FOUR_OVER_PI, *_QUARTERS = _floats(0x3FA2F983, 0xBF490000, 0xB97DA000, 0xB3222169)
_COS = _floats(0x37CCF5CE, 0xBAB6061A, 0x3D2AAAA5)
_SIN = _floats(0xB94CA1F9, 0x3C08839E, 0xBE2AAAA3)
_HALF, _ONE = np.float32(0.5), np.float32(1)
TWO_PI = _floats(0x40C90FDB)[0]
_BELOW = np.int64((1 << 29) - 1)
_MIDDLE = np.int64(1 << 28)


def fma(a: Floats, b: Floats | np.float32, c: Floats | np.float32) -> Floats:
    """a × b + c, rounded once, for results that are no subnormal numbers.

    The product is exact in binary64. Its sum with c, rounded there, rounds to the right binary32 number unless it lies
    in the middle of two: then the rest of the sum decides.
    """
    product = a.astype(np.float64)
    product *= b
    total = product + c
    middle = (total.view(np.int64) & _BELOW) == _MIDDLE
    if middle.any():
        at = np.flatnonzero(middle)
        p, s = product.reshape(-1)[at], total.reshape(-1)[at]
        addend = np.broadcast_to(np.asarray(c, dtype=np.float64), total.shape).reshape(-1)[at]
        back = s - p
        rest = (p - (s - back)) + (addend - back)
        total.reshape(-1)[at] = np.where(rest == 0, s, np.nextafter(s, np.copysign(np.inf, rest)))
    return total.astype(np.float32)


def times(a: Floats, scale: np.float32) -> Floats:
    """fma(a, scale, +0.0)."""
    return (a.astype(np.float64) * np.float64(scale) + 0.0).astype(np.float32)


def log(x: Floats) -> Floats:
    """The logarithm of numbers in 2^-24 … 1."""
    pattern = x.view(np.int32)
    e = (pattern >> 23) - np.int32(126)
    m = ((pattern & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    small = m < _ROOT_HALF
    f = m - _ONE
    f += np.where(small, m, np.float32(0))
    exponent = (e - small).astype(np.float32)
    z = f * f
    p = np.full_like(f, _P[0])
    for coefficient in _P[1:]:
        p = fma(p, f, coefficient)
    p *= f
    p = fma(p, z, exponent * _LN2_LOW)
    p -= z * _HALF
    return fma(exponent, _LN2_HIGH, f + p)


def sine_cosine(t: Floats) -> tuple[Floats, Floats]:
    """Sine and cosine of numbers in 0 … 2π."""
    n = (t * _FOUR_OVER_PI).astype(np.int32)
    n = (n + np.int32(1)) & np.int32(-2)
    y = n.astype(np.float32)
    a = t
    for quarter in _QUARTERS:
        a = fma(y, quarter, a)
    z = a * a
    c = fma(np.full_like(z, _COS[0]), z, _COS[1])
    c = fma(c, z, _COS[2]) * z
    c = fma(c, z, -(z * _HALF)) + _ONE
    s = fma(np.full_like(z, _SIN[0]), z, _SIN[1])
    s = fma(s, z, _SIN[2]) * z
    s = fma(s, a, a)
    swapped = (n & 2) != 0
    sine, cosine = np.where(swapped, c, s), np.where(swapped, s, c)
    np.negative(sine, out=sine, where=(n & 4) != 0)
    np.negative(cosine, out=cosine, where=((n + np.int32(2)) & 4) != 0)
    return sine, cosine
