"""What `torch.manual_seed` and `uniform_` or `normal_` give on the CPU, without torch (spec section 8.8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..errors import NetworkError
from . import cephes, mt19937
from .generator import digest

DISTRIBUTIONS = ("uniform", "normal", "signs of uniform", "signs of normal")
# Elements of a normal come in blocks of so many, and there are no fewer.
BLOCK = 16
MAX_DRAWS = 1 << 40
_CHUNK = 1 << 16  # elements made at a time: the temporary arrays stay in cache
_FRACTION = (1 << 24) - 1


@dataclass(frozen=True)
class PytorchGenerator:
    """A vector of float32 values as PyTorch's CPU generator drew them.

    Attributes:
        distribution: one of `DISTRIBUTIONS`.
        length: number of elements; at least 16 of a normal, or its signs.
        seed: of `torch.manual_seed`, 32 bits (of which the CPU generator takes the low ones).
        offset: the number of the first draw.
        scale: a float32 above 0: the standard deviation, the width of the interval, or the magnitude of signs.
        low: a float32: where the interval of a uniform begins; 0 for the others.
        patches: (index, float32 bit pattern) pairs in ascending order: elements that differ.

    Raises:
        NetworkError: a value that is none of those.
    """

    distribution: str
    length: int
    seed: int
    offset: int
    scale: float
    low: float = 0.0
    patches: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise NetworkError(f"distribution {self.distribution!r} is unknown: choose {', '.join(DISTRIBUTIONS)}")
        if not all(isinstance(number, int) for number in (self.length, self.seed, self.offset)):
            raise NetworkError("length, seed and offset of a generator are integers")
        least = BLOCK if self.blocked else 1
        if self.length < least or not 0 <= self.seed < 1 << 32 or self.offset < 0 or self.draws > MAX_DRAWS:
            raise NetworkError(
                f"{self.distribution} of PyTorch needs a length of at least {least}, a seed in 0 … 2^32 − 1, and at "
                "most 2^40 draws"
            )
        with np.errstate(over="ignore", under="ignore"):
            scale, low = np.float32(self.scale), np.float32(self.low)
        if not (np.isfinite(scale) and scale > 0 and np.isfinite(low)):
            raise NetworkError(f"scale {self.scale} and low {self.low} are no float32 above 0, and no float32")
        object.__setattr__(self, "scale", float(scale))
        object.__setattr__(self, "low", float(low))
        indices = [index for index, _ in self.patches]
        if indices != sorted(set(indices)) or (indices and not 0 <= indices[0] <= indices[-1] < self.length):
            raise NetworkError("patches must be in ascending order and inside the prototype")

    @property
    def blocked(self) -> bool:
        """Whether elements are made sixteen at a time."""
        return self.distribution in ("normal", "signs of normal")

    @property
    def draws(self) -> int:
        """How many draws of the seed it takes to make them, counted from the beginning."""
        return self.offset + self.length + BLOCK

    @property
    def arranged(self) -> bool:
        """Whether an element may depend on others: a stretch is then cut from the whole."""
        return self.blocked

    def range(self, start: int, stop: int) -> NDArray[np.float32]:
        """Elements start … stop − 1."""
        if self.arranged:
            return self.values()[start:stop]
        out = np.empty(stop - start, dtype=np.float32)
        self._fill(out, start)
        return self._patched(out, start)

    def values(self) -> NDArray[np.float32]:
        """All elements, shape (length,).

        Raises:
            NetworkError: one is not finite.
        """
        out = np.empty(self.length, dtype=np.float32)
        self._fill(out, 0)
        if self.blocked and self.length % BLOCK:
            tail = mt19937.stream(self.seed).draws(self.offset + self.length, self.draws)
            out[-BLOCK:] = self._made(tail)
        if not np.isfinite(out).all():
            raise NetworkError(f"scale {self.scale} is too large: a generated element is not finite")
        return self._patched(out, 0)

    def digest(self) -> int:
        """CRC-32 of all elements as little-endian float32."""
        return digest(self.values())

    def _fill(self, out: NDArray[np.float32], start: int) -> None:
        for begin, draws in self._chunks(start, start + len(out)):
            whole = len(draws) // BLOCK * BLOCK if self.blocked else len(draws)
            out[begin - start : begin - start + whole] = self._made(draws[:whole])

    def _chunks(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
        stream = mt19937.stream(self.seed)
        for first in range(start, stop, mt19937.STEP):
            last = min(first + mt19937.STEP, stop)
            draws = stream.draws(self.offset + first, self.offset + last)
            for begin in range(0, len(draws), _CHUNK):
                yield first + begin, draws[begin : begin + _CHUNK]

    def _made(self, draws: NDArray[np.uint32]) -> NDArray[np.float32]:
        scale = np.float32(self.scale)
        if self.distribution == "signs of uniform":
            return np.sign((draws & _FRACTION).astype(np.int32) - (1 << 23)).astype(np.float32) * scale + np.float32(0)
        if self.distribution == "uniform":
            return _uniform(draws, scale, np.float32(self.low))
        numbers = normal(draws, scale if self.distribution == "normal" else np.float32(1))
        return numbers if self.distribution == "normal" else np.sign(numbers) * scale + np.float32(0)

    def _patched(self, out: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        bits = out.view(np.uint32)
        for index, pattern in self.patches:
            if start <= index < start + len(out):
                bits[index - start] = pattern
        return out


def fractions(draws: NDArray[np.uint32]) -> NDArray[np.float32]:
    """U of spec 8.8: 24 bits of each draw, in [0, 1)."""
    return (draws & np.uint32(_FRACTION)).astype(np.float32) * np.float32(2.0**-24)


def _uniform(draws: NDArray[np.uint32], scale: np.float32, low: np.float32) -> NDArray[np.float32]:
    compiled = kernels.compiled
    if compiled is not None and hasattr(compiled, "pytorch_normal"):
        out = np.empty(len(draws), dtype=np.float32)
        compiled.pytorch_uniform(out, np.ascontiguousarray(draws), float(scale), float(low))
        return out
    with np.errstate(over="ignore", under="ignore"):
        return cephes.fma(fractions(draws), scale, low)


def normal(draws: NDArray[np.uint32], scale: np.float32) -> NDArray[np.float32]:
    """Normal numbers of whole blocks of sixteen draws, times the scale."""
    compiled = kernels.compiled
    if compiled is not None and hasattr(compiled, "pytorch_normal"):
        out = np.empty(len(draws), dtype=np.float32)
        compiled.pytorch_normal(out, np.ascontiguousarray(draws), float(scale))
        return out
    blocks = fractions(draws).reshape(-1, 2, BLOCK // 2)
    with np.errstate(over="ignore", under="ignore"):
        radius = np.sqrt(np.float32(-2) * cephes.log(np.float32(1) - blocks[:, 0]))
        sine, cosine = cephes.sin_cos(cephes.constant(0x40C90FDB) * np.ascontiguousarray(blocks[:, 1]))
        numbers = np.stack([radius * cosine, radius * sine], axis=1).reshape(-1)
        return cephes.fma(numbers, scale, np.float32(0))
