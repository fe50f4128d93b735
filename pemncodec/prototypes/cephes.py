"""log, sin and cos of spec 8.8, in numpy: binary32 operations in their order, multiply-add fused, or not (8.9)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
_LOG = (0x3D9021BB, 0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF, 0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA)


def constant(pattern: int) -> np.float32:
    """A float32 of this bit pattern."""
    return np.uint32(pattern).view(np.float32)


def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Floats:
    """a × b + c, rounded once.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd there: then rounding to float32
    gives what one rounding of the exact sum does, because float64 has more than twice as many bits (Boldo and
    Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Transactions on Computers, 2008).
    """
    product: NDArray[np.float64] = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = product + addend
    part: NDArray[np.float64] = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64)
    inexact = (error != 0) & (bits & 1 == 0)
    odd: NDArray[np.int64] = np.where(inexact, np.where((error > 0) == (total > 0), bits + 1, bits - 1), bits)
    rounded: Floats = odd.view(np.float64).astype(np.float32)
    return rounded


def separate(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Floats:
    """a × b + c of float32 numbers, rounded twice."""
    both: Floats = np.asarray(a, np.float32) * np.asarray(b, np.float32) + np.asarray(c, np.float32)
    return both


MultiplyAdd = Callable[[ArrayLike, ArrayLike, ArrayLike], Floats]


def log(x: Floats, fma: MultiplyAdd = fma) -> Floats:
    """log(x) for x in 2^−24 … 1."""
    bits = x.view(np.int32)
    e = ((bits >> 23) - 126).astype(np.float32)
    m = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)
    small = m < constant(0x3F3504F3)
    e = e - small.astype(np.float32)
    f = (m - np.float32(1)) + np.where(small, m, np.float32(0))
    z = f * f
    p = fma(constant(_LOG[0]), f, constant(_LOG[1]))
    for coefficient in _LOG[2:]:
        p = fma(p, f, constant(coefficient))
    p = fma(p * f, z, e * constant(0xB95E8083))
    return fma(e, constant(0x3F318000), f + (p - z * np.float32(0.5)))


def sin_cos(t: Floats, fma: MultiplyAdd = fma) -> tuple[Floats, Floats]:
    """sin(t) and cos(t) for t in 0 … 2π."""
    n = (t * constant(0x3FA2F983)).astype(np.int32)
    n += n & 1
    y = n.astype(np.float32)
    a = fma(y, constant(0xBF490000), t)
    a = fma(y, constant(0xB97DA000), a)
    a = fma(y, constant(0xB3222169), a)
    z = a * a
    c = fma(fma(constant(0x37CCF5CE), z, constant(0xBAB6061A)), z, constant(0x3D2AAAA5)) * z
    c = fma(c, z, -(z * np.float32(0.5))) + np.float32(1)
    s = fma(fma(constant(0xB94CA1F9), z, constant(0x3C08839E)), z, constant(0xBE2AAAA3)) * z
    s = fma(s, a, a)
    straight = n & 2 == 0
    sine, cosine = np.where(straight, s, c), np.where(straight, c, s)
    turned = np.where((n & 2 != 0) != (n & 4 != 0), -cosine, cosine)
    return np.where(n & 4 != 0, -sine, sine), turned
