"""The two plots, from rows alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from .runner import Row

COLOURS = {
    "dense": "0.35",
    "full": "tab:blue",
    "one-layer": "tab:green",
    "max-layer": "tab:purple",
    "random-vector": "tab:red",
}


def grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> dict[Any, list[Row]]:
    """Rows by key, in the order of their first."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def number(row: Row, field: str) -> float:
    """A numeric field."""
    value = row[field]
    assert isinstance(value, (int, float))
    return float(value)


def mean(rows: list[Row], field: str) -> float:
    """Mean of a field over seeds."""
    return statistics.fmean(number(row, field) for row in rows)


def _spread(axes: Axes, rows: list[Row], x: float, **style: Any) -> None:
    """The mean over seeds as a mark, and least and greatest as a bar."""
    accuracies = [number(row, "accuracy") for row in rows]
    middle = statistics.fmean(accuracies)
    axes.errorbar([x], [middle], [[middle - min(accuracies)], [max(accuracies) - middle]], capsize=3, **style)


def caption(rows: list[Row]) -> str:
    """What a picture has to say about its runs."""

    def values(field: str) -> str:
        return ", ".join(dict.fromkeys(str(row[field]) for row in rows))

    return (
        f"{values('data')}, preset {values('preset')}, {values('epochs')} epochs, seeds {values('seed')}, "
        f"commit {values('commit')}"
    )


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


def _write(figure: Any, path: Path) -> None:
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)
    print(f"drawn: {path}")
