"""Values that several threads ask for, and one of them makes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from ..common.allowance import Allowance
from ..common.forks import generation
from ..errors import LimitError

T = TypeVar("T")


class Once(Generic[T]):
    """Values by key, each made when it is first asked for, and kept.

    Args:
        memory: what all of them may take; it may be shared with others.
        size: bytes of a value.
        make_room: asked to drop what is kept where there is no room; returns whether it did.
    """

    def __init__(
        self,
        memory: Allowance | None = None,
        size: Callable[[T], int] = lambda _: 0,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._memory = memory
        self._size = size
        self._make_room = make_room
        self._made: dict[Hashable, tuple[T, int]] = {}
        self._locks: dict[Hashable, Lock] = {}

    def __call__(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, or what `make` gives now; several threads may ask, and one makes it.

        Raises:
            LimitError: there is no room to keep it.
        """
        ready = self._made.get(key)
        if ready is not None:
            return ready[0]
        # A forked child takes locks of its own: those of its parent may be held by threads that it has not.
        with self._locks.setdefault((generation(), key), Lock()):
            found = self._made.get(key)
            if found is None:
                value = make()
                found = value, self._size(value)
                self._take(found[1])
                self._made[key] = found
            return found[0]

    def _take(self, size: int) -> None:
        if self._memory is None:
            return
        try:
            self._memory.take(size)
        except LimitError:
            if not self._make_room():
                raise
            self._memory.take(size)

    def each(self, do: Callable[[T], None]) -> None:
        """Do something with each value that was made."""
        for value, _ in list(self._made.values()):
            do(value)

    def forget(self) -> None:
        """Drop all values: each is made again when it is asked for again."""
        for key in list(self._made):
            dropped = self._made.pop(key, None)
            if dropped is not None and self._memory is not None:
                self._memory.give_back(dropped[1])
