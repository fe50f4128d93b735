"""Options of reading a checkpoint: facts that it does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from numbers import Real
from typing import Any, TypeGuard

from ..common.option import option
from ..errors import MaskRuleError

TENSOR_DTYPES = ("float16", "bfloat16")

# How masks follow from scores (README, "Mask rules").
RULES = ("edge-popup", "kth-value", "top-k", "global", "sigmoid", "threshold", "movement", "movement-global")
TIES = ("stable",)

Fractions = float | Mapping[str, float]


@dataclass(frozen=True)
class Keep:
    """The fraction of its weights that a layer keeps.

    Attributes:
        fractions: pairs of a pattern and a fraction in (0, 1]. The first pattern that matches applies: `fnmatch` on the
            name of the weight, or on that without `.weight`.
    """

    fractions: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, keep: Fractions | None) -> Keep | None:
        """From a fraction for all layers, or from fractions by pattern.

        Raises:
            MaskRuleError: a fraction is outside (0, 1].
        """
        if keep is None:
            return None
        pairs = list(keep.items()) if isinstance(keep, Mapping) else [("*", keep)]
        for pattern, fraction in pairs:
            _check_fraction(pattern, fraction)
        return cls(tuple((pattern, float(fraction)) for pattern, fraction in pairs))

    def __call__(self, weight: str) -> float | None:
        """The fraction of a layer; None where no pattern matches."""
        place = self._first(weight)
        return None if place is None else self.fractions[place][1]

    def check_used(self, weights: Iterable[str]) -> None:
        """Check that every pattern matches some layer.

        Raises:
            MaskRuleError: one matches none.
        """
        names = list(weights)
        known = {*names, *(name.removesuffix(".weight") for name in names)}
        for pattern, _ in self.fractions:
            if self.is_wildcard(pattern):
                used = pattern == "*" or any(_matches(pattern, name) for name in names)
            else:
                used = pattern in known
            if not used:
                raise MaskRuleError(
                    f"keep {pattern!r} matches no layer with scores; the layers are "
                    f"{', '.join(map(repr, names[:4]))}{', …' if len(names) > 4 else ''}"
                )

    @staticmethod
    def is_wildcard(pattern: str) -> bool:
        """Return whether a pattern may match other names than itself."""
        return any(character in pattern for character in "*?[")

    @cached_property
    def _places(self) -> tuple[dict[str, int], list[int]]:
        """The places of whole names among the pairs, and those of patterns: networks have 100,000 layers."""
        names: dict[str, int] = {}
        patterns: list[int] = []
        for place, (pattern, _) in enumerate(self.fractions):
            if self.is_wildcard(pattern):
                patterns.append(place)
            else:
                names.setdefault(pattern, place)
        return names, patterns

    def _first(self, weight: str) -> int | None:
        names, patterns = self._places
        whole = [names[name] for name in (weight, weight.removesuffix(".weight")) if name in names]
        before = min(whole, default=len(self.fractions))
        return next(
            (place for place in patterns if place < before and _matches(self.fractions[place][0], weight)),
            (before if whole else None),
        )

    @property
    def plain(self) -> float | dict[str, float]:
        """The one fraction, or all by pattern: what `of` takes."""
        if len(self.fractions) == 1 and self.fractions[0][0] == "*":
            return self.fractions[0][1]
        return dict(self.fractions)


def _matches(pattern: str, weight: str) -> bool:
    return fnmatchcase(weight, pattern) or fnmatchcase(weight.removesuffix(".weight"), pattern)


def is_number(value: object) -> TypeGuard[Real]:
    """Return whether a value is a real number, numpy's included, but not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_fraction(pattern: str, keep: object) -> None:
    where = "keep" if pattern == "*" else f"keep of {pattern!r}"
    if not is_number(keep) or not 0.0 < float(keep) <= 1.0:
        percent = f" (for {keep} % use {float(keep) / 100:g})" if is_number(keep) and 1 < float(keep) <= 100 else ""
        raise MaskRuleError(
            f"{where} is {keep!r}, and must be above 0 and at most 1: the fraction of weights that are KEPT{percent}"
        )


@dataclass(frozen=True)
class PackOptions:
    """Options of packing: facts that the checkpoint does not hold.

    Attributes:
        keep: the fraction of weights that a layer keeps, in (0, 1]: one for all, or by pattern (first match).
        rule: how masks follow from scores, one of `RULES`; by default the rule of the family.
        threshold: for rule `"sigmoid"`: keep where sigmoid(score) is above it; for `"threshold"`: where the score is.
        ties: `"stable"`: if equal scores straddle the cut, drop them in the order of their positions, as a stable
            sort does; None: such a tie is an error.
        family: the family of the checkpoint, if its tensors do not identify it.
        masks: 0/1 tensors by the name of the weight, from another file.
        backbone: the state_dict that the masks of a checkpoint without weights belong to.
        mask_suffix: the suffix of the masks of 0 and 1 beside their weights: `"m"` for `X.m` or `X.weight_m` beside
            `X.weight`.
        inverted_masks: whether masks of 0 and 1 have 1 where a weight is pruned.
        key: the key of the state_dict in the checkpoint; `"."`: the whole checkpoint.
        strip_prefix: remove the prefixes `module.` and `_orig_mod.`, which every name must have.
        mixed_prefixes: whether only some names may have these prefixes: a network whose child is named `module`.

    Raises:
        MaskRuleError: a value is not one of those.
    """

    keep: Fractions | None = option(
        None,
        "Fraction of weights that a layer keeps, in (0, 1], for checkpoints with scores; or PATTERN=K for layers of "
        "that name (repeatable; the first match applies).",
        "several",
        metavar="K",
    )
    rule: str | None = option(None, "How masks follow from scores (default: the rule of the family).", choices=RULES)
    threshold: float | None = option(
        None, "Keep weights above T: probabilities (rule sigmoid) or scores (rule threshold).", "number", metavar="T"
    )
    ties: str | None = option(
        None, "Allow equal scores at the cut, and keep the last of them, as a stable sort does.", choices=TIES
    )
    family: str | None = option(None, "Family of the checkpoint, if its tensors do not identify it.", metavar="NAME")
    masks: Mapping[str, Any] | Sequence[Any] | None = option(
        None, "File of masks of 0 and 1, by weight name.", "file", metavar="FILE", shown=False
    )
    backbone: Mapping[str, Any] | None = option(
        None, "File of the network that a checkpoint of masks alone belongs to.", "file", metavar="FILE", shown=False
    )
    mask_suffix: str | None = option(
        None,
        "Suffix of the masks of 0 and 1 beside their weights: 'm' for X.m or X.weight_m beside X.weight.",
        metavar="SUFFIX",
    )
    inverted_masks: bool = option(False, "Read a 1 in a mask as pruned instead of kept.", "flag")
    key: str | int | None = option(
        None, "Key of the state_dict in the checkpoint; '.' for the whole checkpoint.", metavar="NAME"
    )
    strip_prefix: bool = option(
        False, "Remove the prefixes 'module.' and '_orig_mod.', which every name must have.", "flag"
    )
    mixed_prefixes: bool = option(False, "Allow the prefixes 'module.' and '_orig_mod.' on some names only.", "flag")
    uint8_masks: bool = option(
        False, "Store uint8 tensors of 0 and 1 as masks, in a state_dict of no other family.", "flag"
    )

    def __post_init__(self) -> None:
        Keep.of(self.keep)
        if self.mask_suffix is not None and not (isinstance(self.mask_suffix, str) and self.mask_suffix.strip("._")):
            raise MaskRuleError(f"mask_suffix is {self.mask_suffix!r}: use the end of the names of masks, such as 'm'")
        if self.rule not in (None, *RULES):
            raise MaskRuleError(f"rule is {self.rule!r}: choose {', '.join(RULES)}")
        if self.ties not in (None, *TIES):
            raise MaskRuleError(f"ties is {self.ties!r}: choose {', '.join(TIES)}, or omit it")
        if self.threshold is not None:
            if not is_number(self.threshold) or not abs(float(self.threshold)) < float("inf"):
                raise MaskRuleError(f"threshold is {self.threshold!r}, and must be a number")
            threshold = float(self.threshold)
            object.__setattr__(self, "threshold", threshold)
            if self.rule not in (None, "sigmoid", "threshold"):
                raise MaskRuleError(f"rule {self.rule!r} has no threshold: omit it, or choose another rule")
            if self.rule != "threshold" and not 0 <= threshold < 1:
                raise MaskRuleError(
                    f"threshold is {self.threshold!r}, but a sigmoid is between 0 and 1 (rule 'threshold' compares the "
                    "scores themselves)"
                )
        elif self.rule == "threshold":
            raise MaskRuleError("rule 'threshold' requires a threshold: scores above it are kept")

    @property
    def fractions(self) -> Keep | None:
        """`keep` as a function of the name of a weight."""
        return Keep.of(self.keep)


def is_eps(value: object) -> bool:
    """Return whether a value can be the eps of a BatchNorm that is folded: a number in [0, 1]."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1
