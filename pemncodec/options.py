"""What a user says about a checkpoint that the file itself does not say."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import MaskRuleError


@dataclass(frozen=True)
class PackOptions:
    """Options of packing.

    Attributes:
        keep: the fraction of weights that edge-popup keeps in every layer, in (0, 1].

    Raises:
        MaskRuleError: keep is outside of (0, 1].
    """

    keep: float | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and not 0.0 < self.keep <= 1.0:
            raise MaskRuleError(
                f"keep is {self.keep}, and must be above 0 and at most 1: the fraction of weights that are KEPT"
            )
