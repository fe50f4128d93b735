"""The command line that both experiments share, and the runs that it asks for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .rows import Row
from .settings import Recipe, Setting

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Run:
    """A setting with a seed, and everything that its row says about it."""

    experiment: str
    preset: str
    setting: Setting
    seed: int
    recipe: Recipe

    def identity(self, images: str) -> Row:
        """The fields of the row that name the run; two rows of one experiment differ in them."""
        setting = self.setting
        return {
            "experiment": self.experiment,
            "preset": self.preset,
            "data": images,
            "network": setting.architecture.name,
            "setting": setting.name,
            **asdict(setting.architecture),
            **{name: value for name, value in asdict(setting).items() if name != "architecture"},
            "seed": self.seed,
            **asdict(self.recipe),
        }


@dataclass(frozen=True)
class Preset:
    """A size of an experiment.

    Attributes:
        points: its settings, in the order of the runs, and how each is trained.
        seeds: how often.
        first: seeds and points that come before all others, in this order; points without seeds come with all.
    """

    points: list[tuple[Setting, Recipe]]
    seeds: int = 2
    first: Sequence[tuple[tuple[int, ...], list[tuple[Setting, Recipe]]]] = ()

    def runs(self, experiment: str, name: str, seeds: int | None) -> list[Run]:
        """Every point with every seed, all points of one seed first, behind those of `first`."""
        every = tuple(range(seeds or self.seeds))
        blocks = [*self.first, *(((seed,), self.points) for seed in every)]
        runs = [
            Run(experiment, name, setting, seed, recipe)
            for chosen, points in blocks
            for seed in (chosen or every)
            for setting, recipe in points
            if seed in every
        ]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Command:
    """The arguments of the command line."""

    experiment: str
    preset: str
    data: Path | None
    seeds: int | None
    jobs: int
    rows: Path
    plot: Path
    limit: int | None
    state: Path | None
    check: bool

    @property
    def text(self) -> str:
        """The command in a row, without paths of this machine."""
        seeds = "" if self.seeds is None else f" --seeds {self.seeds}"
        return f"python benchmarks/{self.experiment}.py {self.preset}{seeds}{' --data CIFAR' if self.data else ''}"


PRESETS = ("smoke", "cpu", "paper")


def parse(experiment: str, description: str | None, presets: tuple[str, ...] = PRESETS) -> Command:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("preset", choices=presets, help="size of the experiment")
    parser.add_argument("--data", type=Path, help="CIFAR-10: .npz of JPEG streams, python batches; default: digits")
    parser.add_argument("--seeds", type=int, help="runs of every setting")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time (default: one a core)")
    parser.add_argument("--rows", type=Path, help=f"default: benchmarks/results/{experiment}-PRESET.jsonl")
    parser.add_argument("--plot", type=Path, help="default: beside the rows, .png")
    parser.add_argument("--limit", type=int, help="stop after so many runs; 0 only draws")
    parser.add_argument("--state", type=Path, help="folder of unfinished runs (default: beside the rows)")
    parser.add_argument("--check", action="store_true", help="only one step of every setting, and its file")
    given = parser.parse_args()
    rows = given.rows or RESULTS / f"{experiment}-{given.preset}.jsonl"
    plot = given.plot or rows.with_suffix(".png")
    return Command(
        experiment, given.preset, given.data, given.seeds, given.jobs, rows, plot, given.limit, given.state, given.check
    )
