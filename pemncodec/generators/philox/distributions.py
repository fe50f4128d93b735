"""From 32 random bits to a float32, on integers, in numpy (spec sections 8.2 to 8.4)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


@cache
def normal_table() -> NDArray[np.int64]:
    """T[0 … 1024] of spec section 8.3: quantiles of |N(0, 1)| in units of 2^-28."""
    text = files(__package__).joinpath("normal-table.txt").read_text(encoding="ascii")
    return np.array([int(word, 16) for word in text.split()], dtype=np.int64)


def sign(words: NDArray[np.uint32], scale: np.float32) -> NDArray[np.float32]:
    """±scale, by the highest bit."""
    bits = (words & np.uint32(0x80000000)) ^ scale.view(np.uint32)
    return bits.view(np.float32)


def uniform(words: NDArray[np.uint32], scale: np.float32) -> NDArray[np.float32]:
    """Uniform on (−scale, scale): odd multiples of 2^-24, so never zero."""
    odd = 2 * (words >> np.uint32(8)).astype(np.int32) + (1 - (1 << 24))
    unit: NDArray[np.float32] = odd.astype(np.float32) * np.float32(2.0**-24)  # exact: |odd| < 2^24
    values: NDArray[np.float32] = unit * scale
    return values


def normal(words: NDArray[np.uint32], scale: np.float32) -> NDArray[np.float32]:
    """Normal with standard deviation `scale`: the inverse distribution function by table."""
    table = normal_table()
    t = ((words & np.uint32(0x7FFFFFFF)).astype(np.int64) << 1) | 1
    # The exponent of a double is the place of the leading bit: t < 2^53 converts exactly.
    exponent = (t.astype(np.float64).view(np.int64) >> 52) - 1023  # 31 − e of the spec
    y = t << (31 - exponent)
    j = 32 * exponent + ((y >> 26) & 31)
    upper = table[j]
    z = upper - (((upper - table[j + 1]) * (y & ((1 << 26) - 1))) >> 26)
    magnitude = z.astype(np.float32) * np.float32(2.0**-28) * scale
    signed: NDArray[np.float32] = (magnitude.view(np.uint32) | (words & np.uint32(0x80000000))).view(np.float32)
    return signed


FUNCTIONS = {"sign": sign, "uniform": uniform, "normal": normal}
