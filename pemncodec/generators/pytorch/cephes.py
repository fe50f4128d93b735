"""log, sin and cos of spec 8.8: binary32 operations in their order, multiply-add fused, or not (8.9)."""

from __future__ import annotations

from collections.abc import Callable

from .arrays import NUMPY, Array, Arrays, single

# a × b + c, by the operations of a backend.
MultiplyAdd = Callable[[Array, Array, Array, Arrays], Array]

_LOG = single(
    *(0x3D9021BB, 0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF, 0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA)
)
_SQRT_HALF, _LN_2, _LN_2_REST = single(0x3F3504F3, 0x3F318000, 0xB95E8083)
_TURN, _QUARTERS = single(0x40C90FDB, 0x3FA2F983)
_REDUCED = single(0xBF490000, 0xB97DA000, 0xB3222169)
_COS = single(0x37CCF5CE, 0xBAB6061A, 0x3D2AAAA5)
_SIN = single(0xB94CA1F9, 0x3C08839E, 0xBE2AAAA3)


def fused(a: Array, b: Array, c: Array, on: Arrays = NUMPY) -> Array:
    """a × b + c of float32 numbers, rounded once.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd there: then rounding to float32
    gives what one rounding of the exact sum does, because float64 has more than twice as many bits (Boldo and
    Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Transactions on Computers, 2008).
    """
    product = on.double(a) * on.double(b)
    addend = on.double(c)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = on.pattern(total)
    inexact = (error != 0) & (bits & 1 == 0)
    odd = on.where(inexact, on.where((error > 0) == (total > 0), bits + 1, bits - 1), bits)
    return on.single(on.of_pattern(odd))


def separate(a: Array, b: Array, c: Array, on: Arrays = NUMPY) -> Array:  # noqa: ARG001 - as `fused`
    """a × b + c of float32 numbers, rounded twice."""
    return a * b + c


def log(x: Array, fma: MultiplyAdd = fused, on: Arrays = NUMPY) -> Array:
    """log(x) for x in 2^−24 … 1, float32."""
    bits = on.pattern(x)
    e = on.single((bits >> 23) - 126)
    m = on.of_pattern((bits & 0x007FFFFF) | 0x3F000000)
    small = m < _SQRT_HALF
    e = e - on.single(small)
    f = (m - 1.0) + on.where(small, m, 0.0)
    z = f * f
    p = fma(f, _LOG[0], _LOG[1], on)
    for coefficient in _LOG[2:]:
        p = fma(p, f, coefficient, on)
    p = fma(p * f, z, e * _LN_2_REST, on)
    return fma(e, _LN_2, f + (p - z * 0.5), on)


def angle(turns: Array) -> Array:
    """2 π × turns."""
    return turns * _TURN


def sin_cos(t: Array, fma: MultiplyAdd = fused, on: Arrays = NUMPY) -> tuple[Array, Array]:
    """sin(t) and cos(t) for t in 0 … 2π, float32."""
    n = on.integer(t * _QUARTERS)
    n = n + (n & 1)
    a, y = t, on.single(n)
    for part in _REDUCED:
        a = fma(y, part, a, on)
    z = a * a
    c = fma(fma(z, _COS[0], _COS[1], on), z, _COS[2], on) * z
    c = fma(c, z, -(z * 0.5), on) + 1.0
    s = fma(fma(z, _SIN[0], _SIN[1], on), z, _SIN[2], on) * z
    s = fma(s, a, a, on)
    straight = n & 2 == 0
    sine, cosine = on.where(straight, s, c), on.where(straight, c, s)
    turned = on.where((n & 2 != 0) != (n & 4 != 0), -cosine, cosine)
    return on.where(n & 4 != 0, -sine, sine), turned
