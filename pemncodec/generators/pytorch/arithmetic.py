"""From the draws of PyTorch's CPU generator to float32 numbers, in its dialects (spec sections 8.8 and 8.9).

The compiled loops give the same bits as the array operations beside them, which are those of numpy or of torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common import kernels
from ...container.manifest.pytorch_rows import FUSED, LIBRARY, PYTORCH_BLOCK, SEPARATE
from . import cephes, libm
from .arrays import NUMPY, Array, Arrays

# Those of each distribution, in the order of the compiled loops; the first is that of Linux on x86 with AVX2.
DIALECTS = {"uniform": (FUSED, SEPARATE), "normal": (FUSED, SEPARATE, LIBRARY)}

Draws = NDArray[np.uint32]
Floats = NDArray[np.float32]
_FRACTION = (1 << 24) - 1


def bits24(draws: Draws, out: Draws | None = None) -> Draws:
    """The bits of draws that make a number; `out` may be the draws."""
    return np.bitwise_and(draws, np.uint32(_FRACTION), out=out)


def fractions(draws: Draws) -> Floats:
    """U of spec 8.8: 24 bits of each draw, in [0, 1)."""
    return bits24(draws).astype(np.float32) * np.float32(2.0**-24)


def interval(numbers: Array, scale: float, low: float, dialect: str, on: Arrays = NUMPY) -> Array:
    """Fractions × scale + low, float32 numbers all, rounded once or twice."""
    return (cephes.fused if dialect == FUSED else cephes.separate)(numbers, scale, low, on)


def scaled(numbers: Array, scale: float, on: Arrays = NUMPY) -> Array:
    """Numbers of a normal × scale, a float32 number."""
    return cephes.fused(numbers, scale, 0.0, on)


def signs(numbers: Array, scale: float) -> Array:
    """The scale where a number is above 0, its negative below, and +0.0 where it is 0."""
    return (numbers > 0) * scale - (numbers < 0) * scale + 0.0


def pairs(first: Array, second: Array, dialect: str, on: Arrays = NUMPY) -> tuple[Array, Array]:
    """The numbers of a normal that two arrays of fractions make (r × cos t and r × sin t of the specification)."""
    if dialect == LIBRARY:
        logarithm = libm.log(1.0 - first, on)
        sine, cosine = libm.sin_cos(libm.angle(second, on), on)
    else:
        fma = cephes.fused if dialect == FUSED else cephes.separate
        logarithm = cephes.log(1.0 - first, fma, on)
        sine, cosine = cephes.sin_cos(cephes.angle(second), fma, on)
    radius = on.sqrt(logarithm * -2.0)
    return radius * cosine, radius * sine


def uniform(draws: Draws, scale: float, low: float, dialect: str = FUSED) -> Floats:
    """Numbers from `low` on, `scale` wide."""
    compiled = kernels.compiled
    out = np.empty(len(draws), dtype=np.float32)
    if compiled is not None and hasattr(compiled, "pytorch_uniform"):
        compiled.pytorch_uniform(out, np.ascontiguousarray(draws), scale, low, dialect == FUSED)
    else:
        with np.errstate(over="ignore", under="ignore"):
            out[:] = interval(fractions(draws), scale, low, dialect)
    return out


def normal(draws: Draws, scale: float, dialect: str = FUSED) -> Floats:
    """Normal numbers of whole blocks of sixteen draws, times the scale."""
    compiled = kernels.compiled
    out = np.empty(len(draws), dtype=np.float32)
    if compiled is not None and hasattr(compiled, "pytorch_normal"):
        compiled.pytorch_normal(out, np.ascontiguousarray(draws), scale, DIALECTS["normal"].index(dialect))
        return out
    turns = np.ascontiguousarray(fractions(draws).reshape(-1, 2, PYTORCH_BLOCK // 2).swapaxes(0, 1))
    blocks = out.reshape(-1, 2, PYTORCH_BLOCK // 2)
    with np.errstate(over="ignore", under="ignore"):
        for half, numbers in enumerate(pairs(turns[0], turns[1], dialect)):
            blocks[:, half] = scaled(numbers, scale)
    return out


def signs_of_uniform(draws: Draws, scale: float) -> Floats:
    """±scale, and +0.0 where the draw is in the middle."""
    return _float32(signs(bits24(draws).astype(np.int32) - (1 << 23), scale))


def signs_of_normal(draws: Draws, scale: float) -> Floats:
    """±scale, and +0.0 where a normal number is 0."""
    return _float32(signs(normal(draws, 1.0), scale))


def _float32(numbers: NDArray[np.floating]) -> Floats:
    return numbers.astype(np.float32)
