"""A schedule of the fraction that is kept, stepped as PyTorch's schedules of the learning rate are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ..errors import NetworkError
from .density import Fractions, check_fraction
from .masking import set_keep

# The power of what is left of the way.
_POWERS = {"cubic": 3, "linear": 1}


class KeepSchedule:
    """Anneal the fraction that the masked layers keep, from `start` to `keep`.

    After t of `steps` steps a layer keeps keep + (start − keep) · (1 − t / steps)^3 of its weights (Zhu and Gupta, "To
    prune, or not to prune", 2017), or without the power for `"linear"`; from then on `keep`. The model keeps `start`
    once the schedule is made, and each `step()` goes on by one: an epoch, or a batch.

    To resume a training, load the state of the schedule before that of the model, which refuses a checkpoint of other
    fractions.

    Args:
        model: a network that `mask_network` has masked, not with Bernoulli masks.
        keep: the last fractions, as for `mask_network`: one in (0, 1], or by patterns of names.
        steps: number of steps until they are reached, at least 1.
        start: the first fraction of every layer, in (0, 1].
        delay: number of steps before the first change.
        shape: `"cubic"` or `"linear"`.

    Raises:
        NetworkError: as `set_keep`; or steps, delay or shape are outside their range. The model is then unchanged.
        MaskRuleError: a fraction is outside its range.
    """

    def __init__(
        self,
        model: nn.Module,
        keep: Fractions,
        *,
        steps: int,
        start: float = 1.0,
        delay: int = 0,
        shape: str = "cubic",
    ) -> None:
        if shape not in _POWERS:
            raise NetworkError(f"shape {shape!r} is unknown: choose {' or '.join(_POWERS)}")
        if steps < 1 or delay < 0:
            raise NetworkError(f"{steps} steps after a delay of {delay}: use at least 1 step, and no negative delay")
        self._model, self._power = model, _POWERS[shape]
        self._keep = dict(keep) if isinstance(keep, Mapping) else check_fraction(keep)
        self._start, self._steps, self._delay = check_fraction(start), steps, delay
        for fraction in self._keep.values() if isinstance(self._keep, dict) else ():
            check_fraction(fraction)
        self._count = 0
        self._last: Fractions | None = None
        self._apply()

    @property
    def keep(self) -> Fractions:
        """The present fraction, or fractions by pattern."""
        left = max(0.0, 1.0 - max(0, self._count - self._delay) / self._steps) ** self._power
        if isinstance(self._keep, Mapping):
            return {pattern: self._between(fraction, left) for pattern, fraction in self._keep.items()}
        return self._between(self._keep, left)

    def step(self) -> None:
        """Go on by one step."""
        self._count += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps that were made; the arguments are not in it."""
        return {"steps": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to the step of a `state_dict`, and let the model keep the fractions of that step.

        Raises:
            NetworkError: it is not the state of a schedule.
        """
        count = state.get("steps")
        if not isinstance(count, int) or count < 0:
            raise NetworkError("the state of a schedule has the number of its steps under 'steps'")
        self._count = count
        self._apply()

    def _between(self, last: float, left: float) -> float:
        return last if left == 0.0 else last + (self._start - last) * left

    def _apply(self) -> None:
        if self.keep != self._last:
            set_keep(self._model, self.keep)
            self._last = self.keep
