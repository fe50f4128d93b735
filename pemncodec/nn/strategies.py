"""The random values of each layer: the strategies of PEMN (Bai et al., NeurIPS 2022, section 3).

No torch here: a strategy turns shapes into recipes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import NetworkError
from ..generators.philox.generator import Generator

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Filling:
    """The values of one layer, from the first one on.

    Attributes:
        generator: makes the vector; it is tiled, or cut, to the size of the layer.
        factor: a float32 that multiplies it in this layer, or None.
    """

    generator: Generator
    factor: float | None = None


# Distribution of the format, and its scale for a fan-in, with the gain √2 of Kaiming's rule for ReLU.
INITS: dict[str, tuple[str, Callable[[int], float]]] = {
    "kaiming-normal": ("normal", lambda fan: math.sqrt(2.0 / fan)),
    "signed-constant": ("sign", lambda fan: math.sqrt(2.0 / fan)),
    "uniform": ("uniform", lambda fan: math.sqrt(6.0 / fan)),
}

# A seed whose first signed constant is positive.
_POSITIVE = 0


# From the shape whose fan-in counts, a length and a stream to a generator.
Make = Callable[[Shape, int, int], Generator]


def fan_in(shape: Shape) -> int:
    """Inputs of one output, as PyTorch counts them for Kaiming's rule: everything but the first dimension."""
    return math.prod(shape[1:])


def full(shapes: Sequence[Shape], make: Make) -> list[Filling]:
    """Every layer has values of its own."""
    return [Filling(make(shape, math.prod(shape), stream)) for stream, shape in enumerate(shapes)]


def one_layer(shapes: Sequence[Shape], make: Make) -> list[Filling]:
    """Layers of one shape have the same values."""
    first = {shape: number for number, shape in reversed(list(enumerate(shapes)))}
    return [Filling(make(shape, math.prod(shape), first[shape])) for shape in shapes]


def padding(shapes: Sequence[Shape], make: Make, ratio: float | None, permute: bool, rescale: bool) -> list[Filling]:
    """Every layer begins with the same vector: N values (max-layer), or d = int(N · ratio) + 1 distinct ones
    (random-vector), which are tiled, or with `permute` tiled to N and permuted.

    N is the size of the largest layer, and the variance is that layer's, as published; with `rescale` each layer is
    multiplied so that the variance is its own.
    """
    largest = max(shapes, key=math.prod)
    size = math.prod(largest)
    length = size if ratio is None else min(int(size * ratio) + 1, size)
    generator = make(largest, length, 0)
    if permute:
        generator = replace(generator, length=size)
    if ratio is not None and generator.distribution != "sign":
        generator = generator.distinct()
    if not rescale:
        return [Filling(generator)] * len(shapes)
    factors = [float(np.float32(math.sqrt(fan_in(largest) / fan_in(shape)))) for shape in shapes]
    return [Filling(generator, None if factor == 1.0 else factor) for factor in factors]


def constants(shapes: Sequence[Shape]) -> list[Filling]:
    """Return one constant a layer, above zero, of Kaiming's variance: what a ternary weight is, or its negative."""
    return [Filling(Generator("sign", 1, _POSITIVE, 0, math.sqrt(2.0 / fan_in(shape)))) for shape in shapes]


STRATEGIES = ("full", "one-layer", "max-layer", "random-vector")
# Of `mask_network`, and the paper's for a random vector.
DEFAULT, _RATIO = "full", 0.01


def default_init(strategy: str) -> str:
    """Return the distribution that a strategy has if none is said: the paper's for those of the paper."""
    return "signed-constant" if strategy == DEFAULT else "kaiming-normal"


def plan(
    strategy: str,
    shapes: Sequence[Shape],
    *,
    init: str,
    seed: int,
    ratio: float | None,
    permute: bool,
    zeros: float,
    rescale: bool,
) -> list[Filling]:
    """Return the values of each layer. The arguments are those of `mask_network`.

    Raises:
        NetworkError: an unknown strategy or init, a ratio outside of [0, 1], zeros outside of [0, 1), or `permute`
            for another strategy than random-vector.
    """
    if strategy not in STRATEGIES:
        raise NetworkError(f"strategy {strategy!r} is unknown: choose {', '.join(STRATEGIES)}")
    if init not in INITS:
        raise NetworkError(f"init {init!r} is unknown: choose {', '.join(INITS)}")
    if ratio is not None and not 0.0 <= ratio <= 1.0:
        raise NetworkError(f"ratio is {ratio}, and must be between 0 and 1")
    if not 0.0 <= zeros < 1.0:
        raise NetworkError(
            f"zeros is {zeros}, and must be at least 0 and below 1: the fraction of values that are zero"
        )
    if permute and strategy != "random-vector":
        raise NetworkError(f"permute requires the strategy 'random-vector', not {strategy!r}")
    distribution, scale = INITS[init]

    def make(shape: Shape, length: int, stream: int) -> Generator:
        return Generator(distribution, length, seed, stream, scale(fan_in(shape)), zeros=int(length * zeros))

    if strategy == "full":
        return full(shapes, make)
    if strategy == "one-layer":
        return one_layer(shapes, make)
    if strategy == "max-layer":
        return padding(shapes, make, None, permute, rescale)
    return padding(shapes, make, _RATIO if ratio is None else ratio, permute, rescale)
