"""Bytes that may be taken for one purpose, so that a small file cannot make much of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import LimitError
from .forks import ProcessLock


class Allowance:
    """So many bytes, for any number of threads.

    Args:
        most: bytes.
        reason: what a LimitError says of a request for more. It is formatted with `count`, the bytes that would be
            taken then, and `most`.
    """

    def __init__(self, most: int, reason: str) -> None:
        self.most = most
        self.taken = 0
        self._reason = reason
        self._lock = ProcessLock()

    def take(self, count: int) -> None:
        """Take `count` bytes.

        Raises:
            LimitError: fewer are left.
        """
        with self._lock:
            if self.taken + count > self.most:
                raise LimitError(self._reason.format(count=self.taken + count, most=self.most))
            self.taken += count

    def give_back(self, count: int) -> None:
        """Return bytes that were taken."""
        with self._lock:
            self.taken -= count

    @contextmanager
    def holding(self, count: int) -> Iterator[None]:
        """Take `count` bytes for the time of a block; raises as `take`."""
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)
