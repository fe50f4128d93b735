"""What a user says about a checkpoint that the file itself does not say."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import MaskRuleError


@dataclass(frozen=True)
class PackOptions:
    """Options of packing.

    Attributes:
        keep: the fraction of weights that edge-popup keeps in every layer, in (0, 1].
        key: under which key of the checkpoint the state_dict is.

    Raises:
        MaskRuleError: keep is outside of (0, 1].
    """

    keep: float | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and (not isinstance(self.keep, float | int) or not 0.0 < self.keep <= 1.0):
            percent = f" (for {self.keep} % give {self.keep / 100:g})" if _is_percent(self.keep) else ""
            raise MaskRuleError(
                f"keep is {self.keep!r}, and must be above 0 and at most 1: the fraction of weights that are "
                f"KEPT{percent}"
            )


def _is_percent(keep: object) -> bool:
    return isinstance(keep, float | int) and 1.0 < keep <= 100.0
