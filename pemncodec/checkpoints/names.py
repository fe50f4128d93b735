"""Names of tensors: the prefixes that wrappers put before them, and what scores are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

# What DataParallel and torch.compile put before every name.
PREFIXES = ("module.", "_orig_mod.")

T = TypeVar("T")


def common_prefix(names: Sequence[str]) -> str:
    """The prefix that DataParallel and torch.compile put before all of these names, in whatever order and number."""
    removed = ""
    while names:
        more = next((prefix for prefix in PREFIXES if all(name.startswith(removed + prefix) for name in names)), None)
        if more is None:
            break
        removed += more
    return removed


def stripped(tensors: dict[str, T]) -> dict[str, T]:
    """Without the prefix of DataParallel or torch.compile, where every name has it."""
    removed = len(common_prefix(list(tensors)))
    return {name[removed:]: tensor for name, tensor in tensors.items()} if removed else tensors


def scores_name(weight: str) -> str:
    """`X.scores` for `X.weight`; for any other tensor its name and `_scores`."""
    if weight == "weight" or weight.endswith(".weight"):
        return weight[: -len("weight")] + "scores"
    return weight + "_scores"
