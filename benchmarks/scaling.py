"""Time and memory of packing, loading and unpacking, from ten thousand weights to a billion. With a picture.

A synthetic network of layers of at most 4096 × 4096, filled by one vector of 4,001 normal values, with random scores,
as the published code saves it (weight and scores: 8 bytes a weight), packed at keep 0.5. Every step runs in a process
of its own: `pack` (with verification, as `pemn pack` does it), `load` (`load_file`, dense) and `unpack` (to a torch
file). One JSON row a size and step: seconds, the growth of the peak resident size after the imports, and the most
anonymous memory (the resident size also counts the pages of the checkpoint, which is mapped). A billion weights take
13 GB of disk and some minutes.

    python benchmarks/scaling.py [--most 1000000000] [--out benchmarks/results/scaling.jsonl] [--plot docs/scaling.png]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from memory import reset_peak, status

import pemncodec
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.common.files import whole_file
from pemncodec.loading.compare import compare
from pemncodec.packing.pack import pack_draft

SIZES = (10**4, 10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7, 3 * 10**7, 10**8, 3 * 10**8, 10**9)
STEPS = ("pack", "load", "unpack")
_SIDE = 4096


def shapes(weights: int) -> Iterator[tuple[int, ...]]:
    """Layers of so many weights together."""
    while weights:
        count = min(weights, _SIDE * _SIDE)
        side = min(_SIDE, max(1, int(count**0.5)))
        yield (count // side, side)
        weights -= count // side * side


def make(weights: int, path: Path) -> None:
    """Write the checkpoint."""
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(4001, generator=generator)
    state: dict[str, torch.Tensor] = {}
    for number, shape in enumerate(shapes(weights)):
        count = shape[0] * shape[1]
        state[f"layers.{number}.weight"] = vector.repeat(count // 4001 + 1)[:count].reshape(shape)
        state[f"layers.{number}.scores"] = torch.rand(shape, generator=generator)
    torch.save(state, path)


def pack(folder: Path) -> None:
    """As `pemn pack`: pack, verify, write."""
    draft = draft_of(pemncodec.load_checkpoint(folder / "a.pt"), PackOptions(0.5, ties="stable"))
    with whole_file(folder / "a.pemn") as temporary:
        pack_draft(draft, folder=folder)[0].write(temporary)
        compare(temporary, draft)


def once(folder: Path, step: str) -> None:
    """Do one step and print what it took; a tiny network first, so that every import is done."""
    with tempfile.TemporaryDirectory() as name:
        torch.save({"w.weight": torch.rand(9, 9), "w.scores": torch.rand(9, 9)}, Path(name) / "a.pt")
        pack(Path(name))
        pemncodec.unpack_file(Path(name) / "a.pemn", Path(name) / "b.pt")
        pemncodec.load_file(Path(name) / "a.pemn")
    steps: dict[str, Callable[[], object]] = {
        "pack": lambda: pack(folder),
        "load": lambda: pemncodec.load_file(folder / "a.pemn"),
        "unpack": lambda: pemncodec.unpack_file(folder / "a.pemn", folder / "b.pt"),
    }
    before, anonymous = reset_peak(), status("RssAnon")
    watch = Watch()
    start = time.perf_counter()
    kept = steps[step]()
    seconds = time.perf_counter() - start
    row = {
        "seconds": round(seconds, 4),
        "peak_bytes": status("VmHWM") - before,
        "anonymous_bytes": watch.stop() - anonymous,
    }
    print(json.dumps(row))
    del kept


class Watch:
    """The most anonymous memory since it was made, looked at a hundred times a second."""

    def __init__(self) -> None:
        self._most = status("RssAnon")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.wait(0.01):
            self._most = max(self._most, status("RssAnon"))

    def stop(self) -> int:
        """Bytes."""
        self._done.set()
        self._thread.join()
        return max(self._most, status("RssAnon"))


def measure(weights: int) -> Iterator[dict[str, Any]]:
    """A row a step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(weights, folder / "a.pt")
        for step in STEPS:
            command = [sys.executable, __file__, "--once", step, "--folder", name]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            yield {
                "weights": weights,
                "step": step,
                **json.loads(result.stdout),
                "checkpoint_bytes": (folder / "a.pt").stat().st_size,
                "file_bytes": (folder / "a.pemn").stat().st_size,
            }


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Time and memory against the number of weights, both logarithmic: a line of slope one is linear."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for step, color in zip(STEPS, ("#c9543f", "#3b6ea5", "#8aa65c"), strict=True):
        own = [row for row in rows if row["step"] == step]
        weights = [row["weights"] for row in own]
        left.loglog(weights, [row["seconds"] for row in own], "o-", color=color, label=step, markersize=4)
        memory = [max(row["anonymous_bytes"], 1 << 18) / 1e6 for row in own]
        right.loglog(weights, memory, "o-", color=color, label=step, markersize=4)
    sizes = [row for row in rows if row["step"] == "pack"]
    weights = [row["weights"] for row in sizes]
    for field, style, label in (("checkpoint_bytes", ":", "the checkpoint"), ("file_bytes", "--", "the file")):
        right.loglog(weights, [row[field] / 1e6 for row in sizes], style, color="black", linewidth=1, label=label)
    left.loglog(weights, [weight * 1e-8 for weight in weights], ":", color="black", linewidth=1, label="10 ns a weight")
    left.set_ylabel("seconds")
    right.set_ylabel("MB of anonymous memory")
    for axes in (left, right):
        axes.set_xlabel("weights")
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure every size, print the rows, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        once(arguments.folder, arguments.once)
        return
    rows = []
    for weights in SIZES:
        if weights <= arguments.most:
            for row in measure(weights):
                print(json.dumps(row), flush=True)
                rows.append(row)
    if arguments.out:
        arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if arguments.plot:
        plot(rows, arguments.plot)


if __name__ == "__main__":
    main()
