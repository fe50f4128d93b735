"""Many cases of one target in processes of their own: a crash, a hang or a fault costs one case, and the rest go on.

Cases are numbered. A process makes and checks a range of them; it writes the number of the case at hand into memory
that it shares with the one that started it, which knows from that which case killed a process.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import selectors
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .harness import ACCEPTED, FAULTS, Fault, Target, judge, limit_address_space, rng_of

RANGE = 1000  # cases of one process
SILENCE = 120.0  # seconds of wall-clock time after which a case that does not end is a timeout
PREPARED = 60.0  # seconds of a campaign from which on it pays to make first what all processes need
KEPT = 3  # cases that are saved of faults that look alike


@dataclass
class Tally:
    """The results of the cases of a target, counted."""

    target: str
    seed: int
    first: int
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_case: int = 0
    memory: int = 0
    seconds: float = 0.0
    next: int = 0

    def add(self, number: int, outcome: str, fault: Fault | None, seconds: float, memory: int) -> None:
        """Count a case."""
        self.cases += 1
        if fault is None:
            self.outcomes[outcome] += 1
        else:
            self.faults[fault.kind] += 1
            self.names[fault.name] += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_case = seconds, number
        self.memory = max(self.memory, memory)

    def merge(self, other: dict[str, Any]) -> None:
        """Count what a process has counted."""
        self.cases += other["cases"]
        self.outcomes.update(other["outcomes"])
        self.faults.update(other["faults"])
        self.names.update(other["names"])
        if other["slowest"] > self.slowest:
            self.slowest, self.slowest_case = other["slowest"], other["slowest_case"]
        self.memory = max(self.memory, other["memory"])

    def row(self) -> dict[str, Any]:
        """One row of figures; `next` is the number to go on from, with `--first`."""
        refused = {name: count for name, count in sorted(self.outcomes.items()) if name != ACCEPTED}
        return {
            "target": self.target,
            "seed": self.seed,
            "first": self.first,
            "next": self.next,
            "cases": self.cases,
            "accepted": self.outcomes[ACCEPTED],
            "refused": refused,
            **{kind: self.faults[kind] for kind in FAULTS},
            "faults": dict(sorted(self.names.items())),
            "slowest_ms": round(1000 * self.slowest, 1),
            "slowest_case": self.slowest_case,
            "memory_added_mib": round(self.memory / (1 << 20), 1),
            "seconds": round(self.seconds, 1),
        }


class _Process:
    """A process that works on the cases `first` … `stop` − 1."""

    def __init__(self, target: Target, seed: int, first: int, stop: int, deadline: float) -> None:
        self.first, self.stop = first, stop
        self._shared = mmap.mmap(-1, 8)
        self.reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.reader)
                _work(target, seed, first, stop, deadline, writer, self._shared)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        self.text = b""
        self.done = False
        self.seen, self.seen_at = -1, time.monotonic()

    @property
    def number(self) -> int:
        """The case at hand."""
        return int.from_bytes(self._shared[:8], "little")

    def hangs(self) -> bool:
        """Return whether the case at hand has been there for too long."""
        if self.number != self.seen:
            self.seen, self.seen_at = self.number, time.monotonic()
        return time.monotonic() - self.seen_at > SILENCE

    def read(self) -> list[dict[str, Any]]:
        """The messages that have come; `done` is set at the end of them."""
        data = os.read(self.reader, 1 << 20)
        self.done = not data
        *lines, self.text = (self.text + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self) -> int:
        """The status of the process that has ended."""
        os.close(self.reader)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _work(target: Target, seed: int, first: int, stop: int, deadline: float, writer: int, shared: mmap.mmap) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    limit_address_space()
    tally = Tally(target.name, seed, first)
    saved: Counter[str] = Counter()

    def send(message: dict[str, Any]) -> None:
        os.write(writer, json.dumps(message).encode() + b"\n")

    number = first
    for number in range(first, stop):
        if time.monotonic() > deadline:
            break
        shared[:8] = number.to_bytes(8, "little")
        try:
            data = target.make(rng_of(target.name, seed, number))
        except Exception as reason:
            name = f"make-{type(reason).__name__}"
            fault = Fault("harness", name, traceback.format_exc())
            tally.add(number, "fault", fault, 0.0, 0)
            send({"fault": [fault.kind, fault.name, fault.text], "number": number})
            continue
        verdict = judge(target, data)
        tally.add(number, verdict.outcome, verdict.fault, verdict.seconds, verdict.memory)
        if verdict.fault is not None and saved[verdict.fault.name] < KEPT:
            saved[verdict.fault.name] += 1
            fault = verdict.fault
            send({"fault": [fault.kind, fault.name, fault.text[-4000:]], "number": number})
        if (
            number % 100 == 0 or verdict.fault is not None
        ):  # what is counted so far, should the next one kill the process
            send({"tally": _counts(tally), "upto": number + 1})
    else:
        number = stop
    send({"tally": _counts(tally), "upto": number})


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "cases": tally.cases,
        "outcomes": tally.outcomes,
        "faults": tally.faults,
        "names": tally.names,
        "slowest": tally.slowest,
        "slowest_case": tally.slowest_case,
        "memory": tally.memory,
    }


def run(target: Target, *, cases: int, seed: int, first: int, seconds: float | None, jobs: int, folder: Path) -> Tally:
    """Check the cases `first` … `first` + `cases` − 1, or those that fit the time; faults go to `folder`."""
    started = time.monotonic()
    deadline = started + seconds if seconds is not None else float("inf")
    if seconds is None or seconds >= PREPARED:
        target.prepare()
    tally = Tally(target.name, seed, first, next=first)
    waiting, stop = first, first + cases
    again: list[tuple[int, int]] = []  # what is left of ranges in which a process died
    unfinished: list[int] = []
    running: dict[int, _Process] = {}
    counted: dict[int, tuple[dict[str, Any], int]] = {}
    with selectors.DefaultSelector() as selector:
        while True:
            while len(running) < jobs and (again or waiting < stop) and time.monotonic() < deadline:
                if again:
                    start, end = again.pop()
                else:
                    start, end = waiting, min(waiting + RANGE, stop)
                    waiting = end
                process = _Process(target, seed, start, end, deadline)
                running[process.reader] = process
                selector.register(process.reader, selectors.EVENT_READ)
            if not running:
                break
            for key, _ in selector.select(timeout=1.0):
                process = running[key.fd]
                for message in process.read():
                    if "fault" in message:
                        _save(target, seed, message["number"], Fault(*message["fault"]), folder)
                    else:
                        counted[key.fd] = message["tally"], message["upto"]
                if process.done:
                    selector.unregister(key.fd)
                    del running[key.fd]
                    done = _finish(target, seed, process, counted.pop(key.fd, None), tally, folder, again)
                    if done < process.stop and time.monotonic() >= deadline:
                        unfinished.append(done)
            for process in running.values():
                if process.hangs():
                    os.kill(process.pid, signal.SIGKILL)
    tally.next = min([waiting, *unfinished, *(start for start, _ in again)])
    tally.seconds = time.monotonic() - started
    return tally


def _finish(
    target: Target,
    seed: int,
    process: _Process,
    counted: tuple[dict[str, Any], int] | None,
    tally: Tally,
    folder: Path,
    again: list[tuple[int, int]],
) -> int:
    """Count what a process did; if it died, its case is a fault. Returns the first case that is left."""
    status = process.end()
    upto = process.first
    if counted is not None:
        tally.merge(counted[0])
        upto = counted[1]
    if status == 0:
        return upto
    number = process.number
    # cases between what was counted last and the one that killed it were fine: nothing was said of them
    tally.outcomes["not counted (the process died later)"] += max(0, number - upto)
    tally.cases += max(0, number - upto)
    kind = "timeout" if process.hangs() else "crash"
    fault = Fault(kind, f"{kind}-status{status}", f"the process ended with status {status} at case {number}")
    tally.add(number, "fault", fault, 0.0, 0)
    _save(target, seed, number, fault, folder)
    if number + 1 < process.stop:
        again.append((number + 1, process.stop))
    return process.stop


def _save(target: Target, seed: int, number: int, fault: Fault, folder: Path) -> None:
    """Write a faulty case and what was wrong with it, unless there are enough like it."""
    there = list(folder.glob(f"{target.name}--{fault.name}--*{target.suffix}"))
    if len(there) >= KEPT:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.name}--{fault.name}--{seed}-{number}{target.suffix}"
    again = f"python -m fuzz --target {target.name} --seed {seed} --first {number} --cases 1"
    path.with_suffix(".txt").write_text(f"{fault.kind}: {fault.name}\n{again}\n\n{fault.text}\n")
    data = _made_again(target, seed, number)
    if data is not None:
        path.write_bytes(data)
    print(f"{fault.kind}: {path}", file=sys.stderr)


def _made_again(target: Target, seed: int, number: int) -> bytes | None:
    """The bytes of a case, made in another process: what makes them may be what crashes."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.close(reader)
            data = target.make(rng_of(target.name, seed, number))
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(b"+" + data)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    return data[1:] if data else None
