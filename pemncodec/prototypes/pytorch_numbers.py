"""From the draws of PyTorch's CPU generator to float32 numbers, in its dialects (spec sections 8.8 and 8.9).

The compiled loops, and the numpy ways beside them, give the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..container.generators import FUSED, LIBRARY, SEPARATE
from ..container.generators import PYTORCH_BLOCK as BLOCK
from . import cephes, libm

# Those of each distribution, in the order of the compiled loops; the first is that of Linux on x86 with AVX2.
DIALECTS = {"uniform": (FUSED, SEPARATE), "normal": (FUSED, SEPARATE, LIBRARY)}

Draws = NDArray[np.uint32]
Floats = NDArray[np.float32]
_FRACTION = (1 << 24) - 1


def bits24(draws: Draws) -> Draws:
    """The bits of draws that make a number."""
    return draws & np.uint32(_FRACTION)


def fractions(draws: Draws) -> Floats:
    """U of spec 8.8: 24 bits of each draw, in [0, 1)."""
    return bits24(draws).astype(np.float32) * np.float32(2.0**-24)


def interval(numbers: Floats, scale: np.float32, low: np.float32, dialect: str = FUSED) -> Floats:
    """Fractions × scale + low, rounded once or twice."""
    with np.errstate(over="ignore", under="ignore"):
        return (cephes.fma if dialect == FUSED else cephes.separate)(numbers, scale, low)


def uniform(draws: Draws, scale: np.float32, low: np.float32, dialect: str = FUSED) -> Floats:
    """Numbers from `low` on, `scale` wide."""
    compiled = kernels.compiled
    if compiled is not None and hasattr(compiled, "pytorch_uniform"):
        out = np.empty(len(draws), dtype=np.float32)
        compiled.pytorch_uniform(out, np.ascontiguousarray(draws), float(scale), float(low), dialect == FUSED)
        return out
    return interval(fractions(draws), scale, low, dialect)


def normal(draws: Draws, scale: np.float32, dialect: str = FUSED) -> Floats:
    """Normal numbers of whole blocks of sixteen draws, times the scale."""
    compiled = kernels.compiled
    if compiled is not None and hasattr(compiled, "pytorch_normal"):
        out = np.empty(len(draws), dtype=np.float32)
        compiled.pytorch_normal(out, np.ascontiguousarray(draws), float(scale), DIALECTS["normal"].index(dialect))
        return out
    blocks = fractions(draws).reshape(-1, 2, BLOCK // 2)
    turns = np.ascontiguousarray(blocks[:, 1])
    with np.errstate(over="ignore", under="ignore"):
        if dialect == LIBRARY:
            radius = np.sqrt(np.float32(-2) * libm.log(np.float32(1) - blocks[:, 0]))
            sine, cosine = libm.sin_cos(libm.angle(turns))
        else:
            fma = cephes.fma if dialect == FUSED else cephes.separate
            radius = np.sqrt(np.float32(-2) * cephes.log(np.float32(1) - blocks[:, 0], fma))
            sine, cosine = cephes.sin_cos(cephes.constant(0x40C90FDB) * turns, fma)
        numbers = np.stack([radius * cosine, radius * sine], axis=1).reshape(-1)
        return cephes.fma(numbers, scale, np.float32(0))


def signs(numbers: Floats, scale: np.float32) -> Floats:
    """±scale, and +0.0 where a number is 0."""
    return np.sign(numbers) * scale + np.float32(0)


def signs_of_uniform(draws: Draws) -> Floats:
    """±1, and +0.0 where the draw is in the middle."""
    return np.sign(bits24(draws).astype(np.int32) - (1 << 23)).astype(np.float32)
