"""Points, tables and the picture of the presets `medium` and `long`: accuracy for bytes, from rows alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

from .rows import Row, caption, grouped, mean, number

PAPER = "random vector 1e-2, lossless"


@dataclass(frozen=True)
class Point:
    """A network in one kind of file, over its seeds.

    Attributes:
        method: a line of the picture.
        label: network, setting and file.
        size: mean bytes.
        accuracies: one a seed, in percent.
    """

    method: str
    label: str
    size: float
    accuracies: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.accuracies)

    @property
    def spread(self) -> str:
        """Mean, least and greatest."""
        return f"{self.accuracy:.1f} ({min(self.accuracies):.1f} to {max(self.accuracies):.1f})"


# Methods, each with a colour.
COLOURS = {
    PAPER: "black",
    "random vector 1e-2": "0.5",
    "signed constants": "tab:red",
    "masks of signs": "tab:orange",
    "ternary": "plum",
    "ternary, by shape, annealed": "tab:purple",
    "the same, 2 coats": "indigo",
    "trained vector": "tab:pink",
    "several coats": "goldenrod",
    "other masks": "tab:olive",
    "pruned, float32 or bfloat16": "tab:cyan",
    "pruned, 8 bits": "tab:green",
    "pruned, 4 bits": "tab:blue",
    "dense, 8 or 4 bits": "tab:brown",
}


def _masked_method(row: Row) -> str:
    if row.get("annealed") and row["sampler"] == "ternary":
        return "ternary, by shape, annealed" if row["coats"] == 1 else "the same, 2 coats"
    if row.get("coats", 1) != 1:
        return "several coats"
    if row["sampler"] == "ternary":
        return "ternary"
    if row["trained"]:
        return "trained vector"
    if row["zero"] == "negated":
        return "masks of signs"
    if row["strategy"] == "full" and row["init"] == "signed-constant" and row["sampler"] == "edge-popup":
        return "signed constants"
    if row["strategy"] == "random-vector" and row["init"] == "kaiming-normal" and not row["rescale"]:
        return "random vector 1e-2"
    return "other masks"


def is_paper(row: Row) -> bool:
    """Return whether a row is of the paper's setting: a random vector of normal values."""
    return row["method"] == "masked" and _masked_method(row) == "random vector 1e-2" and row["keep"] == 0.5


def points(rows: Iterable[Row]) -> list[Point]:
    """Return a point for each network and kind of file; the inference profile is what lines are made of."""
    found: list[Point] = []
    for (network, setting), seeds in grouped(rows, lambda row: (row["network"], row["setting"])).items():
        first = seeds[0]
        for title, method in _titles(first).items():
            files = [row["files"][title] for row in seeds]  # type: ignore[index]
            accuracies = tuple(float(each["accuracy"]) for each in files)
            size = statistics.fmean(float(each["bytes"]) for each in files)
            found.append(Point(method, f"{network}, {setting}: {title}", size, accuracies))
    return found


def _titles(row: Row) -> dict[str, str]:
    """The files of a row that are a point, and the method of each."""
    if row["method"] == "masked":
        own = {"inference": _masked_method(row)}
        return {**own, "lossless": PAPER} if is_paper(row) else own
    if row["method"] == "dense":
        return {f"{bits} bits, inference": "dense, 8 or 4 bits" for bits in (8, 4)}
    if row["method"] == "random":
        return {}
    kinds = {f"{bits} bits, inference": f"pruned, {bits} bits" for bits in (8, 4)}
    return {"inference": "pruned, float32 or bfloat16", **kinds}


def frontier(given: Iterable[Point]) -> list[Point]:
    """The points that no smaller one reaches in accuracy."""
    front: list[Point] = []
    for point in sorted(given, key=lambda each: (each.size, -each.accuracy)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front


def table(rows: list[Row]) -> list[str]:
    """Every setting with its files, smallest first."""
    if not rows:
        return []
    lines = [
        f"{caption(rows)}; mean over seeds (least to greatest).",
        "",
        "| network | setting | seeds | lossless, B | accuracy, % | inference, B | accuracy, % | 4 bits, B "
        "| accuracy, % | the paper's count, B |",
        "| --- " * 10 + "|",
    ]
    groups = grouped(rows, lambda row: (row["network"], row["setting"]))
    for (network, setting), seeds in sorted(groups.items(), key=lambda each: _size(each[1], "inference")):
        cells = [str(network), str(setting), str(len(seeds))]
        for title in ("lossless", "inference", "4 bits, inference"):
            if title in seeds[0]["files"]:  # type: ignore[operator]
                spread = Point("", "", 0, tuple(float(row["files"][title]["accuracy"]) for row in seeds)).spread  # type: ignore[index]
                cells += [f"{_size(seeds, title):,.0f}", spread]
            else:
                cells += ["—", "—"]
        lines.append("| " + " | ".join([*cells, f"{mean(seeds, 'paper_bytes'):,.0f}"]) + " |")
    return lines


def _size(seeds: list[Row], title: str) -> float:
    return statistics.fmean(float(row["files"][title]["bytes"]) for row in seeds)  # type: ignore[index]


def against(rows: list[Row]) -> list[str]:
    """Return, for each file of others that no smaller one reaches, the smallest masked one that does; as Markdown."""
    every = points(rows)
    pruned = [point for point in every if point.method.startswith("pruned")]
    masks = [point for point in every if not point.method.startswith(("pruned", "dense")) and point.method != PAPER]
    lines = [
        "| file | bytes | accuracy, % | smallest masked file as accurate | bytes | accuracy, % |",
        "| --- " * 6 + "|",
    ]
    for group in ([point for point in every if point.method == PAPER], pruned):
        for point in frontier(group):
            found = [mask for mask in frontier(masks) if mask.accuracy >= point.accuracy]
            cells = [point.label, f"{point.size:,.0f}", point.spread]
            if found:
                share = f"{found[0].size:,.0f} ({found[0].size / point.size:.2f} ×)"
                cells += [found[0].label, share, found[0].spread]
            else:
                cells += ["none", "—", "—"]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def picture(rows: list[Row], path: Path) -> None:
    """Accuracy against bytes: a colour a method, a bar for the spread over seeds, a line for what nothing beats."""
    if not rows:
        return
    figure, axes = plt.subplots(figsize=(11, 5.6))
    every = points(rows)
    for method, colour in COLOURS.items():
        group = [point for point in every if point.method == method]
        if not group:
            continue
        style: dict[str, Any] = {"color": colour, "marker": "s" if method.startswith(("pruned", "dense")) else "o"}
        for point in group:
            middle = point.accuracy
            bar = [[middle - min(point.accuracies)], [max(point.accuracies) - middle]]
            axes.errorbar([point.size], [middle], bar, capsize=3, ls="none", ms=5, **style)
        front = frontier(group)
        dashes = "--" if method.startswith(("pruned", "dense")) else "-"
        axes.plot([p.size for p in front], [p.accuracy for p in front], dashes, lw=1.2, ms=5, label=method, **style)
    axes.set(
        xscale="log", xlabel="bytes of the file (inference profile, where not lossless)", ylabel="test accuracy, %"
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size / 1000:g} kB"))
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda size, _: f"{size / 1000:g} kB" if f"{size:.0f}"[0] in "235" else "")
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    axes.set_title(caption(rows), fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)
    print(f"drawn: {path}")


def equal_bytes(rows: list[Row]) -> list[str]:
    """Return the difference of each masked setting from the paper's of the same network, seed by seed, as Markdown."""
    lines = ["| network | setting | seeds | bytes, the paper's | bytes | points more (each seed) |", "| --- " * 6 + "|"]
    for network, group in grouped(rows, lambda row: row["network"]).items():
        base = {row["seed"]: row for row in group if is_paper(row)}
        others = [row for row in group if row["method"] == "masked" and not is_paper(row) and row["seed"] in base]
        for setting, seeds in grouped(others, lambda row: row["setting"]).items():
            gains = [number(row, "accuracy") - number(base[row["seed"]], "accuracy") for row in seeds]
            sizes = [mean([base[row["seed"]] for row in seeds], "pemn_bytes"), mean(seeds, "pemn_bytes")]
            each = ", ".join(f"{gain:+.1f}" for gain in gains)
            cells = [str(network), str(setting), str(len(seeds)), *(f"{size:,.0f}" for size in sizes)]
            lines.append("| " + " | ".join([*cells, f"{statistics.fmean(gains):+.1f} ({each})"]) + " |")
    return lines if len(lines) > 2 else []
