"""The draws of PyTorch's CPU generator: MT19937 (Matsumoto and Nishimura, 1998), any stretch of them (spec 8.8).

States on the way are kept, so that a later stretch does not begin at the beginning again.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from ...common import kernels
from ...common.forks import ProcessLock

Draws = NDArray[np.uint32]

_WORDS = 624
# Draws at a time, and at first between kept states; a multiple of the words of a state.
STEP = _WORDS * (1 << 7)
# States that are kept, of all seeds together: 10 MB. A stretch is at most a few thousandths of all draws away from one,
# whatever number of seeds these are shared out to.
MOST_STATES = 1 << 12

_lock = ProcessLock()  # of what all streams share
_seeding = ProcessLock()
_seeded = np.random.RandomState(0)


def _first_state(seed: int) -> Draws:
    """`init_genrand(seed)`, as numpy has it."""
    with _seeding:  # making one takes ten times as long
        _seeded.seed(seed)
        state: Draws = _seeded.get_state(legacy=True)[1].astype(np.uint32)  # type: ignore[index]
    return state


def _advance(state: Draws, out: Draws) -> Draws:
    """Fill `out`, a multiple of 624, with the draws that follow a state; the state after them."""
    compiled = kernels.compiled
    if compiled is not None and hasattr(compiled, "mt19937"):
        state = state.copy()
        compiled.mt19937(state, out)
        return state
    random = np.random.RandomState(0)
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
        self._spacing = STEP
        self._states = [_first_state(seed & 0xFFFFFFFF)]
        self._last = 0, self._states[0]  # where the draws that were asked for last end, and the state there

    def __len__(self) -> int:
        """Return the number of states that are kept."""
        return len(self._states) + 1

    def draws(self, start: int, stop: int) -> Draws:
        """Draws start … stop − 1."""
        out = np.empty(stop - start, dtype=np.uint32)
        at, state = self._nearest(start)
        buffer = np.empty(min(STEP, -(-stop // _WORDS) * _WORDS - at), dtype=np.uint32)
        while at < stop:
            end = min((at // STEP + 1) * STEP, -(-stop // _WORDS) * _WORDS)
            low, high = max(start, at), min(stop, end)
            inside = high - low == end - at
            target = out[low - start : high - start] if inside else buffer[: end - at]
            state = _advance(state, target)
            if not inside and low < high:
                out[low - start : high - start] = target[low - at : high - at]
            at = end
            self._keep(at, state)
        return out

    def thin(self) -> None:
        """Keep every other state only."""
        with self._lock:
            self._spacing *= 2
            self._states = self._states[::2]

    def _nearest(self, start: int) -> tuple[int, Draws]:
        """The last kept state before a draw, and where it is."""
        with self._lock:
            number = min(start // self._spacing, len(self._states) - 1)
            at = number * self._spacing
            return self._last if at <= self._last[0] <= start else (at, self._states[number])

    def _keep(self, at: int, state: Draws) -> None:
        with self._lock:
            self._last = at, state
            grown = at == len(self._states) * self._spacing
            if grown:
                self._states.append(state)
        if grown:
            _count(1)


_streams: OrderedDict[int, Stream] = OrderedDict()
_total = 0  # states of all streams, about: threads may thin one while another grows it


def stream(seed: int) -> Stream:
    """The stream of a seed. Those that were asked for last are kept: prototypes of many seeds may take turns."""
    with _lock:
        found = _streams.pop(seed, None)
        new = found is None
        if found is None:
            found = Stream(seed)
        _streams[seed] = found
    if new:
        _count(len(found))
    return found


def _count(more: int) -> None:
    """Count states that were added; if they are too many, keep fewer of every seed, or fewer seeds."""
    global _total
    with _lock:
        _total += more
        if _total <= MOST_STATES:
            return
        for each in _streams.values():
            if len(each) > 2:
                each.thin()
        _total = sum(map(len, _streams.values()))
        while _total > MOST_STATES // 2 and len(_streams) > 1:
            _total -= len(_streams.popitem(last=False)[1])
