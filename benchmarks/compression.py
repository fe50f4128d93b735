"""Accuracy against bytes: masked random networks beside pruned and quantized ones (PEMN, section 4.2).

One JSON row a run, a plot and a table of the rows. A row has the bytes by formula (see `experiments/counting.py`), and
those of the files that the network takes (see `experiments/files.py`), each with the accuracy of the network that is
decoded from it.

    python benchmarks/compression.py smoke
    python benchmarks/compression.py cpu --data CIFAR
    python benchmarks/compression.py medium --data CIFAR
    python benchmarks/compression.py long --data CIFAR
    python benchmarks/compression.py paper --data CIFAR

A run that has a row is not done again; one that was interrupted goes on after its last epoch. Without --data the
packaged digits are learned. `smoke` takes seconds, `cpu` less than three hours on two cores. `medium` and `long` train
the same networks, for 10 and 30 epochs: hours and days on two cores. `paper` wants a GPU. With --check every setting of
a preset makes one step, is packed, and decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from experiments import choosing, pictures, runner, tables
from experiments.command import Preset, parse
from experiments.settings import Architecture, Recipe, Setting

PRESETS = ("smoke", "cpu", "medium", "long", "paper")
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


Points = list[tuple[Setting, Recipe]]
SIGNED = "signed-constant"


def ways(architecture: Architecture) -> dict[str, Setting]:
    """Return masked networks of about one bit a weight, by a short name, the paper's first."""

    def way(strategy: str = "random-vector", ratio: float = RATIO, keep: float = 0.5, **more: object) -> Setting:
        return Setting(architecture, "masked", strategy, ratio, keep, **more)  # type: ignore[arg-type]

    return {
        "paper": way(),
        "constants": way("full", init=SIGNED),
        "signs": way(ratio=0.0, init=SIGNED, zero="negated"),
        "ternary 20 %": way(keep=0.2, sampler="ternary"),
        "trained vector": way(trained=True),
        "ternary 50 %": way(sampler="ternary"),
        "constants 20 %": way("full", keep=0.2, init=SIGNED),
        "ternary 10 %": way(keep=0.1, sampler="ternary"),
        "ternary 5 %": way(keep=0.05, sampler="ternary"),
        "full": way("full"),
        "one layer": way("one-layer"),
        "max layer": way("max-layer"),
        "uniform": way("full", init="uniform"),
        "rescaled": way(rescale=True),
        "Bernoulli": way("full", init=SIGNED, sampler="bernoulli"),
        # About as large as "ternary 20 %" and "constants".
        "ternary 15 %, 2 coats": way(keep=0.15, sampler="ternary", coats=2),
        "constants 20 %, 2 coats": way("full", keep=0.2, init=SIGNED, coats=2),
        "ternary 20 %, by shape": way(keep=0.2, sampler="ternary", layers="erdos-renyi"),
        "ternary 20 %, annealed": way(keep=0.2, sampler="ternary", annealed=True),
        "constants 30 %, both": way("full", keep=0.3, init=SIGNED, layers="erdos-renyi", annealed=True),
    }


# Fractions and coats: ternary masks by shape and annealed, what is best of all here.
LEADING = ((0.1, 1), (0.15, 1), (0.2, 1), (0.1, 2), (0.15, 2), (0.2, 2))


def leading(architecture: Architecture, *wanted: tuple[float, int]) -> list[Setting]:
    """Return ternary networks whose layers keep fractions by their shape, fewer and fewer, for fractions and coats."""
    return [
        Setting(
            architecture,
            "masked",
            "random-vector",
            RATIO,
            keep,
            sampler="ternary",
            coats=coats,
            layers="erdos-renyi",
            annealed=True,
        )
        for keep, coats in wanted
    ]


def choose(epochs: int) -> Preset:
    """The choices of somebody with 8 to 64 kB, the most telling first."""
    widths = {width: Architecture("resnet", width, 8, patch=2) for width in (12, 16, 24, 32)}
    masked = {width: ways(architecture) for width, architecture in widths.items()}
    recipe = Recipe(epochs, precision="bfloat16")

    def all_of(*settings: Setting) -> Points:
        return [(setting, recipe) for setting in settings]

    def trained(width: int, method: str, *fractions: float) -> Points:
        return all_of(*(Setting(widths[width], method, pruned=fraction) for fraction in fractions))

    default = all_of(masked[16]["paper"], masked[16]["constants"])
    best = {width: all_of(*leading(architecture, *LEADING)) for width, architecture in widths.items()}
    duel = [*all_of(*leading(widths[16], (0.15, 2), (0.15, 1))), *trained(16, "gradual", 0.9)]
    around = [
        *all_of(*leading(widths[16], (0.1, 1))),
        *trained(16, "gradual", 0.95),
        *all_of(*leading(widths[24], (0.1, 2), (0.15, 2))),
        *trained(24, "gradual", 0.9),
        *all_of(*leading(widths[16], (0.2, 2), (0.2, 1), (0.1, 2))),
        *all_of(*leading(widths[12], (0.15, 2), (0.15, 1))),
        *trained(12, "gradual", 0.9),
        *all_of(masked[16]["ternary 20 %, by shape"], masked[16]["ternary 20 %, annealed"]),
        *trained(16, "gradual", 0.98, 0.8),
    ]
    narrow = [
        *trained(16, "magnitude", 0.9),
        *all_of(*(masked[16][name] for name in ("ternary 20 %", "signs", "trained vector"))),
    ]
    # On the CPU bfloat16 makes these slower.
    others = [ways(Architecture(kind, 64, 4)) for kind in ("convmixer", "vit")]
    elsewhere: Points = [(other[name], Recipe(epochs)) for other in others for name in ("paper", "constants")]
    elsewhere += [(leading(other["paper"].architecture, (0.15, 2))[0], Recipe(epochs)) for other in others]
    wider = [
        *all_of(masked[24]["paper"], masked[24]["constants"]),
        *trained(24, "magnitude", 0.95),
        *all_of(masked[32]["paper"]),
    ]
    smaller = [
        *all_of(masked[16]["ternary 10 %"], masked[12]["constants"], masked[12]["paper"]),
        *all_of(masked[12]["ternary 10 %"], masked[16]["ternary 5 %"]),
    ]
    compared = [
        *trained(16, "gradual", 0.9),
        *trained(16, "rewound", 0.9),
        *trained(16, "random", 0.9),
        *all_of(Setting(widths[16], "dense")),
        *all_of(*(setting for setting in masked[16].values() if setting.coats > 1)),
    ]
    more = [
        *elsewhere,
        *all_of(masked[24]["ternary 10 %"]),
        *all_of(masked[24]["ternary 20 %"]),
        *all_of(ways(replace(widths[16], affine=False))["constants"]),
        *trained(24, "magnitude", 0.9),
        *all_of(masked[32]["ternary 10 %"], masked[32]["constants"]),
        *trained(32, "magnitude", 0.95),
    ]
    rest = [
        *all_of(Setting(widths[12], "dense")),
        *all_of(*(setting for setting in masked[16].values() if setting.coats == 1)),
        *all_of(masked[12]["signs"], masked[24]["signs"], masked[32]["ternary 5 %"], masked[32]["ternary 20 %"]),
        *trained(32, "magnitude", 0.98, 0.9),
        *trained(24, "gradual", 0.95, 0.9),
        *trained(12, "magnitude", 0.9),
        *((other[name], Recipe(epochs)) for other in others for name in ("signs", "ternary 20 %", "trained vector")),
        *all_of(ways(replace(widths[16], affine=False))["paper"]),
    ]
    ternary = all_of(masked[16]["ternary 20 %"])
    blocks = [narrow, ternary, around, smaller, compared, more, wider, *best.values()]
    order = [
        ((0, 1, 2), default),
        ((0, 1, 2), duel),
        *(((1, 2) if block is ternary else (0,), block) for block in blocks),
    ]
    points = dict.fromkeys(point for block in (default, duel, *blocks, rest) for point in block)
    return Preset(list(points), seeds=3, first=order)


def paper() -> Preset:
    """The paper's networks and recipe as far as they are known, and what stands against its method.

    ConvMixer and ViT learn for 100 epochs, ResNet for 200.
    """
    published = Recipe(100, 512, 0.05, 0.005, "triangle", "bfloat16", "strong")
    short = ("paper", "constants", "signs", "ternary 10 %", "ternary 20 %", "trained vector")
    networks = [
        *(Architecture("convmixer", width, depth, 5, 2) for width in (256, 512) for depth in (6, 8)),
        *(Architecture("resnet", width, depth, patch=1) for depth in (32, 56) for width in (16, 32)),
        Architecture("vit", 256, 6, patch=4, heads=8),
    ]
    first: Points = []
    points: Points = []
    for network in networks:
        recipe = Recipe(200, 512, 0.05, 0.005, "triangle", "bfloat16") if network.kind == "resnet" else published
        trained = replace(recipe, rate=0.01)  # dense weights do not stand the rate of scores
        masked = ways(network)
        first.append((masked["paper"], recipe))
        points += [(masked[name], recipe) for name in short[1:]]
        for method in ("magnitude", "gradual", "rewound", "random"):
            points += [(Setting(network, method, pruned=fraction), trained) for fraction in PRUNED]
        points.append((Setting(network, "dense"), trained))
    return Preset(points, seeds=3, first=[((0,), first)])


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
    if name in ("medium", "long"):
        return choose(10 if name == "medium" else 30)
    return paper()


def main() -> None:
    """Run what is left, draw, and print the table."""
    command = parse("compression", __doc__, PRESETS)
    runs = preset(command.preset).runs("compression", command.preset, command.seeds)
    if command.check:
        runner.check(runs[: command.limit], command.data)
        return
    rows = runner.run_all(runs, command)
    if command.preset in ("medium", "long") and rows:
        resnets = [row for row in rows if row["kind"] == "resnet"]  # only these are pruned, too
        choosing.picture(resnets, command.plot)
        print("\n".join([*choosing.table(rows), "", *choosing.against(resnets), "", *choosing.equal_bytes(rows)]))
        return
    pictures.compression(rows, command.plot)
    print("\n".join(tables.compression(rows) + tables.equal_accuracy(rows)))


if __name__ == "__main__":
    main()
