"""The rows as Markdown: a summary, then one table a network."""

from __future__ import annotations

from experiments.rows import Row, grouped, number

PEMN = "pemn"
# What a file of pemn may be, in multiples of the floor; the second for files below SMALL.
BAR, SMALL_BAR, SMALL = 1.02, 1.05, 20_000


def bar(size: float) -> float:
    """The most that a file of pemn of this size should be of the floor."""
    return SMALL_BAR if size < SMALL else BAR


def measured(rows: list[Row]) -> list[Row]:
    """Those with bytes that came back exactly."""
    return [row for row in rows if "bytes" in row and row["exact"]]


def findings(rows: list[Row]) -> list[str]:
    """Return a line for each peer that is not exact or no larger than pemn, and each network above its bar."""
    lines = []
    for network, group in grouped(rows, lambda row: row["network"]).items():
        for row in group:
            if "bytes" in row and not row["exact"]:
                lines.append(f"{network}: {row['peer']} does not give back the same bits")
        own = next((row for row in measured(group) if row["peer"] == PEMN), None)
        if own is None:
            continue
        for row in measured(group):
            if row is not own and number(row, "bytes") <= number(own, "bytes"):
                lines.append(f"{network}: {row['peer']} takes {row['bytes']:,} B, pemn {own['bytes']:,} B")
        ratio, most = number(own, "of_floor"), bar(number(own, "bytes"))
        if ratio > most:
            where = ", ".join(f"{part} {own[f'pemn_{part}']:,}" for part in PARTS if f"pemn_{part}" in own)
            below = ", ".join(f"{part} {own[f'floor_{part}']:,}" for part in PARTS)
            lines.append(
                f"{network}: pemn is {ratio:.3f} × the floor, above {most} (file: {where}; floor: {below}; "
                f"{own['of_strict_floor']:.3f} × the strict floor)"
            )
    return lines


PARTS = ("masks", "prototypes", "kept", "tensors", "rest")


def summary(rows: list[Row]) -> list[str]:
    """One line a network: the floor, pemn, the best of the others."""
    lines = [
        "| network | weights | floor, B | pemn, B | × floor | × strict | best other | × pemn | torch.save × pemn | "
        "load, × torch.load |",
        "| --- " * 10 + "|",
    ]
    for network, group in grouped(rows, lambda row: row["network"]).items():
        by = {row["peer"]: row for row in measured(group)}
        own = by.pop(PEMN, None)
        if own is None:
            lines.append(f"| {network} | " + " | ".join([str(group[0].get("not_measured", "—"))] + ["—"] * 8) + " |")
            continue
        size = number(own, "bytes")
        best = min(by.values(), key=lambda row: number(row, "bytes"), default=own)
        dense = by.get("torch.save")
        cells = [
            f"{own['weights']:,}",
            f"{own['floor']:,}",
            f"{own['bytes']:,}",
            f"{own['of_floor']:.3f}",
            f"{own['of_strict_floor']:.3f}",
            str(best["peer"]),
            f"{number(best, 'bytes') / size:.3f}",
            f"{number(dense, 'bytes') / size:.1f}" if dense else "—",
            f"{own['load_of_torch']:.2f}" if "load_of_torch" in own else "—",
        ]
        lines.append(f"| {network} | " + " | ".join(cells) + " |")
    return lines


def table(rows: list[Row]) -> list[str]:
    """The summary, what is not as it should be, and every network."""
    lines = summary(rows)
    found = findings(rows)
    lines += (
        ["", *(f"- {line}" for line in found)] if found else ["", "pemn is the smallest everywhere, within its bars."]
    )
    for network, group in grouped(rows, lambda row: row["network"]).items():
        lines += ["", f"### {network}", "", *about(group[0])]
        if "peer" not in group[0]:
            continue
        lines += ["| format | bytes | × floor | pack, s | load, s | × torch.load | peak, MB |", "| --- " * 7 + "|"]
        ordered = sorted(group, key=lambda row: number(row, "bytes") if "bytes" in row else float("inf"))
        lines += [line(row) for row in ordered]
    return lines


def about(row: Row) -> list[str]:
    """Return lines on a network and its floor by part, or on why it was not measured."""
    if "floor" not in row:
        return [str(row["not_measured"])]
    origin = str(row["origin"])
    origin = origin[0].upper() + origin[1:]
    if "epochs" in row:
        origin += f" ({row['training_images']} images, {row['epochs']} epochs)"
    accuracy = f", accuracy {row['accuracy']} %" if "accuracy" in row else ""
    parts = ", ".join(f"{part} {row[f'floor_{part}']:,}" for part in PARTS)
    return [
        f"{origin}{accuracy}; {row['weights']:,} weights under masks, {row['dense_bytes']:,} B dense. "
        f"Floor {row['floor']:,} B ({parts}; strict {row['floor_strict']:,}). "
        f"{row['threads']} threads, medians of {row['packs']} packs and {row['loads']} loads.",
        "",
    ]


def line(row: Row) -> str:
    """A peer."""
    if "bytes" not in row:
        return f"| {row['peer']} | {row['not_measured']} | | | | | |"
    name = f"**{row['peer']}**" if row["peer"] == PEMN else str(row["peer"])
    name += "" if row["exact"] else " (not exact)"
    peak = f"{number(row, 'peak_bytes') / 1e6:.1f}" if "peak_bytes" in row else "—"
    ratio = f"{row['load_of_torch']:.2f}" if "load_of_torch" in row else "—"
    cells = [f"{row['bytes']:,}", f"{row['of_floor']:.3f}", f"{row['pack_s']:.3f}", f"{row['load_s']:.4f}", ratio, peak]
    return f"| {name} | " + " | ".join(cells) + " |"
