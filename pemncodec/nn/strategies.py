"""Which random values fill which layer: the strategies of PEMN (Bai et al., NeurIPS 2022, section 3).

No torch here: a strategy turns shapes into recipes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import NetworkError
from ..prototypes.generator import Generator

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Filling:
    """What fills one layer, from its first value on.

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


def fan_in(shape: Shape) -> int:
    """Inputs of one output, as PyTorch counts them for Kaiming's rule: everything but the first dimension."""
    return math.prod(shape[1:])


def full(shapes: Sequence[Shape], init: str, seed: int) -> list[Filling]:
    """Every layer has values of its own."""
    return [Filling(_generator(init, shape, math.prod(shape), seed, stream)) for stream, shape in enumerate(shapes)]


def one_layer(shapes: Sequence[Shape], init: str, seed: int) -> list[Filling]:
    """Layers of one shape have the same values."""
    first = {shape: number for number, shape in reversed(list(enumerate(shapes)))}
    return [Filling(_generator(init, shape, math.prod(shape), seed, first[shape])) for shape in shapes]


def padding(shapes: Sequence[Shape], init: str, seed: int, ratio: float | None, rescale: bool) -> list[Filling]:
    """Every layer begins with the same vector: N values (max-layer), or d = int(N · ratio) + 1 distinct ones, tiled
    (random-vector).

    N is the size of the largest layer, and the variance is that layer's, as published; with `rescale` each layer is
    multiplied so that the variance is its own.
    """
    largest = max(shapes, key=math.prod)
    size = math.prod(largest)
    length = size if ratio is None else min(int(size * ratio) + 1, size)
    generator = _generator(init, largest, length, seed, 0)
    if ratio is not None and generator.distribution != "sign":
        generator = generator.distinct()
    if not rescale:
        return [Filling(generator)] * len(shapes)
    factors = [float(np.float32(math.sqrt(fan_in(largest) / fan_in(shape)))) for shape in shapes]
    return [Filling(generator, None if factor == 1.0 else factor) for factor in factors]


STRATEGIES = ("full", "one-layer", "max-layer", "random-vector")


def plan(strategy: str, shapes: Sequence[Shape], *, init: str, seed: int, ratio: float, rescale: bool) -> list[Filling]:
    """What fills each layer.

    Raises:
        NetworkError: an unknown strategy or init, or a ratio outside of [0, 1].
    """
    if strategy not in STRATEGIES:
        raise NetworkError(f"strategy {strategy!r} is unknown: choose {', '.join(STRATEGIES)}")
    if init not in INITS:
        raise NetworkError(f"init {init!r} is unknown: choose {', '.join(INITS)}")
    if not 0.0 <= ratio <= 1.0:
        raise NetworkError(f"ratio is {ratio}, and must be between 0 and 1")
    if strategy == "full":
        return full(shapes, init, seed)
    if strategy == "one-layer":
        return one_layer(shapes, init, seed)
    return padding(shapes, init, seed, ratio if strategy == "random-vector" else None, rescale)


def _generator(init: str, shape: Shape, length: int, seed: int, stream: int) -> Generator:
    distribution, scale = INITS[init]
    return Generator(distribution, length, seed, stream, scale(fan_in(shape)))
