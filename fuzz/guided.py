"""Targets under atheris, which keeps the cases that reach new code and mutates those.

    python -m fuzz --engine atheris --target container --seconds 60

A fault does not stop it: the case is saved, as by the plain loop. What it cannot go on after (a crash) ends it, and
libFuzzer saves the case.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from . import CORPUS, ROOT
from .campaign import KEPT, Tally
from .harness import Target, judge, rng_of
from .targets import named

MOST = 1 << 16  # bytes of a case
STARTED_WITH = 200  # cases that the corpus begins with


def run_all(names: list[str], seconds: float, seed: int, folder: Path) -> int:
    """Each target in a process of its own for so many seconds; 1 if anything was wrong."""
    faulty = 0
    for name in names:
        with tempfile.TemporaryDirectory() as work:
            command = [sys.executable, "-m", "fuzz.guided", name, str(seconds), str(seed), str(folder.resolve()), work]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            counted = Path(work) / "row.json"
            row: dict[str, Any] = json.loads(counted.read_text()) if counted.exists() else {"target": name, "cases": 0}
        row |= {"engine": "atheris", "status": done.returncode}
        if done.returncode:
            sys.stderr.write(done.stderr.decode("utf-8", "replace")[-4000:])
        print(json.dumps(row), flush=True)
        faulty += done.returncode != 0 or bool(row.get("faults"))
    return 1 if faulty else 0


class _Guided:
    """One target: counts its cases and saves the faulty ones."""

    def __init__(self, target: Target, seed: int, folder: Path, work: Path) -> None:
        self._target, self._folder, self._work = target, folder, work
        self._tally = Tally(target.name, seed, 0)

    def one(self, data: bytes) -> None:
        """Check a case."""
        verdict = judge(self._target, data)
        self._tally.add(self._tally.cases, verdict.outcome, verdict.fault, verdict.seconds, verdict.memory)
        fault = verdict.fault
        if fault is not None and self._tally.names[fault.name] <= KEPT:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = self._tally.names[fault.name]
            path = self._folder / f"{self._target.name}--{fault.name}--guided-{number}{self._target.suffix}"
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(f"{fault.kind}: {fault.name}\n\n{fault.text}\n")
        if fault is not None or self._tally.cases % 100 == 0:
            (self._work / "row.json").write_text(json.dumps(self._tally.row()))

    def mutate(self, data: bytes, most: int, seed: int) -> bytes:
        """Another case: from this one, or from nothing."""
        rng = Random(seed)
        made = self._target.make(rng) if rng.randrange(6) == 0 else self._target.mutate(data, rng)
        return made[:most]


def main(name: str, seconds: str, seed: str, folder: str, work: str) -> None:
    """Run one target until its time is over."""
    atheris = import_module("atheris")  # optional: there is none for every Python
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["pemncodec", "decoder"]):
        target = named(name)
    corpus = Path(work) / "corpus"
    corpus.mkdir()
    for path in CORPUS.glob(f"{name}--*{target.suffix}"):
        (corpus / path.name).write_bytes(path.read_bytes())
    for number in range(STARTED_WITH):
        (corpus / str(number)).write_bytes(target.make(rng_of(name, int(seed), number)))
    guided = _Guided(target, int(seed), Path(folder), Path(work))
    arguments = [
        *("fuzz", str(corpus), f"-max_total_time={max(1, round(float(seconds)))}", f"-max_len={MOST}"),
        *("-rss_limit_mb=4096", "-timeout=120", f"-seed={int(seed) + 1}", f"-artifact_prefix={folder}/{name}--crash-"),
    ]
    Path(folder).mkdir(parents=True, exist_ok=True)
    atheris.Setup(arguments, guided.one, custom_mutator=guided.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
