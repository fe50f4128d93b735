"""The two plots, from rows alone."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from .rows import Row, caption, frontier, grouped, mean, number

COLOURS = {
    "dense": "0.35",
    "full": "tab:blue",
    "one-layer": "tab:green",
    "max-layer": "tab:purple",
    "random-vector": "tab:red",
}


def _spread(axes: Axes, rows: list[Row], x: float, **style: Any) -> None:
    """The mean over seeds as a mark, and least and greatest as a bar."""
    accuracies = [number(row, "accuracy") for row in rows]
    middle = statistics.fmean(accuracies)
    axes.errorbar([x], [middle], [[middle - min(accuracies)], [max(accuracies) - middle]], capsize=3, **style)


def representation(rows: list[Row], path: Path) -> None:
    """Accuracy against distinct values, a panel a network; the dense network and the full mask as levels."""
    if not rows:
        return
    networks = grouped(rows, lambda row: row["network"])
    figure, panels = plt.subplots(1, len(networks), figsize=(5.2 * len(networks), 4.2), squeeze=False)
    for axes, (name, group) in zip(panels[0], networks.items(), strict=True):
        points = grouped(group, lambda row: row["setting"])
        line: list[tuple[float, float]] = []
        for setting, seeds in points.items():
            kind = str(seeds[0]["strategy"]) or "dense"
            if kind == "dense":
                axes.axhline(mean(seeds, "accuracy"), color=COLOURS[kind], ls=":", label="dense, trained weights")
                continue
            x = mean(seeds, "values")
            label = None if kind == "random-vector" and line else str(setting).split(",")[0].split(" 1e")[0]
            _spread(axes, seeds, x, color=COLOURS[kind], marker="o", ls="none", label=label)
            if kind == "random-vector":
                line.append((x, mean(seeds, "accuracy")))
        axes.plot(*zip(*sorted(line), strict=True), color=COLOURS["random-vector"], lw=1)
        axes.set(xscale="log", title=name, xlabel="distinct random values in the network")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel("test accuracy, %")
    panels[0][-1].legend(fontsize=8)
    figure.text(0.5, 0.01, caption(rows), fontsize=8, ha="center")
    _write(figure, path)


_METHODS = {"masked": "tab:red", "magnitude": "tab:blue", "random": "tab:green", "dense": "0.35"}
_LABELS = {
    "masked": "PEMN: width × keep × zeros",
    "magnitude": "magnitude pruning",
    "random": "random pruning",
    "dense": "dense",
}
_MARKERS = ("o", "s", "^", "D", "v")


def compression(rows: list[Row], path: Path) -> None:
    """Accuracy against bytes, by formula and as files; a colour a method, a mark a network; what nothing beats is
    joined by a line."""
    if not rows:
        return
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    markers = dict(zip(dict.fromkeys(str(row["network"]) for row in rows), _MARKERS, strict=False))
    titles = {"formula_bytes": "bytes by formula", "pemn_bytes": "bytes of the .pemn file"}
    for axes, (field, title) in zip(panels, titles.items(), strict=True):
        for method, group in grouped(rows, lambda row: row["method"]).items():
            points = grouped(group, lambda row: (row["network"], row["setting"]))
            for (network, _), seeds in points.items():
                _spread(axes, seeds, mean(seeds, field), color=_METHODS[method], marker=markers[network], ls="none")
            front = frontier([(mean(seeds, field), mean(seeds, "accuracy")) for seeds in points.values()])
            axes.plot(*zip(*front, strict=True), color=_METHODS[method], lw=1, label=_LABELS[method])
        axes.set(xscale="log", xlabel=title)
        for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            axis(FuncFormatter(lambda size, _: f"{size / 1000:g} kB" if f"{size:.0f}"[0] in "125" else ""))
        axes.grid(alpha=0.3, which="both")
    for network, marker in markers.items():
        panels[0].plot([], [], color="0.5", marker=marker, ls="none", label=network)
    panels[0].set_ylabel("test accuracy, %")
    panels[0].legend(fontsize=8)
    figure.text(0.5, 0.01, caption(rows), fontsize=8, ha="center")
    _write(figure, path)


def _write(figure: Any, path: Path) -> None:
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)
    print(f"drawn: {path}")
