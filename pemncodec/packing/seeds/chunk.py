"""A stretch of the stream, in the forms that the searches look at."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...common.forks import cached_property
from ...generators.pytorch.arithmetic import bits24
from ...generators.pytorch.mt19937 import Stream

# What one pass over a part of a chunk looks at, so that it stays in the processor's cache.
PART = 1 << 16
_HALF = np.uint32(1 << 23)
# What elements of an interval around 0, from 0 on and up to 0 are proportional to.
Form = Literal["centred", "unit", "rest"]


class Chunk:
    """The draws from `start` on: `count` places where a tensor might begin, and what the elements after them need."""

    def __init__(self, stream: Stream, start: int, count: int, reach: int) -> None:
        self.start, self.count = start, count
        self._packed: dict[tuple[int, int], NDArray[np.uint8]] = {}
        draws = stream.draws(start, start + count + reach + 16)
        self.fractions = bits24(draws, out=draws)

    def form(self, name: Form) -> NDArray[np.float32]:
        """The draws as numbers, in one of the forms."""
        return self.centred if name == "centred" else self.unit if name == "unit" else self.rest

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """U, exact."""
        return self.fractions.view(np.int32).astype(np.float32) * np.float32(2.0**-24)

    @cached_property
    def rest(self) -> NDArray[np.float32]:
        """1 − U, exact."""
        return np.float32(1) - self.unit

    @cached_property
    def centred(self) -> NDArray[np.float32]:
        """2 U − 1, exact."""
        whole = self.fractions.view(np.int32) - np.int32(1 << 23)
        return whole.astype(np.float32) * np.float32(2.0**-23)

    @cached_property
    def planes(self) -> tuple[NDArray[np.bool_], ...]:
        """Return whether a uniform element is above 0, the cosine of the angle is below 0, its sine is below 0."""
        k = self.fractions
        sine = k > _HALF
        cosine = (k - np.uint32(1 << 22)) < _HALF
        return sine, cosine, sine

    def packed(self, plane: int, shift: int) -> NDArray[np.uint8]:
        """A plane from its draw `shift` < 8 on, eight draws to a byte, the first lowest."""
        if plane == 2:  # the same as plane 0
            plane = 0
        if (plane, 0) not in self._packed:
            self._packed[plane, 0] = np.packbits(self.planes[plane], bitorder="little")
        if (plane, shift) not in self._packed:
            whole = self._packed[plane, 0]
            self._packed[plane, shift] = (whole[:-1] >> np.uint8(shift)) | (whole[1:] << np.uint8(8 - shift))
        return self._packed[plane, shift]
