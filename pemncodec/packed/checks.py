"""Checks of bits that lie in a mapped file: made when the bits are used first."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .cached import Cached

_WAITING: Cached[Callable[[], None]] = Cached()


def later(bits: torch.Tensor, check: Callable[[], None]) -> None:
    """Make a check when the bits are used first; it raises if they are damaged."""
    _WAITING.put(bits, check)


def check(bits: torch.Tensor) -> None:
    """Make the check of these bits that has not been made yet."""
    waiting = _WAITING.take(bits)
    if waiting is not None:
        try:
            waiting()
        except Exception:
            _WAITING.put(bits, waiting)  # they are as damaged at the next use
            raise
