"""The command line that both experiments share."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from .runner import Run
from .settings import Recipe, Setting

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Preset:
    """A size of an experiment.

    Attributes:
        points: its settings, in the order of the runs, and how each is trained.
        seeds: how often.
    """

    points: list[tuple[Setting, Recipe]]
    seeds: int = 2

    def runs(self, experiment: str, name: str, seeds: int | None) -> list[Run]:
        """Every point with every seed, all points of one seed first."""
        return [
            Run(experiment, name, setting, seed, recipe)
            for seed in range(seeds or self.seeds)
            for setting, recipe in self.points
        ]


@dataclass(frozen=True)
class Command:
    """The arguments of the command line."""

    preset: str
    data: Path | None
    seeds: int | None
    jobs: int
    rows: Path
    plot: Path
    limit: int | None


def parse(experiment: str, description: str | None) -> Command:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("preset", choices=("smoke", "cpu", "paper"), help="size of the experiment")
    parser.add_argument("--data", type=Path, help="CIFAR-10: .npz of JPEG streams, python batches; default: digits")
    parser.add_argument("--seeds", type=int, help="runs of every setting")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time (default: one a core)")
    parser.add_argument("--rows", type=Path, help=f"default: benchmarks/results/{experiment}-PRESET.jsonl")
    parser.add_argument("--plot", type=Path, help="default: beside the rows, .png")
    parser.add_argument("--limit", type=int, help="stop after so many runs; 0 only draws")
    given = parser.parse_args()
    rows = given.rows or RESULTS / f"{experiment}-{given.preset}.jsonl"
    plot = given.plot or rows.with_suffix(".png")
    return Command(given.preset, given.data, given.seeds, given.jobs, rows, plot, given.limit)
