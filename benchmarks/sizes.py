"""The bytes of a `.pemn` file by part, for every strategy of the paper, beside general compressors. With a picture.

A ConvMixer 256/6 (8 × 8 patches of CIFAR size) whose masked weights are filled as the published code fills them;
random masks that keep half of the weights, random BatchNorm. Nothing is trained: masks of trained networks at this
density do not compress either, and trained BatchNorm compresses a little. One JSON row a strategy.

    python benchmarks/sizes.py [--plot docs/sizes.png]
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import math
from pathlib import Path

import torch
import zstandard

import pemncodec
from pemncodec.packing.report import PackReport

WIDTH, DEPTH = 256, 6
STRATEGIES = ("full", "one-layer", "max-layer", "random-vector 1e-2", "random-vector 1e-3")


def shapes() -> dict[str, tuple[int, ...]]:
    """The masked layers of the published ConvMixer."""
    found: dict[str, tuple[int, ...]] = {"0.weight": (WIDTH, 3, 2, 2)}
    for block in range(3, 3 + DEPTH):
        found[f"{block}.0.fn.0.weight"] = (WIDTH, 1, 8, 8)
        found[f"{block}.1.weight"] = (WIDTH, WIDTH, 1, 1)
    return found | {f"{5 + DEPTH}.weight": (10, WIDTH)}


def checkpoint(strategy: str) -> dict[str, torch.Tensor]:
    """Weights, scores and BatchNorm as the published code saves them."""
    g = torch.Generator().manual_seed(0)
    own = {
        name: torch.randn(shape, generator=g) * math.sqrt(2 / math.prod(shape[1:])) for name, shape in shapes().items()
    }
    largest = max(own.values(), key=torch.Tensor.numel).flatten()
    if strategy.startswith("random-vector"):
        period = int(len(largest) * float(strategy.split()[1])) + 1
        largest = largest[:period].repeat(len(largest) // period + 1)[: len(largest)]
    by_shape: dict[torch.Size, torch.Tensor] = {}
    state: dict[str, torch.Tensor] = {}
    for name, weight in own.items():
        filled = weight
        if strategy == "one-layer":
            filled = by_shape.setdefault(weight.shape, weight) if weight.dim() == 4 else weight
        elif strategy != "full":
            filled = largest[: weight.numel()].reshape(weight.shape)
        state[name] = filled.clone()
        state[name.replace("weight", "scores")] = torch.rand(weight.shape, generator=g)
        if weight.dim() == 4:
            norm = name.replace("weight", "norm")
            for kind in ("weight", "bias", "running_mean", "running_var"):
                state[f"{norm}.{kind}"] = torch.rand(WIDTH, generator=g) + (kind in ("weight", "running_var"))
            state[f"{norm}.num_batches_tracked"] = torch.tensor(39_100)
    return state


def saved(tensors: dict[str, torch.Tensor]) -> bytes:
    """Return the bytes that torch.save writes."""
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def measure(strategy: str) -> tuple[dict[str, object], PackReport]:
    """One row, and the report of packing."""
    state = checkpoint(strategy)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable")
    dense = saved(pemncodec.load(data))
    row: dict[str, object] = {
        "strategy": strategy,
        "found": report.findings[0],
        **{name.replace(" ", "_"): size for name, size in report.sizes.parts()},
        "pemn": len(data),
        "dense_torch_save": len(dense),
        "dense_zstd19": len(zstandard.ZstdCompressor(level=19).compress(dense)),
        "dense_xz": len(lzma.compress(dense, preset=9)),
        "checkpoint_with_scores": len(saved(state)),
    }
    return row, report


def plot(rows: list[dict[str, object]], reports: list[PackReport], path: Path) -> None:
    """Stacked bars by part, with the dense weights under xz as marks."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    colors = ["#3b6ea5", "#e08e45", "#c9543f", "#8aa65c", "#777777"]
    figure, axes = pyplot.subplots(figsize=(8.5, 3.8), layout="constrained")
    left = [0.0] * len(rows)
    for part, color in zip(range(5), colors, strict=True):
        name = reports[0].sizes.parts()[part][0]
        widths = [report.sizes.parts()[part][1] / 1000 for report in reports]
        axes.barh(range(len(rows)), widths, left=left, color=color, label=name, height=0.6)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    xz = [int(str(row["dense_xz"])) / 1000 for row in rows]
    axes.plot(xz, range(len(rows)), "D", color="black", markersize=5, label="xz -9 of the dense weights")
    for index, total in enumerate(left):
        axes.text(total + 8, index + 0.34, f"{total:,.0f} kB", va="bottom", fontsize=8)
    axes.set_xlim(0, 1150)
    axes.set_yticks(range(len(rows)), [str(row["strategy"]) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("kB")
    dense = int(str(rows[0]["dense_torch_save"])) / 1000
    title = (
        f"ConvMixer {WIDTH}/{DEPTH}, keep 0.5: a .pemn file by part (torch.save of the dense weights: {dense:,.0f} kB)"
    )
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure every strategy, print the rows, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    measured = [measure(strategy) for strategy in STRATEGIES]
    for row, _ in measured:
        print(json.dumps(row))
    if arguments.plot:
        plot([row for row, _ in measured], [report for _, report in measured], arguments.plot)


if __name__ == "__main__":
    main()
