"""What several threads ask for, and one of them makes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from .forks import generation

T = TypeVar("T")


class Once(Generic[T]):
    """Values by key, each made when it is first asked for, and kept."""

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}
        self._locks: dict[Hashable, Lock] = {}

    def __call__(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, or what `make` gives now; several threads may ask, and one makes it."""
        # A forked child takes locks of its own: those of its parent may be held by threads that it has not.
        with self._locks.setdefault((generation(), key), Lock()):
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]
