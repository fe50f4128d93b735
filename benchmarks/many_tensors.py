"""Time of `pemn pack` for very many tensors, where the cost of a tensor counts and not that of a byte.

Checkpoints of `--tensors` tensors in all are made in a temporary folder, one a kind, and packed by the command itself,
in turns with that of another checkout of this repository where one is given. A JSON row a kind: medians of the seconds
and of the CPU seconds, and bytes before and after.

    python benchmarks/many_tensors.py [--tensors 100000] [--repeat 3] [--against ../other-checkout] [KIND ...]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

State = dict[str, torch.Tensor]


def plain(count: int) -> State:
    """Random matrices of 16 × 16."""
    return {f"layers.{i}.weight": torch.randn(16, 16) for i in range(count)}


def tied(count: int) -> State:
    """Every matrix under two names."""
    state: State = {}
    for i in range(count // 2):
        state[f"encoder.{i}.weight"] = state[f"decoder.{i}.weight"] = torch.randn(16, 16)
    return state


def modules(count: int) -> State:
    """Half-pruned weights of 8 × 8, biases, running means and counters."""
    state: State = {}
    for i in range(count // 4):
        state[f"layers.{i}.weight"] = torch.randn(8, 8) * (torch.rand(8, 8) < 0.5)
        state[f"layers.{i}.bias"] = torch.randn(8)
        state[f"layers.{i}.norm.running_mean"] = torch.randn(8)
        state[f"layers.{i}.norm.num_batches_tracked"] = torch.tensor(7)
    return state


def pruned(count: int) -> State:
    """torch.nn.utils.prune: weights of 4 × 4 and their masks."""
    state: State = {}
    for i in range(count // 2):
        state[f"layers.{i}.weight_orig"] = torch.randn(4, 4)
        state[f"layers.{i}.weight_mask"] = (torch.rand(4, 4) < 0.5).float()
    return state


def scores(count: int) -> State:
    """Edge-Popup: weights of 4 × 4 and their scores."""
    state: State = {}
    for i in range(count // 2):
        state[f"layers.{i}.weight"] = torch.randn(4, 4)
        state[f"layers.{i}.scores"] = torch.randn(4, 4)
    return state


def zeros(count: int) -> State:
    """Half-pruned matrices of 4 × 4 without masks, so that each is a layer: the worst case."""
    return {f"layers.{i}.weight": torch.randn(4, 4) * (torch.rand(4, 4) < 0.5) for i in range(count)}


KINDS: dict[str, tuple[Callable[[int], State], list[str]]] = {
    "plain": (plain, []),
    "tied": (tied, []),
    "modules": (modules, []),
    "pruned": (pruned, []),
    "scores": (scores, ["--keep", "0.5"]),
    "zeros": (zeros, []),
}


def run(checkout: Path, checkpoint: Path, output: Path, options: list[str]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of one `pemn pack`."""
    command = [sys.executable, "-m", "pemncodec", "pack", str(checkpoint), "-o", str(output), "--force", "-q", *options]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, cwd=output.parent, env=os.environ | {"PYTHONPATH": str(checkout)})
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a row a kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--tensors", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout, built")
    arguments = parser.parse_args()
    checkouts = {"here": Path(__file__).resolve().parents[1]}
    if arguments.against is not None:
        checkouts["against"] = arguments.against.resolve()
    for kind in arguments.kinds or KINDS:
        make, options = KINDS[kind]
        with tempfile.TemporaryDirectory() as folder:
            checkpoint, output = Path(folder) / "many.pt", Path(folder) / "many.pemn"
            torch.manual_seed(0)
            torch.save(make(arguments.tensors), checkpoint)
            row: dict[str, object] = {"kind": kind, "tensors": arguments.tensors, "bytes": checkpoint.stat().st_size}
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
            for _ in range(arguments.repeat):
                for name, checkout in checkouts.items():
                    times[name].append(run(checkout, checkpoint, output, options))
                    row[f"packed_{name}"] = output.stat().st_size
            for name, found in times.items():
                seconds, cpu = (round(median(column), 2) for column in zip(*found, strict=True))
                row |= {f"seconds_{name}": seconds, f"cpu_{name}": cpu}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
