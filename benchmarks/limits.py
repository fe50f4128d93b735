"""The cost of hostile files: every public function and command on every file of a folder, with a small `max_bytes`.

Without a folder the files are those of `limits_files`. Each run has a process of its own, in which everything is
imported before; its memory is the growth of the peak from there, its CPU time that of all its threads. It prints a JSON
row a run: the file, the operation, the outcome (`ok`, or the class of the error), bytes of memory and of disk, seconds
of CPU; and last a row with the greatest of each. The exit status is 1 if a bound of docs/limits.md does not hold, or if
a run ended in anything but `ok`, a PemnError or an error of the command line.

    python benchmarks/limits.py [FOLDER] [--max-bytes 67108864] [--only OPERATION]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import limits_files
import torch
from memory import reset_peak, status

import pemncodec
import pemncodec.loading.compare
import pemncodec.loading.original
import pemncodec.loading.unpack
from pemncodec.cli import inspect, unpack, verify  # noqa: F401
from pemncodec.cli.main import cli
from pemncodec.loading.layouts.table import Layout
from pemncodec.loading.verify import verify_file

FORK = get_context("fork")
MOST = 8 << 30  # bytes that a run may have: what takes more shall not bring down the machine
# docs/limits.md: memory ≤ MEMORY × max_bytes + FIXED, disk ≤ max_bytes + FIXED_DISK
MEMORY, FIXED, FIXED_DISK, SECONDS = 3, 64 << 20, 64 << 20, 20


class Run:
    """A file, and where its results go."""

    def __init__(self, path: Path, folder: Path, max_bytes: int) -> None:
        self.path, self.folder = path, folder
        beside = path.with_suffix("")
        self.base = sorted(beside.glob("*.pemn")) if beside.is_dir() else None
        self.max_bytes = max_bytes
        self.arguments: dict[str, Any] = {"max_bytes": max_bytes, "base": self.base}

    def load(self, layout: Layout) -> None:
        pemncodec.load_file(self.path, layout=layout, task=self.task(), **self.arguments)

    def task(self) -> str | None:
        with pemncodec.open(self.path) as file:
            return file.tasks[0] if file.tasks else None

    def each(self) -> None:
        with pemncodec.open(self.path, task=self.task(), **self.arguments) as file:
            for name in file:
                file.get_numpy(name)
                file.get_tensor(name)
                if file.is_masked(name):
                    file.get_mask(name)

    def model(self) -> None:
        pemncodec.load_model(torch.nn.Linear(2, 2), self.path, task=self.task(), **self.arguments)

    def command(self, *words: str) -> None:
        bases = [word for base in self.base or () for word in ("--base", str(base))]
        limits = [] if words[0] == "inspect" else ["--max-bytes", str(self.max_bytes), *bases]
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            cli.main([words[0], str(self.path), *words[1:], *limits], standalone_mode=False)

    def unpack(self, suffix: str, layout: str) -> None:
        task = self.task()
        words = [] if task is None else ["--task", task]
        self.command("unpack", str(self.folder / f"out{suffix}"), "--layout", layout, "-q", *words)


def operations() -> dict[str, Callable[[Run], object]]:
    """Everything public that reads a file."""
    found: dict[str, Callable[[Run], object]] = {
        f"load {layout}": lambda run, layout=layout: run.load(layout)  # type: ignore[misc]
        for layout in ("dense", "masked", "csr", "coo")
    }
    found |= {
        "load_network": lambda run: pemncodec.load_network(run.path, **run.arguments),
        "load_model": Run.model,
        "PemnFile": Run.each,
        "verify_file": lambda run: verify_file(run.path, **run.arguments),
        "unpack_file .pt": lambda run: pemncodec.unpack_file(
            run.path, run.folder / "out.pt", task=run.task(), **run.arguments
        ),
        "unpack_file .safetensors": lambda run: pemncodec.unpack_file(
            run.path, run.folder / "out.safetensors", task=run.task(), **run.arguments
        ),
        "load_original": lambda run: pemncodec.load_original(run.path, **run.arguments),
        "unpack_original": lambda run: pemncodec.unpack_original(run.path, run.folder / "out", **run.arguments),
        "save_tasks": lambda run: pemncodec.save_tasks({}, run.folder / "out.pemn", add_to=run.path),
        "pemn inspect": lambda run: run.command("inspect"),
        "pemn inspect --json": lambda run: run.command("inspect", "--json"),
        "pemn verify": lambda run: run.command("verify", "-q"),
    }
    for layout in ("dense", "masked", "csr", "coo", "original"):
        for suffix in (".pt", ".safetensors"):
            found[f"pemn unpack {layout} {suffix}"] = lambda run, suffix=suffix, layout=layout: run.unpack(  # type: ignore[misc]
                suffix, layout
            )
    return found


def once(path: Path, operation: str, max_bytes: int) -> dict[str, Any]:
    """A run in this process."""
    outcome = "ok"
    with tempfile.TemporaryDirectory() as folder:
        before, start = reset_peak(), time.process_time()
        try:
            operations()[operation](Run(path, Path(folder), max_bytes))
        except (pemncodec.PemnError, click.ClickException) as reason:
            outcome = type(reason).__name__
        except Exception as reason:
            outcome = f"! {type(reason).__name__}: {reason}"[:200]
        seconds, grown = time.process_time() - start, status("VmHWM") - before
        disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {"outcome": outcome, "memory": grown, "disk": disk, "cpu_s": round(seconds, 2)}


def run(path: Path, operation: str, max_bytes: int, seconds: int = 5 * SECONDS) -> dict[str, Any]:
    """A run in a process of its own, which has what this one has imported."""

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST, MOST))
        verify_file(pemncodec.save({"w": torch.ones(3)}))  # what a first run of anything takes is no growth
        end.send(once(path, operation, max_bytes))

    begin, end = FORK.Pipe(duplex=False)
    child = FORK.Process(target=work)
    child.start()
    end.close()
    try:
        found: dict[str, Any] = begin.recv() if begin.poll(seconds) else {"outcome": "! timeout"}
    except EOFError:
        child.join()
        found = {"outcome": f"! status {child.exitcode}"}
    if child.is_alive():
        child.kill()
    child.join()
    return {"memory": 0, "disk": 0, "cpu_s": 0.0} | found


def holds(row: dict[str, Any], max_bytes: int) -> bool:
    """Return whether a run stays within the bounds and ends in `ok` or an expected error."""
    memory, disk = MEMORY * max_bytes + FIXED, max_bytes + FIXED_DISK
    good = row["memory"] <= memory and row["disk"] <= disk and row["cpu_s"] <= SECONDS
    return bool(good) and not row["outcome"].startswith("!")


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--max-bytes", type=int, default=64 << 20)
    parser.add_argument("--only", action="append")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made)
        paths = sorted(folder.glob("*.pemn")) if arguments.folder else limits_files.write(folder)
        most, bad = {"memory": 0, "disk": 0, "cpu_s": 0.0}, 0
        for path in paths:
            for operation in arguments.only or operations():
                row = run(path, operation, arguments.max_bytes)
                good = holds(row, arguments.max_bytes)
                bad += not good
                print(json.dumps({"file": path.name, "operation": operation, **row, "holds": good}), flush=True)
                most = {key: max(value, row[key]) for key, value in most.items()}
        print(json.dumps({"max_bytes": arguments.max_bytes, "broken": bad, **most}))
        sys.exit(bad > 0)


if __name__ == "__main__":
    main()
