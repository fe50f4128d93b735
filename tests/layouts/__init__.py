"""Checkpoints in the layouts that published projects write, and what each project makes of them.

Nothing here knows the package: every module states its project's rule in plain torch, so that what the package makes
of a layout can be held against it. A module is one family; its docstring names the project and the file of the rule.
"""

from __future__ import annotations

from . import hidden_networks, pemn
from .case import Bad, Case

__all__ = ["Bad", "Case", "cases"]


def cases() -> list[Case]:
    """All of them, always the same."""
    return [case for family in (pemn, hidden_networks) for case in family.cases()]
