"""ln, sine and cosine of spec 8.9: those of the GNU C library, from binary32 by binary64 to binary32.

Each binary64 operation is rounded by itself. The constants are those of Arm's Optimized Routines (logf, sinf, cosf).
"""

from __future__ import annotations

from .arrays import NUMPY, Array, Arrays, double

# For each sixteenth: 1 / c and log(c), of a c near its middle.
_INVERSES = double(
    *(0x3FF661EC79F8F3BE, 0x3FF571ED4AAF883D, 0x3FF49539F0F010B0, 0x3FF3C995B0B80385),
    *(0x3FF30D190C8864A5, 0x3FF25E227B0B8EA0, 0x3FF1BB4A4A1A343F, 0x3FF12358F08AE5BA),
    *(0x3FF0953F419900A7, 0x3FF0000000000000, 0x3FEE608CFD9A47AC, 0x3FECA4B31F026AA0),
    *(0x3FEB2036576AFCE6, 0x3FE9C2D163A1AA2D, 0x3FE886E6037841ED, 0x3FE767DCF5534862),
)
_LOGARITHMS = double(
    *(0xBFD57BF7808CAADE, 0xBFD2BEF0A7C06DDB, 0xBFD01EAE7F513A67, 0xBFCB31D8A68224E9),
    *(0xBFC6574F0AC07758, 0xBFC1AA2BC79C8100, 0xBFBA4E76CE8C0E5E, 0xBFB1973C5A611CCC),
    *(0xBFA252F438E10C1E, 0x0000000000000000, 0x3FAAA5AA5DF25984, 0x3FBC5E53AA362EB4),
    *(0x3FC526E57720DB08, 0x3FCBC2860D224770, 0x3FD1058BC8A07EE1, 0x3FD4043057B6EE09),
)
_LN_2, _LOG_2, _LOG_3, _LOG_4 = double(0x3FE62E42FEFA39EF, 0xBFDFFFFEF20A4123, 0x3FD5575B0BE00B6A, 0xBFD00EA348B88334)
# 2^24 / (π / 2), π / 2 and 2 π.
_QUARTERS, _QUARTER, _TURN = double(0x41645F306DC9C883, 0x3FF921FB54442D18, 0x401921FB54442D18)
_SIN_3, _SIN_5, _SIN_7 = double(0xBFC555545995A603, 0x3F81107605230BC4, 0xBF2994EB3774CF24)
_COS_2, _COS_4, _COS_6, _COS_8 = double(0xBFDFFFFFFD0C621C, 0x3FA55553E1068F19, 0xBF56C087E89A359D, 0x3EF99343027BF8C3)


def log(x: Array, on: Arrays = NUMPY) -> Array:
    """ln(x) for x in 2^−24 … 1, float32."""
    bits = on.pattern(x)
    above = bits - 0x3F330000
    k, row = above >> 23, (above >> 19) & 15
    z = on.double(on.of_pattern(bits - (k << 23)))
    q = z * on.pick(_INVERSES, row) - 1.0
    square = q * q
    y = q * _LOG_3 + _LOG_2
    y = square * _LOG_4 + y
    y = y * square + ((on.pick(_LOGARITHMS, row) + on.double(k) * _LN_2) + q)
    return on.single(y)


def angle(turns: Array, on: Arrays = NUMPY) -> Array:
    """2 π × turns, the product in binary64."""
    return on.single(on.double(turns) * _TURN)


def sin_cos(t: Array, on: Arrays = NUMPY) -> tuple[Array, Array]:
    """sine(t) and cosine(t) for t in 0 … 2π, float32."""
    x = on.double(t)
    n = (on.integer(x * _QUARTERS) + (1 << 23)) >> 24
    x = x - on.double(n) * _QUARTER
    z = x * x
    third, fourth = x * z, z * z
    s = on.single((x + third * _SIN_3) + (third * z) * (z * _SIN_7 + _SIN_5))
    c = on.single(((z * _COS_2 + 1.0) + fourth * _COS_4) + (fourth * z) * (z * _COS_8 + _COS_6))
    odd = n & 1 != 0
    sine, cosine = on.where(odd, c, s), on.where(odd, s, c)
    return on.where(n & 2 != 0, -sine, sine), on.where((n + 1) & 2 != 0, -cosine, cosine)
