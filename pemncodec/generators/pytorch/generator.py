"""The numbers of `torch.manual_seed` and `uniform_` or `normal_` on the CPU, without torch (spec 8.8 and 8.9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import float32_bits, float32_of
from ...container.manifest.generator_table import GENERATOR_DIALECTS, GENERATOR_PYTORCH
from ...container.manifest.patches import Patches
from ...container.manifest.pytorch_rows import FUSED, MAX_DRAWS, PYTORCH_DISTRIBUTIONS, Drawn, PytorchRow
from ...container.manifest.pytorch_rows import PYTORCH_BLOCK as BLOCK
from ...errors import NetworkError
from .. import patching
from ..base import BaseGenerator
from . import arithmetic, mt19937
from .arithmetic import DIALECTS

DISTRIBUTIONS = ("uniform", "normal", "signs of uniform", "signs of normal")
_IDS = {
    generator: {drawn: number for number, drawn in distributions.items()}
    for generator, distributions in PYTORCH_DISTRIBUTIONS.items()
}
_CHUNK = 1 << 16  # elements made at a time: the temporary arrays stay in cache


@dataclass(frozen=True)
class PytorchGenerator(BaseGenerator):
    """A vector of float32 values as PyTorch's CPU generator drew them.

    Attributes:
        distribution: one of `DISTRIBUTIONS`.
        length: number of elements; at least 16 of a normal, or its signs.
        seed: of `torch.manual_seed`, 32 bits (of which the CPU generator takes the low ones).
        offset: the number of the first draw.
        scale: a float32 above 0: the standard deviation, the width of the interval, or the magnitude of signs.
        low: a float32: where the interval of a uniform begins; 0 for the others.
        patches: (index, float32 bit pattern) pairs in ascending order: elements that differ.
        dialect: how the machine rounded, one of `DIALECTS[distribution]`; signs are the same in all.
        steps: (index, word) pairs in ascending order: elements whose pattern is that word more, modulo 2^32. Of any
            dialect, in the place of patches, which only the first has (generator 4 of the format, and 3).

    Raises:
        NetworkError: a value that is none of those.
    """

    distribution: str
    length: int
    seed: int
    offset: int
    scale: float
    low: float = 0.0
    patches: Sequence[tuple[int, int]] = ()
    dialect: str = FUSED
    steps: Sequence[tuple[int, int]] = ()

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise NetworkError(f"distribution {self.distribution!r} is unknown: choose {', '.join(DISTRIBUTIONS)}")
        if not all(isinstance(number, int) for number in (self.length, self.seed, self.offset)):
            raise NetworkError("length, seed and offset of a generator must be integers")
        least = BLOCK if self.blocked else 1
        if self.length < least or not 0 <= self.seed < 1 << 32 or self.offset < 0 or self.draws > MAX_DRAWS:
            raise NetworkError(
                f"{self.distribution} of PyTorch needs a length of at least {least}, a seed in 0 … 2^32 − 1, and at "
                "most 2^40 draws"
            )
        with np.errstate(over="ignore", under="ignore"):
            scale, low = np.float32(self.scale), np.float32(self.low)
        if not (np.isfinite(scale) and scale > 0 and np.isfinite(low)):
            raise NetworkError(f"scale {self.scale} must be a float32 above 0, and low {self.low} a float32")
        object.__setattr__(self, "scale", float(scale))
        object.__setattr__(self, "low", float(low))
        if self.dialect not in DIALECTS.get(self.distribution, (FUSED,)):
            raise NetworkError(f"{self.distribution} of PyTorch has no dialect {self.dialect!r}")
        patches, steps = patching.checked(self.patches, self.length), patching.checked(self.steps, self.length)
        object.__setattr__(self, "patches", patches)
        object.__setattr__(self, "steps", steps)
        if patches and self.in_dialect:
            raise NetworkError("only generator 3 has patches: express them as steps")
        if steps and (self.distribution not in DIALECTS or 0 in steps.words):
            raise NetworkError("only normal and uniform elements have steps, and no step is 0")

    @property
    def in_dialect(self) -> bool:
        """Return whether it takes generator 4 of the format."""
        return self.dialect != FUSED or len(self.steps) > 0

    @property
    def blocked(self) -> bool:
        """Return whether elements are made sixteen at a time."""
        return Drawn(self.distribution).blocked

    @property
    def draws(self) -> int:
        """The number of draws of the seed that make them, counted from the beginning."""
        return self.offset + self.length + BLOCK

    @property
    def arranged(self) -> bool:
        return self.blocked

    @property
    def torch_seed(self) -> int:
        return self.seed

    def range(self, start: int, stop: int) -> NDArray[np.float32]:
        if self.arranged:
            return super().range(start, stop)
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

    def row(self) -> PytorchRow:
        number = GENERATOR_DIALECTS if self.in_dialect else GENERATOR_PYTORCH
        return PytorchRow(
            id=number,
            length=self.length,
            distribution=_IDS[number][Drawn(self.distribution, self.dialect)],
            seed=self.seed,
            offset=self.offset,
            scale_bits=float32_bits(self.scale),
            low_bits=float32_bits(self.low),
            patches=Patches(self.steps or self.patches),
            digest=self.digest(),
        )

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
        if self.distribution == "uniform":
            return arithmetic.uniform(draws, self.scale, self.low, self.dialect)
        if self.distribution == "normal":
            return arithmetic.normal(draws, self.scale, self.dialect)
        if self.distribution == "signs of uniform":
            return arithmetic.signs_of_uniform(draws, self.scale)
        return arithmetic.signs_of_normal(draws, self.scale)

    def _patched(self, out: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        patching.put(out.view(np.uint32), self.patches, start)
        patching.add(out.view(np.uint32), self.steps, start)
        return out


def of_row(row: PytorchRow) -> PytorchGenerator:
    """Return the recipe that a row of the manifest holds."""
    name, scale, low = row.kind.distribution, float32_of(row.scale_bits), float32_of(row.low_bits)
    if row.generator == GENERATOR_PYTORCH:
        return PytorchGenerator(name, row.length, row.seed, row.offset, scale, low, row.patches)
    dialect = row.kind.dialect
    return PytorchGenerator(name, row.length, row.seed, row.offset, scale, low, dialect=dialect, steps=row.patches)
