"""Tables in Markdown, from rows alone."""

from __future__ import annotations

import math
from itertools import pairwise

from .rows import Row, caption, frontier, grouped, mean, number


def _accuracy(rows: list[Row]) -> str:
    values = [number(row, "accuracy") for row in rows]
    return f"{mean(rows, 'accuracy'):.1f} ({min(values):.1f} to {max(values):.1f})"


def compression(rows: list[Row]) -> list[str]:
    """Every setting with its accuracy and both sizes, smallest file first."""
    if not rows:
        return []
    lines = [
        f"{caption(rows)}; mean over seeds (least to greatest).",
        "",
        "| network | setting | accuracy, % | `.pemn` bytes | bytes by formula |",
        "| --- | --- | --- | --- | --- |",
    ]
    groups = grouped(rows, lambda row: (row["network"], row["setting"]))
    for (network, setting), seeds in sorted(groups.items(), key=lambda group: mean(group[1], "pemn_bytes")):
        sizes = [f"{mean(seeds, field):,.0f}" for field in ("pemn_bytes", "formula_bytes")]
        lines.append(f"| {network} | {setting} | {_accuracy(seeds)} | {sizes[0]} | {sizes[1]} |")
    return lines


def representation(rows: list[Row]) -> list[str]:
    """Every setting with its distinct values and accuracy, a table a network."""
    if not rows:
        return []
    lines = [f"{caption(rows)}; mean over seeds (least to greatest)."]
    for network, group in grouped(rows, lambda row: row["network"]).items():
        lines += ["", f"| {network} | distinct values | accuracy, % | `.pemn` bytes |", "| --- | --- | --- | --- |"]
        for setting, seeds in grouped(group, lambda row: row["setting"]).items():
            values = f"{mean(seeds, 'values'):,.0f}" if seeds[0]["method"] == "masked" else "—"
            lines.append(f"| {setting} | {values} | {_accuracy(seeds)} | {mean(seeds, 'pemn_bytes'):,.0f} |")
    return lines


def equal_accuracy(rows: list[Row]) -> list[str]:
    """Return Markdown tables of the bytes that pruned networks take at the accuracy of each masked one on the frontier.

    Between two points of a frontier the logarithm of the bytes is interpolated; beyond its ends the cell is a dash.
    """
    methods = {"magnitude": "magnitude pruning", "random": "random pruning"}
    fields = {"pemn_bytes": "`.pemn` bytes", "formula_bytes": "bytes by formula"}
    lines = []
    for field, title in fields.items():
        fronts = {method: _front(rows, method, field) for method in ("masked", *methods)}
        if not all(fronts.values()):
            continue
        lines += ["", f"| accuracy, % | PEMN, {title} | " + " | ".join(methods.values()) + " |", "| --- " * 4 + "|"]
        for size, accuracy in fronts["masked"]:
            others = [_bytes_at(fronts[method], accuracy) for method in methods]
            cells = ["—" if other is None else f"{other:,.0f} ({other / size:.2f} ×)" for other in others]
            lines.append(f"| {accuracy:.1f} | {size:,.0f} | {' | '.join(cells)} |")
    return lines


def _front(rows: list[Row], method: str, field: str) -> list[tuple[float, float]]:
    group = [row for row in rows if row["method"] == method]
    points = grouped(group, lambda row: (row["network"], row["setting"])).values()
    return frontier([(mean(seeds, field), mean(seeds, "accuracy")) for seeds in points])


def _bytes_at(front: list[tuple[float, float]], accuracy: float) -> float | None:
    for (less, low), (more, high) in pairwise(front):
        if low <= accuracy <= high:
            share = (accuracy - low) / (high - low)
            return math.exp(math.log(less) + share * (math.log(more) - math.log(less)))
    return None
