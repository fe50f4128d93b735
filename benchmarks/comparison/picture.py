"""The picture: bytes in multiples of the floor, a panel a network, pemn in colour."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from experiments.rows import Row, grouped, number
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .table import PEMN, measured

# What is drawn, and how it is called there; safetensors stands for torch.save, which is a little larger.
SHOWN = {
    PEMN: "pemn",
    "bit masks + prototype, zstd -22": "bit masks + zstd -22",
    "NNCodec masks + prototype": "NNCodec masks",
    "safetensors + xz -9e": "safetensors + xz -9e",
    "safetensors + zstd -19": "safetensors + zstd -19",
    "compressed-tensors bitmask": "compressed-tensors",
    "zipnn (safetensors)": "zipnn",
    "CSR in torch.save": "CSR",
    "safetensors": "safetensors",
}
LEFT_OUT = "no seed"  # these panels would look like those with a seed
COLUMNS = 3
LEFT, MOST = 0.75, 75.0


def draw(rows: list[Row], path: Path) -> None:
    """Write the picture."""
    groups = {str(name): group for name, group in grouped(rows, lambda row: row["network"]).items() if measured(group)}
    groups = {name: group for name, group in groups.items() if LEFT_OUT not in name}
    count = -(-len(groups) // COLUMNS)
    figure, grid = plt.subplots(
        count, COLUMNS, figsize=(9.6, 2.05 * count + 0.6), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    panels = list(grid.flat)
    for index, (axes, (network, group)) in enumerate(zip(panels, groups.items(), strict=False)):
        panel(axes, network, group)
        axes.tick_params(labelbottom=index + COLUMNS >= len(groups))
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    figure.suptitle(
        "File size in multiples of the information floor (dashed; its size stands above each panel), log scale",
        fontsize=11,
    )
    figure.savefig(path, dpi=140)
    plt.close(figure)


def panel(axes: Axes, network: str, group: list[Row]) -> None:
    """One network."""
    by = {str(row["peer"]): row for row in group}
    exact = {str(row["peer"]) for row in measured(group)}
    for place, peer in enumerate(SHOWN):
        own = peer == PEMN
        if peer in exact:
            ratio = number(by[peer], "of_floor")
            axes.barh(place, ratio - LEFT, left=LEFT, height=0.72, color="#c9543f" if own else "#b7c4d1")
            text = f"{ratio:.3f}" if own else f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.1f}"
            weight = "bold" if own else "normal"
            axes.text(max(ratio, 1) * 1.07, place, text, va="center", fontsize=8, fontweight=weight)
        else:
            reason = str(by.get(peer, {}).get("not_measured", "")).split(":")[0] or "absent"
            axes.text(1.07, place, reason, va="center", fontsize=8, color="0.45", style="italic")
    axes.axvline(1, color="0.2", linewidth=1, linestyle=(0, (3, 2)))
    axes.set_xscale("log")
    axes.set_xlim(LEFT, MOST)
    axes.set_ylim(len(SHOWN) - 0.4, -0.6)
    axes.set_yticks(range(len(SHOWN)), list(SHOWN.values()))
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ×"))
    axes.tick_params(labelsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title(network, group), fontsize=8.5, loc="left")


def title(network: str, group: list[Row]) -> str:
    """The network, how it is masked, and its floor, on two lines."""
    floor = number(next(row for row in group if "floor" in row), "floor")
    amount = f"{floor / 1e6:.1f} MB" if floor >= 1e6 else f"{floor / 1e3:.1f} kB"
    first, _, second = network.partition(", ")
    return f"{first}\n{second}: {amount}"
