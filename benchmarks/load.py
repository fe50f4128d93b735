"""`load_file` against `torch.load` of the dense weights, and `pack` against `torch.save`: time and peak memory.

A synthetic network of the size of ViT-B (86 million weights, its layers), filled by one vector of 4,001 normal values,
with random masks: at keep 0.5 they are stored as they are, at 0.3 entropy-coded. All cases are interleaved in one
process; the files are in the page cache. Each is measured with one thread and with all cores, and with the compiled
loops and without. torch.load has one thread, whatever it is given. Medians; the ratio is the median of the ratios
within a round. Memory is the growth of the peak resident size of a fresh process, after its imports. A JSON row a case.

    python benchmarks/load.py [--runs 15] [--scale 1]
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
from memory import reset_peak, status

import pemncodec
from pemncodec.checkpoints.masks.rules import edge_popup
from pemncodec.common import kernels
from pemncodec.loading.threads import available_threads

KEEPS = (0.5, 0.3)
BASELINE = "torch.load"


def shapes(scale: float) -> dict[str, tuple[int, ...]]:
    """The weights of a ViT-B/16; `scale` multiplies the number of its blocks."""
    found: dict[str, tuple[int, ...]] = {"patch_embed.proj": (768, 3, 16, 16)}
    for block in range(max(1, round(12 * scale))):
        found[f"blocks.{block}.attn.qkv"] = (2304, 768)
        found[f"blocks.{block}.attn.proj"] = (768, 768)
        found[f"blocks.{block}.mlp.fc1"] = (3072, 768)
        found[f"blocks.{block}.mlp.fc2"] = (768, 3072)
    return found | {"head": (1000, 768)}


def network(scale: float) -> dict[str, torch.Tensor]:
    """Weights and scores."""
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(4001, generator=generator)
    state: dict[str, torch.Tensor] = {}
    for name, shape in shapes(scale).items():
        count = math.prod(shape)
        state[f"{name}.weight"] = vector.repeat(count // 4001 + 1)[:count].reshape(shape).clone()
        state[f"{name}.scores"] = torch.rand(shape, generator=generator)
    return state


def loaders(folder: Path) -> dict[str, Callable[[], object]]:
    """Return the calls to time by case: keep, threads, with or without compiled loops; torch.load is the baseline."""
    cases: dict[str, Callable[[], object]] = {BASELINE: lambda: torch.load(folder / "dense.pt", weights_only=True)}
    for keep in KEEPS:
        for threads in sorted({1, available_threads(None)}):
            for compiled in (True, False):
                case = f"load_file keep {keep}, {threads} threads, {'compiled' if compiled else 'numpy'}"
                cases[case] = _loader(folder / f"{keep}.pemn", threads, compiled)
    return cases


def _loader(path: Path, threads: int, compiled: bool) -> Callable[[], object]:
    def load() -> object:
        before = kernels.compiled
        try:
            if not compiled:
                kernels.compiled = None
            return pemncodec.load_file(path, threads=threads)
        finally:
            kernels.compiled = before

    return load


def measure_loading(folder: Path, runs: int) -> list[dict[str, object]]:
    """A row a case."""
    cases = loaders(folder)
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(runs + 1):
        for case, loader in cases.items():
            gc.collect()
            start = time.perf_counter()
            loaded = loader()
            seconds[case].append(time.perf_counter() - start)
            del loaded
    rows: list[dict[str, object]] = []
    for case, times in seconds.items():
        ratios = [a / b for a, b in zip(times[1:], seconds[BASELINE][1:], strict=True)]  # the first round warms up
        row: dict[str, object] = {
            "case": case,
            "median_s": round(statistics.median(times[1:]), 4),
            "fastest_s": round(min(times[1:]), 4),
            "times_of_torch.load": round(statistics.median(ratios), 2),
            "fastest_of_fastest": round(min(times[1:]) / min(seconds[BASELINE][1:]), 2),
        }
        rows.append(row | {"peak_bytes": peak_growth(folder, case)} if "numpy" not in case else row)
    return rows


def measure_packing(state: dict[str, torch.Tensor], folder: Path, runs: int) -> list[dict[str, object]]:
    """Packing, and what it is compared with: deriving the masks, and torch.save of the dense weights."""
    rows: list[dict[str, object]] = []
    for keep in KEEPS:
        pemncodec.save_file(state, folder / f"{keep}.pemn", keep=keep, ties="stable")
        dense = pemncodec.load_file(folder / f"{keep}.pemn")
        seconds: dict[str, list[float]] = {"pack": [], "masks": [], "save": []}
        for _ in range(runs):
            start = time.perf_counter()
            pemncodec.save_file(state, folder / f"{keep}.pemn", keep=keep, ties="stable")
            seconds["pack"].append(time.perf_counter() - start)
            start = time.perf_counter()
            for name, tensor in state.items():
                if name.endswith("scores"):
                    edge_popup(tensor, keep, name)
            seconds["masks"].append(time.perf_counter() - start)
            start = time.perf_counter()
            torch.save(dense, folder / "dense.pt")
            seconds["save"].append(time.perf_counter() - start)
        medians = {case: round(statistics.median(times), 3) for case, times in seconds.items()}
        rows.append(
            {
                "case": f"save_file keep {keep}",
                "file_bytes": (folder / f"{keep}.pemn").stat().st_size,
                "dense_bytes": (folder / "dense.pt").stat().st_size,
                "median_s": medians["pack"],
                "deriving_masks_s": medians["masks"],
                "torch.save_s": medians["save"],
                "times_of_both": round(medians["pack"] / (medians["masks"] + medians["save"]), 2),
            }
        )
    return rows


def peak_growth(folder: Path, case: str) -> int:
    """Bytes by which the peak of a fresh process grows while it loads once."""
    command = [sys.executable, __file__, "--once", case, "--folder", str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def once(folder: Path, case: str) -> None:
    """Load once and print the growth of the peak; a tiny file first, so that every import is done."""
    pemncodec.load(pemncodec.save({"w": torch.rand(3)}))
    loader = loaders(folder)[case]
    before = reset_peak()
    kept = loader()
    print(status("VmHWM") - before)
    del kept


def main() -> None:
    """Make the files, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        once(arguments.folder, arguments.once)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packing = measure_packing(network(arguments.scale), folder, 3)
        for row in packing + measure_loading(folder, arguments.runs):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
