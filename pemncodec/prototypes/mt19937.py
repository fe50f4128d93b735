"""The draws of PyTorch's CPU generator: MT19937 (Matsumoto and Nishimura, 1998), any stretch of them (spec 8.8).

States on the way are kept, so that a later stretch does not begin at the beginning again.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..forks import ProcessLock

Draws = NDArray[np.uint32]

_WORDS = 624
# Draws between kept states, and at a time; a multiple of the words of a state.
STEP = _WORDS * (1 << 7)
# States that are kept, of all seeds together: more than what a file may need that decodes within 16 GiB (spec 4.7).
_MOST_STATES = 1 << 16


def _first_state(seed: int) -> Draws:
    """`init_genrand(seed)`."""
    words = np.empty(_WORDS, dtype=np.uint32)
    value = seed
    for index in range(_WORDS):
        words[index] = value
        value = (1812433253 * (value ^ (value >> 30)) + index + 1) & 0xFFFFFFFF
    return words


def _advance(state: Draws, out: Draws) -> Draws:
    """Fill `out`, a multiple of 624, with the draws that follow a state; the state after them."""
    compiled = kernels.compiled
    if compiled is not None and hasattr(compiled, "mt19937"):
        state = state.copy()
        compiled.mt19937(state, out)
        return state
    random = np.random.RandomState()
    random.set_state(("MT19937", state, _WORDS, 0, 0.0))
    out[:] = np.frombuffer(random.bytes(out.nbytes), dtype="<u4")
    after: Draws = random.get_state(legacy=True)[1].astype(np.uint32)  # type: ignore[index]
    return after


class Stream:
    """The draws of one seed; for any number of threads.

    Args:
        seed: of which the low 32 bits count.
    """

    def __init__(self, seed: int) -> None:
        self._lock = ProcessLock()
        self._states = [_first_state(seed & 0xFFFFFFFF)]

    def __len__(self) -> int:
        """How many states are kept."""
        return len(self._states)

    def draws(self, start: int, stop: int) -> Draws:
        """Draws start … stop − 1."""
        out = np.empty(stop - start, dtype=np.uint32)
        buffer = np.empty(STEP, dtype=np.uint32)
        for step in range(self._nearest(start // STEP), -(-stop // STEP)):
            begin = step * STEP
            low, high = max(start, begin), min(stop, begin + STEP)
            inside = high - low == STEP
            target = out[low - start : high - start] if inside else buffer
            self._keep(step + 1, _advance(self._states[step], target))
            if not inside and low < high:
                out[low - start : high - start] = buffer[low - begin : high - begin]
        return out

    def _nearest(self, step: int) -> int:
        return min(step, len(self._states) - 1)

    def _keep(self, step: int, state: Draws) -> None:
        with self._lock:
            if step == len(self._states):
                self._states.append(state)


_streams: OrderedDict[int, Stream] = OrderedDict()
_lock = ProcessLock()


def stream(seed: int) -> Stream:
    """The stream of a seed. Those that were asked for last are kept: prototypes of many seeds may take turns."""
    with _lock:
        found = _streams.pop(seed, None) or Stream(seed)
        _streams[seed] = found
        while len(_streams) > 1 and sum(len(each) for each in _streams.values()) > _MOST_STATES:
            _streams.popitem(last=False)
        return found
