"""The draws of MT19937, from any place on: states are kept at regular distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 1 << 20
_LOW = np.uint32(0xFFFFFF)


class Stream:
    """The sequence x(0), x(1), … of a seed (spec section 8.8)."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.RandomState(seed & 0xFFFFFFFF)
        self._states: list[Any] = [self._random.get_state()]
        self._at = 0  # number of the draw that comes next
        self._last: tuple[int, NDArray[np.uint32]] | None = None

    def draws(self, start: int, stop: int) -> NDArray[np.uint32]:
        """x(start) … x(stop − 1)."""
        out = np.empty(max(stop - start, 0), dtype=np.uint32)
        done = start
        while done < stop:
            number, within = divmod(done, STEP)
            count = min(STEP - within, stop - done)
            out[done - start : done - start + count] = self._step(number, within + count)[within : within + count]
            done += count
        return out

    def fractions(self, start: int, stop: int) -> NDArray[np.uint32]:
        """The 24 bits of each draw that make a float32 number."""
        out = self.draws(start, stop)
        out &= _LOW
        return out

    def _step(self, number: int, needed: int) -> NDArray[np.uint32]:
        """The first draws, at least `needed`, of one step."""
        if self._last is not None and self._last[0] == number and len(self._last[1]) >= needed:
            return self._last[1]
        count = STEP if self._last is not None and self._last[0] == number else needed
        while len(self._states) <= number:
            first = STEP * (len(self._states) - 1)
            if self._at != first:
                self._random.set_state(self._states[-1])
            self._next(STEP)
            self._at = first + STEP
            self._states.append(self._random.get_state())
        if self._at != STEP * number:
            self._random.set_state(self._states[number])
        draws = self._next(count)
        self._at = STEP * number + count
        if count == STEP and len(self._states) == number + 1:
            self._states.append(self._random.get_state())
        self._last = number, draws
        return draws

    def _next(self, count: int) -> NDArray[np.uint32]:
        return self._random.randint(0, 1 << 32, count, dtype=np.uint32)
