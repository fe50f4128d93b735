"""Targets, faults, and the check of one case under limits of time and memory.

A case is *accepted*, or *refused* by an error of the package. Everything else is a fault:

- wrong: two ways of reading the same bytes differ: one accepts and the other does not, the error class (section 9 of
  the specification) is another one, or a bit of a value is; or a file was written outside of the output.
- foreign: an exception that is no `PemnError` (of the second decoder: not its own).
- timeout: more CPU time than a case may take. memory: more memory than it may take. crash: the process died.
- harness: the case could not be made.
"""

from __future__ import annotations

import contextlib
import re
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from . import ROOT

ACCEPTED = "accepted"
FAULTS = ("wrong", "foreign", "timeout", "memory", "crash", "harness")
CPU_SECONDS = 20.0
MEMORY = 76 << 20  # what a case may add: 3 × max_bytes + 64 MiB, of a max_bytes of 4 MiB; most have 256 KiB
ADDRESS_SPACE = 2 << 30  # what the process may map beyond what it has at first


@dataclass(frozen=True)
class Target:
    """A way to make cases, and what reads them.

    Attributes:
        name: of the target.
        suffix: of the files that hold its cases.
        make: a case from random choices, the same for the same choices.
        mutate: a case from another one; for engines that keep a corpus.
        check: reads a case: `ACCEPTED`, or the class of the error that refuses it. Raises `Wrong`.
        about: what it exercises.
        prepare: makes what cases are made from, before processes are started that would each make it.
    """

    name: str
    suffix: str
    make: Callable[[Random], bytes]
    mutate: Callable[[bytes, Random], bytes]
    check: Callable[[bytes], str]
    about: str
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Fault:
    """The fault of a case: one of `FAULTS`, a name for faults that look alike, and a text."""

    kind: str
    name: str
    text: str


class Wrong(Exception):  # noqa: N818  (it is what is found, not what failed)
    """Two ways of reading a case differ. `name` is the same for differences that look alike."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class OutOfTimeError(BaseException):
    """A case took too long; no `Exception`, so that nothing takes it for an error of its own."""


@dataclass(frozen=True)
class Verdict:
    """The result of a case: its outcome or its fault, CPU seconds, and bytes of memory that it added."""

    outcome: str
    fault: Fault | None
    seconds: float
    memory: int


def rng_of(target: str, seed: int, number: int) -> Random:
    """The random choices of a case; the same on every machine and under every hash seed."""
    return Random(f"{target}/{seed}/{number}")


def judge(target: Target, data: bytes, cpu_seconds: float = CPU_SECONDS, memory: int | None = MEMORY) -> Verdict:
    """Check one case in this process; only a crash is not seen here."""
    before = peak_memory()
    started = time.process_time()
    outcome, fault = "fault", None
    try:
        with _cpu_limit(cpu_seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning is no fault
            outcome = target.check(data)
    except KeyboardInterrupt:
        raise
    except BaseException as reason:
        fault = _fault(reason)
    seconds, added = time.process_time() - started, peak_memory() - before
    if fault is None and memory is not None and added > memory:
        fault = Fault("memory", f"memory-{outcome}", f"{added >> 20} MiB were added (outcome: {outcome})")
    if added > 4 << 20:
        reset_peak()
    return Verdict(outcome, fault, seconds, added)


def peak_memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def limit_address_space() -> None:
    """Make allocations fail that would take the machine's memory."""
    with contextlib.suppress(OSError, ValueError):
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESS_SPACE, resource.RLIM_INFINITY))


def reset_peak() -> None:
    """Measure the next case from what is in use now; only Linux can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@contextlib.contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise OutOfTimeError(f"more than {seconds:g} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _fault(reason: BaseException) -> Fault:
    text = "".join(traceback.format_exception(reason))
    if isinstance(reason, Wrong):
        return Fault("wrong", slug(reason.name), f"{reason}\n\n{text}")
    kind = "timeout" if isinstance(reason, OutOfTimeError) else "foreign"
    return Fault(kind, slug(f"{kind}-{type(reason).__name__}-{_place(reason)}"), text)


def _place(reason: BaseException) -> str:
    """The innermost function of the package or of the second decoder that an exception came through."""
    own = [
        frame
        for frame in traceback.extract_tb(reason.__traceback__)
        if frame.filename.startswith((str(ROOT / "pemncodec"), str(ROOT / "spec")))
    ]
    if not own:
        return "outside"
    return f"{Path(own[-1].filename).stem}-{own[-1].name}"


def slug(text: str) -> str:
    """A text as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:80]
