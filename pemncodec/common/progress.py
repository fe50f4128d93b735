"""Reports of progress: to a function, or to a progress bar of tqdm, which is never imported here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from ..errors.quoting import shortened

# Characters of the name of a tensor beside a bar.
_SHOWN = 40


class Progress(Protocol):
    """A callback: `progress(done, total, what)`.

    `done` of `total` units (bytes or weights) are finished, and `what` (a tensor's name, or a step) is next.
    It is called from the thread that does the work, with `done` never falling within one step.
    """

    def __call__(self, done: int, total: int, what: str, /) -> None: ...


class Bar(Protocol):
    """A progress bar, as tqdm makes them."""

    n: Any
    total: Any

    def reset(self, total: Any = ...) -> None:
        """Begin again."""

    def update(self, n: Any = ..., /) -> Any:
        """Count more units."""

    def refresh(self) -> Any:
        """Show it as it is."""

    def set_postfix_str(self, s: str = ..., refresh: bool = ...) -> None:
        """Set the text behind it."""

    def close(self) -> None:
        """Show it a last time."""


# What `progress=` takes: a callback; a bar; or what makes one: the class `tqdm`, or `functools.partial` of it. (`Any`
# rather than `Bar`: type checkers would take a lambda for what makes a bar.)
Reporting = Progress | Bar | Callable[..., Any]


def silent(done: int, total: int, what: str, /) -> None:
    """Report nothing."""


def callback(progress: Reporting) -> Progress:
    """Return the callback itself, or one that moves a bar.

    A bar that was made before stays open, and begins again at each step (packing, verifying). Of a class, each step
    makes a bar, and closes it.

    Raises:
        TypeError: it is none of these.
    """
    if _makes_bars(progress):
        return _BarOfEachStep(progress)
    if callable(progress):
        return cast(Progress, progress)
    if not (hasattr(progress, "update") and hasattr(progress, "reset")):
        raise TypeError(f"progress takes a function or a tqdm, and not {type(progress).__name__}")
    return _MovedBar(progress)


def _makes_bars(progress: Any) -> bool:
    """Return whether it is a class of bars, or one with some arguments."""
    made = progress.func if isinstance(progress, partial) else progress
    return isinstance(made, type) and hasattr(made, "update")


class _MovedBar:
    """Moves a bar of the caller."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._reached = 2.0

    def __call__(self, done: int, total: int, what: str, /) -> None:
        bar, reached = self._bar, done / total if total > 0 else 1.0
        if reached < self._reached:
            bar.reset(total)
        self._reached = reached
        bar.set_postfix_str(shortened(what, _SHOWN), refresh=False)  # a name from a file may hold control characters
        # Within a step the unit may change, from bytes of checksums to tensors: the bar keeps its own.
        bar.update((done if total == bar.total else round(reached * bar.total)) - bar.n)
        if done >= total:
            bar.refresh()


class _BarOfEachStep:
    """Makes a bar at the beginning of a step, and closes it at the end."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._move: _MovedBar | None = None
        self._bar: Any = None

    def __call__(self, done: int, total: int, what: str, /) -> None:
        if self._move is None:
            if done >= total:  # nothing was to be done
                return
            self._bar = self._make(total=total)
            self._move = _MovedBar(self._bar)
        self._move(done, total, what)
        if done >= total:
            self._bar.close()
            self._move = self._bar = None
