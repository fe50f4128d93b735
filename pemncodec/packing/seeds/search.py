"""One pass over the stream of a seed, for all targets at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...common.progress import Progress, silent
from ...generators.pytorch.mt19937 import Stream
from .anchors import Anchors, AnchorScan, normal_anchors, uniform_anchors
from .chunk import Chunk
from .drawn import Place
from .ratios import Ratios, ratios
from .signs import Signs, constant, signs
from .target import Found, Target, default_window
from .verify import verify

_CHUNK = 1 << 22
# The elements of a target that its place is looked for with.
_PREFIX = 1 << 18
_PROBE_PREFIX = 1 << 16
# How many draws of a seed among many are looked through: half of these for a tiny network.
PROBE_WINDOW = 1 << 21
_PROBE_TARGETS = 8


def search(
    targets: Sequence[Target], seed: int, progress: Progress = silent, window: int | None = None
) -> list[Found | None]:
    """Find the place where each of the targets was drawn after `torch.manual_seed(seed)`.

    Args:
        targets: in any order.
        seed: of the generator.
        progress: is told the draws looked through, and a target that is still looked for.
        window: how many draws; by default more than drawing the network a few times takes.

    Returns:
        For each target what was found, or None.
    """
    plan = _Plan(targets, window or default_window(targets), _PREFIX)
    return plan.run(seed, progress, first_only=False)


class Prober:
    """Tells of many seeds whether any of the targets comes from them.

    Args:
        targets: to be found.
        beginnings: of targets whose end may have been drawn otherwise.
        window: how many draws are looked through.
    """

    def __init__(self, targets: Sequence[Target], beginnings: Sequence[Target] = (), window: int | None = None) -> None:
        shortest = min(8 * sum(len(target.values) for target in targets) + PROBE_WINDOW // 2, PROBE_WINDOW)
        chosen = [
            target
            for some in (targets, beginnings)
            for target in ([each for each in some if len(each.values) >= 256] or list(some))[:_PROBE_TARGETS]
        ]
        self._plan = _Plan(chosen, window or shortest, _PROBE_PREFIX)

    def __call__(self, seed: int) -> bool:
        """Return whether any of the targets comes from this seed."""
        return any(self._plan.run(seed, silent, first_only=True))


def probe(targets: Sequence[Target], seed: int) -> bool:
    """Return whether any of the first targets comes from this seed; a Prober does that for many seeds."""
    return Prober(targets)(seed)


class _Plan:
    """The targets of a search; made once, for any number of seeds."""

    def __init__(self, targets: Sequence[Target], window: int, prefix: int) -> None:
        self._targets, self._window = targets, window
        self._anchors: list[tuple[int, Anchors]] = []
        self._others: list[tuple[int, Ratios | Signs]] = []
        for number, target in enumerate(targets):
            if constant(target) is not None:
                self._others += [(number, each) for each in signs(target, prefix, window)]
                continue
            normal, uniform = normal_anchors(target, prefix), uniform_anchors(target, prefix)
            self._anchors += [(number, each) for each in (normal, *(uniform or ())) if each is not None]
            self._others += [(number, each) for each in (ratios(target, prefix) if uniform is None else ())]
        reaches = [each.reach for _, each in self._anchors] + [each.reach for _, each in self._others]
        self._reach = max(reaches, default=0)

    def run(self, seed: int, progress: Progress, first_only: bool) -> list[Found | None]:
        stream = Stream(seed)
        found: list[Found | None] = [None] * len(self._targets)
        open_ = {number for number, _ in self._anchors} | {number for number, _ in self._others}
        start = 0
        while open_ and start < self._window:
            progress(start, self._window, self._targets[min(open_)].name)
            chunk = Chunk(stream, start, min(_CHUNK, self._window - start), self._reach)
            for number, distribution, offset in self._candidates(chunk, open_):
                if number in open_:
                    target = self._targets[number]
                    progress(start, self._window, target.name)
                    place = Place(stream, distribution, offset, len(target.values))
                    found[number] = verify(target, place, self._window)
                    if found[number] is not None:
                        open_.discard(number)
            if first_only and any(found):
                break
            start += chunk.count
        progress(self._window, self._window, "")
        return found

    def _candidates(self, chunk: Chunk, open_: set[int]) -> Iterator[tuple[int, str, int]]:
        """Number of the target, distribution and offset of what may be found here."""
        yield from AnchorScan([each for each in self._anchors if each[0] in open_]).scan(chunk)
        for number, each in self._others:
            if number in open_:
                distribution = each.distribution if isinstance(each, Signs) else "uniform"
                yield from ((number, distribution, offset) for offset in each.scan(chunk))
