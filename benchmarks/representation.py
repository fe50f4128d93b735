"""Accuracy against the number of distinct random values: what masks alone can learn (PEMN, section 4.1).

A ConvMixer and a ViT, dense and masked with every strategy of the paper. One JSON row a run, and a plot of the rows.

    python benchmarks/representation.py smoke
    python benchmarks/representation.py cpu --data CIFAR
    python benchmarks/representation.py paper --data CIFAR

A run that has a row is not done again; one that was interrupted goes on after its last epoch. Without --data the
packaged digits are learned. `smoke` takes seconds, `cpu` less than three hours on two cores, `paper` wants a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator

from experiments import pictures, runner, tables
from experiments.command import Preset, parse
from experiments.settings import Architecture, Recipe, Setting

RATIOS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
KEEP = 0.5


def settings(architecture: Architecture, largest: int) -> Iterator[Setting]:
    """The rows of the paper's figure.

    Args:
        architecture: the network.
        largest: weights of its largest layer. Ratios that give as many values as a greater one are left out: they
            would be the same network.
    """
    yield Setting(architecture, "dense")
    for strategy in ("full", "one-layer", "max-layer"):
        yield Setting(architecture, "masked", strategy, keep=KEEP)
    lengths: set[int] = set()
    for ratio in RATIOS:
        length = int(largest * ratio) + 1
        if length not in lengths:
            lengths.add(length)
            yield Setting(architecture, "masked", "random-vector", ratio, KEEP)


def preset(name: str) -> Preset:
    """The networks, and how long they learn.

    `cpu` has small networks and few epochs, so that two seeds of everything fit in three hours. `paper` has the widths
    and depths of the paper's figure.
    """
    if name == "smoke":
        mixer, vit = Architecture("convmixer", 32, 2, 3, 2), Architecture("vit", 32, 2, patch=2)
        recipes = (Recipe(epochs=8, batch=64, rate=0.02),) * 2
    elif name == "cpu":
        mixer, vit = Architecture("convmixer", 96, 4, 5, 4), Architecture("vit", 96, 4, patch=8)
        recipes = (Recipe(epochs=4), Recipe(epochs=4, rate=0.003))
    else:
        mixer, vit = Architecture("convmixer", 256, 6, 8, 2), Architecture("vit", 256, 6, patch=4, heads=8)
        recipes = (Recipe(epochs=100), Recipe(epochs=100, rate=0.001))
    chosen = [
        *settings(mixer, mixer.width**2),  # a pointwise convolution
        *settings(vit, 3 * vit.width**2),  # a projection to queries, keys and values
    ]
    return Preset([(setting, recipes[setting.architecture.kind == "vit"]) for setting in chosen])


def main() -> None:
    """Run what is left, draw, and print the table."""
    command = parse("representation", __doc__)
    runs = preset(command.preset).runs("representation", command.preset, command.seeds)
    rows = runner.run_all(runs, command)
    pictures.representation(rows, command.plot)
    print("\n".join(tables.representation(rows)))


if __name__ == "__main__":
    main()
