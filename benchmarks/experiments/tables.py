"""Tables in Markdown, from rows alone."""

from __future__ import annotations

from .rows import Row, caption, grouped, mean, number


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
