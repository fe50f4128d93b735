"""ln, sine and cosine of spec 8.9, in numpy: those of the GNU C library, from binary32 by binary64 to binary32.

Each binary64 operation is rounded by itself. The constants are those of Arm's Optimized Routines (logf, sinf, cosf).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def _doubles(*patterns: int) -> Doubles:
    return np.array(patterns, dtype=np.uint64).view(np.float64)


# For each sixteenth: 1 / c and log(c), of a c near its middle.
_INVERSES = _doubles(
    *(0x3FF661EC79F8F3BE, 0x3FF571ED4AAF883D, 0x3FF49539F0F010B0, 0x3FF3C995B0B80385),
    *(0x3FF30D190C8864A5, 0x3FF25E227B0B8EA0, 0x3FF1BB4A4A1A343F, 0x3FF12358F08AE5BA),
    *(0x3FF0953F419900A7, 0x3FF0000000000000, 0x3FEE608CFD9A47AC, 0x3FECA4B31F026AA0),
    *(0x3FEB2036576AFCE6, 0x3FE9C2D163A1AA2D, 0x3FE886E6037841ED, 0x3FE767DCF5534862),
)
_LOGARITHMS = _doubles(
    *(0xBFD57BF7808CAADE, 0xBFD2BEF0A7C06DDB, 0xBFD01EAE7F513A67, 0xBFCB31D8A68224E9),
    *(0xBFC6574F0AC07758, 0xBFC1AA2BC79C8100, 0xBFBA4E76CE8C0E5E, 0xBFB1973C5A611CCC),
    *(0xBFA252F438E10C1E, 0x0000000000000000, 0x3FAAA5AA5DF25984, 0x3FBC5E53AA362EB4),
    *(0x3FC526E57720DB08, 0x3FCBC2860D224770, 0x3FD1058BC8A07EE1, 0x3FD4043057B6EE09),
)
_LN_2, _LOG_2, _LOG_3, _LOG_4 = _doubles(0x3FE62E42FEFA39EF, 0xBFDFFFFEF20A4123, 0x3FD5575B0BE00B6A, 0xBFD00EA348B88334)
# 2^24 / (π / 2), π / 2 and 2 π.
_QUARTERS, _QUARTER, _TURN = _doubles(0x41645F306DC9C883, 0x3FF921FB54442D18, 0x401921FB54442D18)
_SIN_3, _SIN_5, _SIN_7 = _doubles(0xBFC555545995A603, 0x3F81107605230BC4, 0xBF2994EB3774CF24)
_COS_2, _COS_4, _COS_6, _COS_8 = _doubles(
    0xBFDFFFFFFD0C621C, 0x3FA55553E1068F19, 0xBF56C087E89A359D, 0x3EF99343027BF8C3
)


def angle(turns: Floats) -> Floats:
    """2 π × turns, the product in binary64."""
    return (_TURN * turns.astype(np.float64)).astype(np.float32)


def log(x: Floats) -> Floats:
    """ln(x) for x in 2^−24 … 1."""
    pattern = x.view(np.int32)
    above = pattern - np.int32(0x3F330000)
    k, row = above >> 23, above >> 19 & 15
    z = (pattern - (k << 23)).view(np.float32).astype(np.float64)
    q = z * _INVERSES[row] - 1
    square = q * q
    y = _LOG_3 * q + _LOG_2
    y = _LOG_4 * square + y
    y = y * square + ((_LOGARITHMS[row] + k * _LN_2) + q)
    return y.astype(np.float32)


def sin_cos(t: Floats) -> tuple[Floats, Floats]:
    """sine(t) and cosine(t) for t in 0 … 2π."""
    x = t.astype(np.float64)
    n = ((x * _QUARTERS).astype(np.int32) + np.int32(1 << 23)) >> 24
    x = x - n * _QUARTER
    z = x * x
    third, fourth = x * z, z * z
    s = ((x + third * _SIN_3) + (third * z) * (_SIN_5 + z * _SIN_7)).astype(np.float32)
    c = (((1 + z * _COS_2) + fourth * _COS_4) + (fourth * z) * (_COS_6 + z * _COS_8)).astype(np.float32)
    odd = n & 1 != 0
    sine, cosine = np.where(odd, c, s), np.where(odd, s, c)
    return np.where(n & 2 != 0, -sine, sine), np.where((n + 1) & 2 != 0, -cosine, cosine)
