"""Values that follow from a tensor, kept as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

import torch
from torch.utils.weak import WeakIdKeyDictionary

T = TypeVar("T")


class Cached(Generic[T]):
    """A value for each tensor, made when it is first asked for; tensors are never written to."""

    def __init__(self) -> None:
        self._found: Any = WeakIdKeyDictionary()
        self._lock = Lock()

    def get(self, tensor: torch.Tensor, make: Callable[[], T]) -> T:
        """Return the value of a tensor."""
        found: T | None = self._found.get(tensor)
        if found is None:
            found = make()
            with self._lock:
                self._found[tensor] = found
        return found

    def find(self, tensor: torch.Tensor) -> T | None:
        """Return the value of a tensor; None if there is none."""
        found: T | None = self._found.get(tensor)
        return found

    def put(self, tensor: torch.Tensor, value: T) -> None:
        """Set the value of a tensor."""
        with self._lock:
            self._found[tensor] = value

    def take(self, tensor: torch.Tensor) -> T | None:
        """Return the value of a tensor, and remove it; None if there is none."""
        with self._lock:
            found: T | None = self._found.pop(tensor, None)
        return found
