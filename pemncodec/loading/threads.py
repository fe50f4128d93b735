"""Jobs on several threads, of which each may bring further ones.

`concurrent.futures` does less: its calling thread waits, where here it works, so that one thread needs no other; its
queue is first in, first out, where here a job that was brought comes next, so that little decoded is alive at a time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from threading import Condition, Thread
from typing import Any

from ..errors import NetworkError

Job = Callable[[], "Iterable[Job] | None"]


def available_threads(threads: int | None) -> int:
    """The number that was asked for; by default the cores that this process may use.

    Raises:
        NetworkError: it is not a positive integer.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(threads, int) or threads < 1:
        raise NetworkError(f"threads is {threads!r}, and must be 1 or more")
    return threads


def run(jobs: Iterable[Job], threads: int, step: Callable[[], None] = lambda: None) -> None:
    """Do all jobs, and those that they return, which come first.

    The calling thread works too, and it alone calls `step`, after each of its jobs. The first exception of a job
    ends the rest, and is raised here once every thread has stopped.

    Args:
        threads: how many work at a time, at least 1.
    """
    if threads == 1:
        waiting = deque(jobs)
        while waiting:
            waiting.extendleft(reversed(list(waiting.popleft()() or ())))
            step()
        return
    queue = _Queue(jobs)
    others = [Thread(target=queue.work, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    try:
        queue.work(step)
    finally:
        queue.stop()
        for thread in others:
            thread.join()
    if queue.failure is not None:
        raise queue.failure


class _Queue:
    def __init__(self, jobs: Iterable[Job]) -> None:
        self.failure: BaseException | None = None
        self._waiting: deque[Job] = deque(jobs)
        self._working = 0
        self._changed = Condition()

    def stop(self) -> None:
        """Let every thread end after its job."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def work(self, step: Callable[[], Any] = lambda: None) -> None:
        """Do jobs until none is left and nobody can bring one."""
        while (job := self._take()) is not None:
            more: list[Job] = []
            try:
                more = list(job() or ())  # it may be a generator, which works only now
            except BaseException as reason:
                with self._changed:
                    self.failure = self.failure or reason
                self.stop()
            with self._changed:
                self._working -= 1
                if self.failure is None:
                    self._waiting.extendleft(reversed(more))
                self._changed.notify_all()
            step()

    def _take(self) -> Job | None:
        with self._changed:
            while not self._waiting and self._working:
                self._changed.wait()
            if not self._waiting:
                return None
            self._working += 1
            return self._waiting.popleft()
