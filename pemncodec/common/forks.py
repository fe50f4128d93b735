"""Locks that a forked child does not inherit locked.

A fork copies the memory of all threads and goes on with one of them: a lock that another thread held stays locked in
the child for ever. So each process takes a lock of its own, and a child begins with a free one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
_generation = 0


def generation() -> int:
    """The number of forks between this process and the one that imported the module first."""
    return _generation


class ProcessLock:
    """A lock for the threads of one process; use it in `with`."""

    def __init__(self) -> None:
        self._locks: dict[int, Lock] = {}

    def __enter__(self) -> None:
        self._locks.setdefault(_generation, Lock()).acquire()

    def __exit__(self, *_: object) -> None:
        lock = self._locks.get(_generation)
        if lock is not None:  # a child that was forked by the holder, within the block, has none to release
            lock.release()


class cached_property(Generic[T]):  # noqa: N801 (as functools calls it)
    """`functools.cached_property` as it is from Python 3.12 on: without a lock that all objects of a class share."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> cached_property[T]: ...
    @overload
    def __get__(self, owner: object, kind: type | None = None) -> T: ...
    def __get__(self, owner: object | None, kind: type | None = None) -> cached_property[T] | T:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._make(owner)
        return value


def _count() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count)
