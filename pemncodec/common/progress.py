"""Reports of progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A callback: `progress(done, total, what)`.

    `done` of `total` units (bytes or weights) are finished, and `what` (a tensor's name, or a step) is next.
    It is called from the thread that does the work, with `done` never falling within one step.
    """

    def __call__(self, done: int, total: int, what: str, /) -> None: ...


def silent(done: int, total: int, what: str, /) -> None:
    """Report nothing."""
