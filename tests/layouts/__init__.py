"""Checkpoints in the layouts that published projects write, and what each project makes of them.

Nothing here knows the package: every module states its project's rule in plain torch, so that what the package makes
of a layout can be held against it. A module is one family; its docstring names the project and the file of the rule.
"""

from __future__ import annotations

from . import biprop, fedpm, hidden_networks, iterand, pemn, popup, supsup, wrapping
from .case import Bad, Case

__all__ = ["Bad", "Case", "cases"]

FAMILIES = (pemn, hidden_networks, popup, iterand, biprop, supsup, fedpm, wrapping)


def cases() -> list[Case]:
    """All of them, always the same."""
    return [case for family in FAMILIES for case in family.cases()]
