"""`load_file` against `torch.load` of the dense weights: time, interleaved in one process, and peak memory.

A synthetic network with random-vector padding (one vector of 4,001 normal values, tiled) and random masks that keep
half of the weights; one thread; files in the page cache. Memory is the growth of the peak resident size of a
fresh process, after its imports. One JSON row is printed for every case.

    python benchmarks/load.py [--weights 50000000] [--runs 7]
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import pemncodec


def network(weights: int) -> dict[str, torch.Tensor]:
    """Layers of 1024 × 1024 and 512 × 512 × 3 × 3, filled by one vector, with random scores."""
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(4001, generator=generator)
    state: dict[str, torch.Tensor] = {}
    total = 0
    while total < weights:
        shape = (1024, 1024) if len(state) % 4 else (512, 512, 3, 3)
        count = math.prod(shape)
        state[f"layer{len(state) // 2}.weight"] = vector.repeat(count // 4001 + 1)[:count].reshape(shape).clone()
        state[f"layer{len(state) // 2}.scores"] = torch.rand(shape, generator=generator)
        total += count
    return state


def loaders(folder: Path) -> dict[str, Callable[[], object]]:
    """What is compared."""
    return {
        "pemncodec.load_file": lambda: pemncodec.load_file(folder / "a.pemn"),
        "torch.load": lambda: torch.load(folder / "a.pt", weights_only=True),
    }


def peak_growth(folder: Path, name: str) -> int:
    """Bytes by which the peak of a fresh process grows while it loads once."""
    command = [sys.executable, __file__, "--once", name, "--folder", str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def once(folder: Path, name: str) -> None:
    """Load once and print the growth of the peak; a tiny file first, so that every import is done."""
    torch.set_num_threads(1)
    pemncodec.load(pemncodec.save({"w": torch.rand(3)}))
    loader = loaders(folder)[name]
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak, which a child inherits from its parent
    before = peak()
    kept = loader()
    print(peak() - before)
    del kept


def peak() -> int:
    """Peak resident size of this process in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Make the files, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", type=int, default=50_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        once(arguments.folder, arguments.once)
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = network(arguments.weights)
        start = time.perf_counter()
        report = pemncodec.save_file(state, folder / "a.pemn", keep=0.5)
        packed = time.perf_counter() - start
        del state
        torch.save(pemncodec.load_file(folder / "a.pemn"), folder / "a.pt")
        seconds: dict[str, list[float]] = {case: [] for case in loaders(folder)}
        for _ in range(arguments.runs + 1):
            for case, loader in loaders(folder).items():
                gc.collect()
                start = time.perf_counter()
                loaded = loader()
                seconds[case].append(time.perf_counter() - start)
                del loaded
        medians = {case: statistics.median(times[1:]) for case, times in seconds.items()}  # the first run warms up
        memory = {case: peak_growth(folder, case) for case in seconds}
        for case in seconds:
            row = {
                "case": case,
                "weights": report.sizes.masked_weights,
                "file_bytes": (folder / ("a.pt" if case == "torch.load" else "a.pemn")).stat().st_size,
                "median_s": round(medians[case], 4),
                "times_of_torch.load": round(medians[case] / medians["torch.load"], 2),
                "first_run_s": round(seconds[case][0], 4),
                "peak_bytes": memory[case],
                "peak_of_torch.load": round(memory[case] / memory["torch.load"], 3),
            }
            print(json.dumps(row))
        print(json.dumps({"case": "pemncodec.save_file", "seconds": round(packed, 2)}))


if __name__ == "__main__":
    main()
