"""Accuracy against bytes: masked random networks beside pruned ones (PEMN, section 4.2), counted twice.

A CIFAR ResNet at several widths. PEMN's own frontier is width × fraction kept × share of zeros; pruned networks lose 90
to 98 % of their weights, by magnitude halfway through training, or at random before it. One JSON row a run, a plot and
a table of the rows. Bytes by formula (see `experiments/counting.py`), and as the `.pemn` file that the network takes,
in which pruned networks have their masks entropy-coded too. Accuracy is that of the network that comes out of the file.

    python benchmarks/compression.py smoke
    python benchmarks/compression.py cpu --data CIFAR
    python benchmarks/compression.py paper --data CIFAR

A run that has a row is not done again; one that was interrupted goes on after its last epoch. Without --data the
packaged digits are learned. `smoke` takes seconds, `cpu` less than three hours on two cores, `paper` wants a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from experiments import pictures, runner, tables
from experiments.command import Preset, parse
from experiments.settings import Architecture, Recipe, Setting

RATIO = 1e-2
PRUNED = (0.9, 0.95, 0.98)
# Fraction kept and share of zeros: 1, 0.72, 0.5, 0.36 and 0.25 bits a weight.
FRONTIER = ((0.5, 0.0), (0.2, 0.0), (0.5, 0.5), (0.2, 0.5), (0.5, 0.75))


def masked(architecture: Architecture, frontier: Iterable[tuple[float, float]]) -> Iterator[Setting]:
    """PEMN with a random vector at points of the frontier."""
    for keep, zeros in frontier:
        yield Setting(architecture, "masked", "random-vector", RATIO, keep, zeros)


def pruned(architecture: Architecture) -> Iterator[Setting]:
    """The network dense, and pruned in both ways."""
    yield Setting(architecture, "dense")
    for method in ("magnitude", "random"):
        for fraction in PRUNED:
            yield Setting(architecture, method, pruned=fraction)


def preset(name: str) -> Preset:
    """The networks, and how long they learn. `paper` has the depths of the paper's figure."""
    if name == "smoke":
        narrow, wide = Architecture("resnet", 4, 8, patch=1), Architecture("resnet", 8, 8, patch=1)
        points = [*masked(narrow, FRONTIER[:1]), *masked(wide, FRONTIER), *pruned(wide)]
        return Preset([(setting, Recipe(epochs=6, batch=64, rate=0.02)) for setting in points])
    if name == "cpu":
        narrow, middle, wide = (Architecture("resnet", width, 8, patch=2) for width in (16, 32, 48))
        points = [
            *masked(narrow, FRONTIER[:1]),
            *masked(middle, [point for point in FRONTIER if point != (0.2, 0.5)]),
            *masked(wide, FRONTIER[-1:]),
            *pruned(narrow),
            *pruned(middle),
        ]
        return Preset([(setting, Recipe(epochs=3)) for setting in points])
    points = []
    for depth in (32, 56):
        widths = [Architecture("resnet", width, depth, patch=1) for width in (16, 32, 64)]
        points += [*masked(widths[0], FRONTIER), *masked(widths[1], FRONTIER), *masked(widths[2], FRONTIER[2:])]
        points += [*pruned(widths[0]), *pruned(widths[1])]
    return Preset([(setting, Recipe(epochs=200)) for setting in points])


def main() -> None:
    """Run what is left, draw, and print the table."""
    command = parse("compression", __doc__)
    runs = preset(command.preset).runs("compression", command.preset, command.seeds)
    rows = runner.run_all(runs, command.data, command.rows, command.jobs, command.limit)
    pictures.compression(rows, command.plot)
    print("\n".join(tables.compression(rows) + tables.equal_accuracy(rows)))


if __name__ == "__main__":
    main()
