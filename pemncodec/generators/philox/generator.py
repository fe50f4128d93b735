"""Prototypes that are made from a seed (spec section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...common.dtypes import float32_bits, float32_of
from ...container.manifest.patches import Patches
from ...container.manifest.philox_rows import DISTRIBUTIONS, PhiloxRow
from ...errors import NetworkError
from .. import patching
from ..base import BaseGenerator, digest
from . import arrangement, counter, distributions

_IDS = {name: number for number, name in DISTRIBUTIONS.items()}
_CHUNK = 1 << 16  # elements made at a time: the temporary arrays stay in cache


@dataclass(frozen=True)
class Generator(BaseGenerator):
    """A vector of float32 values, as its recipe.

    Attributes:
        distribution: `"sign"` (±scale), `"uniform"` on (−scale, scale) or `"normal"` with standard
            deviation `scale`.
        length: number of elements.
        seed: key of Philox4x32-10, 64 bits.
        stream: which of the 2^64 sequences of the seed.
        scale: a float32, finite and above 0.
        patches: (index, float32 bit pattern) pairs in ascending order: elements that differ.
        period: number of values that are repeated to the length and permuted (spec section 8.7); by default the
            length itself, and nothing is permuted. Patches are among these values.
        zeros: how many of the values, at places that the seed says, are zero.
    """

    distribution: str
    length: int
    seed: int
    stream: int = 0
    scale: float = 1.0
    patches: Sequence[tuple[int, int]] = ()
    period: int = 0
    zeros: int = 0

    def __post_init__(self) -> None:
        if self.distribution not in distributions.FUNCTIONS:
            raise NetworkError(
                f"distribution {self.distribution!r} is unknown: choose {', '.join(distributions.FUNCTIONS)}"
            )
        if not all(isinstance(number, int) for number in (self.length, self.seed, self.stream)):
            raise NetworkError("length, seed and stream of a generator must be integers")
        if self.length < 1 or not 0 <= self.seed < 1 << 64 or not 0 <= self.stream < 1 << 64:
            raise NetworkError("a generator needs length ≥ 1, and seed and stream in 0 … 2^64 − 1")
        with np.errstate(over="ignore", under="ignore"):
            scale = np.float32(self.scale)
        if not (np.isfinite(scale) and scale > 0):
            raise NetworkError(f"scale {self.scale} is not a float32 above 0")
        object.__setattr__(self, "scale", float(scale))
        if self.period == 0:
            object.__setattr__(self, "period", self.length)
        if not 1 <= self.period <= self.length or not 0 <= self.zeros < self.period:
            raise NetworkError(
                f"a period of {self.period} with {self.zeros} zeros does not fit {self.length} elements: the period is "
                "1 … length, and the zeros are fewer"
            )
        object.__setattr__(self, "patches", patching.checked(self.patches, self.period))

    @property
    def permuted(self) -> bool:
        """Return whether `period` values are repeated and permuted."""
        return self.period < self.length

    @property
    def arranged(self) -> bool:
        """Return whether values are zero or permuted: then it takes generator 2 of the format."""
        return self.permuted or self.zeros > 0

    @property
    def finding(self) -> str:
        line = f"{self.distribution} values made from seed {self.seed}, stream {self.stream}: {self.period} of them"
        line += f", {self.zeros} zero" if self.zeros else ""
        return line + (f", repeated and permuted to {self.length}" if self.permuted else "")

    def range(self, start: int, stop: int) -> NDArray[np.float32]:
        """Elements start … stop − 1."""
        return self.values()[start:stop] if self.arranged else self._range(start, stop)

    def _range(self, start: int, stop: int) -> NDArray[np.float32]:
        values = np.empty(stop - start, dtype=np.float32)
        for begin in range(start, stop, _CHUNK):
            end = min(begin + _CHUNK, stop)
            values[begin - start : end - start] = self._draw(counter.words(begin, end, self.stream, self.seed))
        patching.put(values.view(np.uint32), self.patches, start)
        return values

    def values(self) -> NDArray[np.float32]:
        """All elements, shape (length,)."""
        values = self._range(0, self.period)
        if self.zeros:
            values[arrangement.zeros(self.seed, self.stream, self.period, self.zeros)] = 0.0
        if self.permuted:
            values = arrangement.permuted(values, self.seed, self.stream, self.length)
        return values

    def elements(self, indices: ArrayLike) -> NDArray[np.float32]:
        """The elements at `indices` (integers, shape (n,)), each made by itself unless they are arranged."""
        where = np.asarray(indices, dtype=np.uint64).reshape(-1)
        if self.arranged:
            return self.values()[where]
        return self._elements(where)

    def _elements(self, where: NDArray[np.uint64]) -> NDArray[np.float32]:
        values = self._draw(counter.words_at(where, self.stream, self.seed))
        bits = values.view(np.uint32)
        for index, pattern in self.patches:
            bits[where == np.uint64(index)] = pattern
        return values

    def digest(self) -> int:
        if self.arranged:
            return super().digest()
        crc = 0
        for start in range(0, self.length, _CHUNK):
            crc = digest(self._range(start, min(start + _CHUNK, self.length)), crc)
        return crc

    def row(self) -> PhiloxRow:
        return PhiloxRow(
            length=self.length,
            distribution=_IDS[self.distribution],
            seed=self.seed,
            stream=self.stream,
            scale_bits=float32_bits(self.scale),
            patches=Patches(self.patches),
            digest=self.digest(),
            period=self.period,
            zeros=self.zeros,
        )

    def distinct(self) -> Generator:
        """The same recipe with patches, so that none of its values (of one period) stands twice; zeros apart.

        Draws of about 24 bits coincide now and then (a hundred thousand normal values: some two hundred times). A value
        that stands before is replaced by the next one of the stream, after the end of the prototype, that does not.

        Raises:
            NetworkError: the distribution has fewer values than the prototype.
        """
        if self.distribution == "sign" and self.period > 2:
            raise NetworkError(f"a signed constant has 2 values, not {self.period} distinct ones")
        values = self._range(0, self.period).view(np.uint32)
        kept, first = np.unique(values, return_index=True)
        wanted = np.setdiff1d(np.arange(self.period), first)
        seen = set(kept.tolist())
        patches: list[tuple[int, int]] = []
        index = self.period
        while len(patches) < len(wanted):
            for bits in self._elements(np.arange(index, index + 64, dtype=np.uint64)).view(np.uint32).tolist():
                if len(patches) < len(wanted) and bits not in seen:
                    seen.add(bits)
                    patches.append((int(wanted[len(patches)]), bits))
            index += 64
        return replace(self, patches=tuple(patches))

    def _draw(self, words: NDArray[np.uint32]) -> NDArray[np.float32]:
        with np.errstate(over="ignore", under="ignore"):
            values = distributions.FUNCTIONS[self.distribution](words, np.float32(self.scale))
        if not np.isfinite(values).all():
            raise NetworkError(f"scale {self.scale} is too large: a generated element is not finite")
        return values


def of_row(row: PhiloxRow) -> Generator:
    """Return the recipe that a row of the manifest holds."""
    scale = float32_of(row.scale_bits)
    distribution = DISTRIBUTIONS[row.distribution]
    return Generator(distribution, row.length, row.seed, row.stream, scale, row.patches, row.period, row.zeros)
