"""Checkpoints in the layouts that published projects write, and what each project makes of them.

Nothing here knows the package: every module states its project's rule in plain torch, so that what the package makes
of a layout can be held against it. A module is one family; its docstring names the project and the file of the rule.
"""

from __future__ import annotations

from . import (
    bad,
    biprop,
    compressed_tensors,
    dense,
    fedpm,
    google_npy,
    hidden_networks,
    iterand,
    lottery_jackpots,
    open_lth,
    parametrizations,
    pemn,
    piggyback,
    popup,
    supsup,
    torch_prune,
    wrapping,
)
from .case import Bad, Case

__all__ = ["Bad", "Case", "ambiguous", "cases"]

FAMILIES = (
    pemn,
    hidden_networks,
    wrapping,
    popup,
    iterand,
    biprop,
    supsup,
    fedpm,
    piggyback,
    open_lth,
    torch_prune,
    parametrizations,
    compressed_tensors,
    google_npy,
    lottery_jackpots,
    dense,
)


def cases() -> list[Case]:
    """All of them, always the same."""
    return [case for family in FAMILIES for case in family.cases()]


def ambiguous() -> list[Bad]:
    """Inputs that must be refused."""
    return bad.everything()
