"""`python -m fuzz`: a campaign over targets, or files of cases once more."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path

from .campaign import run
from .harness import judge
from .targets import named, targets


def main() -> int:
    """Run the command; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--target", default="all", help="a name or a pattern; all, decoders, checkpoints")
    parser.add_argument("--list", action="store_true", help="print the targets")
    parser.add_argument("--cases", type=int, help="of each target (default: as many as fit the time; without: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case: `next` of an earlier row")
    parser.add_argument("--seconds", type=float, help="for all targets together")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--faults", type=Path, default=Path("fuzz-faults"), help="where faulty cases are saved")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="check saved cases once more")
    parser.add_argument(
        "--engine",
        choices=["auto", "loop", "atheris"],
        default="loop",
        help="loop: numbered cases. atheris: guided by coverage, needs --seconds. auto: atheris where it is installed",
    )
    given = parser.parse_args()
    if given.list:
        for target in targets():
            print(f"{target.name:24} {target.about}")
        return 0
    if given.replay:
        return replay(given.replay)
    guided = given.engine == "atheris" or (given.engine == "auto" and importlib.util.find_spec("atheris") is not None)
    chosen = targets(given.target)
    if not chosen:
        parser.error(f"no target matches {given.target!r}; --list prints them")
    share = None if given.seconds is None else given.seconds / len(chosen)
    if guided:
        if share is None:
            parser.error("--engine atheris needs --seconds")
        from .guided import run_all

        return run_all([target.name for target in chosen], share, given.seed, given.faults)
    cases = given.cases or (1000 if share is None else 1 << 62)
    faulty = 0
    for target in chosen:
        tally = run(
            target,
            cases=cases,
            seed=given.seed,
            first=given.first,
            seconds=share,
            jobs=given.jobs,
            folder=given.faults,
        )
        print(json.dumps(tally.row()), flush=True)
        faulty += sum(tally.faults.values())
    return 1 if faulty else 0


def replay(paths: list[Path]) -> int:
    """Check saved cases, whose names begin with that of their target and `--`; 1 if anything is wrong."""
    faulty = 0
    for path in paths:
        if path.suffix == ".txt":
            continue
        target = named(path.name.split("--")[0])
        target.prepare()
        verdict = judge(target, path.read_bytes())
        row = {"file": path.name, "outcome": verdict.outcome, "ms": round(1000 * verdict.seconds, 1)}
        row["memory_added_mib"] = round(verdict.memory / (1 << 20), 1)
        if verdict.fault is not None:
            faulty += 1
            row |= {"fault": verdict.fault.kind, "name": verdict.fault.name}
            print(verdict.fault.text, file=sys.stderr)
        print(json.dumps(row), flush=True)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
