"""Gain of coding the bits of trained masks by a context, over coding them by the density of the layer.

For every mask the cost of its bits is computed as an adaptive binary coder has it (Krichevsky and Trofimov: what it
costs to learn the densities is in it), once with one density for the whole layer, once with a density for each value of
a context: the row (output channel), the column (input channel), the place in the kernel, the magnitude of the random
weight (16 classes), the element of the random vector, the bit before, the bit above. One JSON row a network: gains in
percent of the masks' bits. A context that costs more than it gains has a negative number.

    python benchmarks/contexts.py [FILE.pemn …]

Without files it measures what `benchmarks/peers.py` trained and left in `benchmarks/cache`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from math import lgamma, log
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import pemncodec
from pemncodec.network.model import Layer, MaskedNetwork, TileFill

Array = NDArray[np.int64]
CACHE = Path(__file__).parent / "cache"


def cost(flags: NDArray[np.bool_], context: Array) -> float:
    """Bits, with one adaptive density for each value of the context."""
    ones = np.bincount(context, weights=flags).astype(np.int64)
    every = np.bincount(context)
    total = 0.0
    for count, one in zip(every.tolist(), ones.tolist(), strict=True):
        total -= lgamma(one + 0.5) + lgamma(count - one + 0.5) - 2 * lgamma(0.5) - lgamma(count + 1)
    return total / log(2)


def contexts(
    shape: tuple[int, ...], flags: NDArray[np.bool_], values: NDArray[np.float32], period: int
) -> dict[str, Array]:
    """The contexts of a layer, by name."""
    index = np.arange(len(flags))
    columns = len(flags) // shape[0]
    kernel = int(np.prod(shape[2:], dtype=np.int64))
    order = np.argsort(np.argsort(np.abs(values)))
    before = np.concatenate([[0], flags[:-1]]).astype(np.int64)
    above = np.concatenate([np.zeros(columns, dtype=np.int64), flags[:-columns]]) if len(flags) > columns else 0 * index
    return {
        "row": index // columns,
        "column": index % columns // kernel,
        "place in the kernel": index % kernel,
        "magnitude": 16 * order // len(flags),
        "element of the vector": index % period,
        "bit before": before,
        "bit above": above,
    }


def measure(network: MaskedNetwork) -> dict[str, float]:
    """Gains in percent, by context."""
    plain, gains = 0.0, dict.fromkeys(contexts((1, 1), np.zeros(1, np.bool_), np.zeros(1, np.float32), 1), 0.0)
    for layer in network.layers:
        assert isinstance(layer.fill, TileFill)
        flags = network.masks[layer.mask].to_bool()
        values = network.prototype_values(layer.fill.prototype).view(np.float32)
        tiled = np.resize(values, len(flags))
        alone = cost(flags, np.zeros(len(flags), dtype=np.int64))
        plain += alone
        for name, context in contexts(layer.shape, flags, tiled, len(values)).items():
            gains[name] += alone - cost(flags, context)
    return {name: round(100 * gain / plain, 2) for name, gain in gains.items()}


def networks(files: list[Path]) -> dict[str, Callable[[], MaskedNetwork]]:
    """Return loaders of the networks to measure, by name."""
    if files:
        return {path.name: lambda path=path: pemncodec.load_network(path) for path in files}  # type: ignore[misc]
    found = sorted(CACHE.glob("*-masked-*.pt"))
    if not found:
        raise SystemExit("there is nothing to measure: run benchmarks/peers.py first, or name .pemn files")
    return {path.stem: lambda path=path: _cached(path) for path in found}  # type: ignore[misc]


def _cached(path: Path) -> MaskedNetwork:
    state = torch.load(path, weights_only=True)["model"]
    return pemncodec.load_network(pemncodec.save(state))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", type=Path)
    for name, load in networks(parser.parse_args().files).items():
        network = load()
        weights = sum(layer.numel for layer in network.entries if isinstance(layer, Layer))
        print(json.dumps({"network": name, "masked_weights": weights, **measure(network)}), flush=True)


if __name__ == "__main__":
    main()
