"""Bytes of a network of `pemncodec.nn` with every strategy: masks, BatchNorm, everything else. One JSON row each.

A ConvMixer 256/6 (kernel 8, patch 2, ten classes: 497,152 masked weights) that was not trained. Its BatchNorm is
uniform random, since PyTorch's start of ones and zeros would cost nothing; trained ones cost up to their 53 kB. Masks
of trained networks cost as much as these at the same fraction kept.

    python benchmarks/strategies.py [--table]
"""

from __future__ import annotations

import argparse
import json

import torch
from experiments.networks import convmixer
from torch import nn

import pemncodec
from pemncodec.nn import mask_network

WIDTH, DEPTH, KERNEL, PATCH = 256, 6, 8, 2
# Name, and arguments of `mask_network`.
NETWORKS: dict[str, dict[str, object]] = {
    "full": {"strategy": "full"},
    "one-layer": {"strategy": "one-layer"},
    "max-layer": {"strategy": "max-layer"},
    "random-vector 1e-2": {"ratio": 1e-2},
    "random-vector 1e-3": {"ratio": 1e-3},
    "random-vector 1e-3, permuted": {"ratio": 1e-3, "permute": True},
    "random-vector 1e-5 (one value)": {"ratio": 1e-5},
    "signs of one constant": {"ratio": 0.0, "init": "signed-constant", "zero": "negated"},
    "random-vector 1e-2, keep 0.2": {"ratio": 1e-2, "keep": 0.2},
    "random-vector 1e-2, 50% zeros": {"ratio": 1e-2, "zeros": 0.5},
    "random-vector 1e-2, 75% zeros": {"ratio": 1e-2, "zeros": 0.75},
}


def network(**arguments: object) -> nn.Module:
    """A masked ConvMixer with BatchNorm as if it had been trained."""
    torch.manual_seed(0)
    model = mask_network(convmixer(WIDTH, DEPTH, KERNEL, PATCH), **arguments)  # type: ignore[arg-type]
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                nn.init.uniform_(getattr(module, name), 0.5, 1.5)
            assert module.num_batches_tracked is not None
            module.num_batches_tracked.fill_(39_100)
    return model


def measure(name: str) -> dict[str, object]:
    """One row."""
    model = network(**NETWORKS[name])
    data, report = pemncodec.pack(model)
    sizes = report.sizes
    batch_norm = sum(
        tensor.numel() * tensor.element_size()
        for module in model.modules()
        if isinstance(module, nn.BatchNorm2d)
        for tensor in module.state_dict().values()
    )
    return {
        "network": name,
        "masked_weights": sizes.masked_weights,
        "bits_per_weight": round(8 * sizes.masks / sizes.masked_weights, 3),
        "masks": sizes.masks,
        "tensors": sizes.tensors,  # BatchNorm is all that is not masked
        "batch_norm_raw": batch_norm,
        "prototypes": sizes.prototypes,
        "rest": sizes.rest,
        "pemn": len(data),
        "decoded": sizes.decoded,
    }


def main() -> None:
    """Measure, and print rows or a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", action="store_true", help="Markdown instead of JSON")
    as_table = parser.parse_args().table
    if as_table:
        print("| network | bits a weight | masks, B | BatchNorm, B | everything else, B | file, B |")
        print("| --- | --- | --- | --- | --- | --- |")
    for name in NETWORKS:
        row = measure(name)
        if as_table:
            cells = [row["masks"], row["tensors"], row["rest"], row["pemn"]]
            print(f"| {name} | {row['bits_per_weight']} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
        else:
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
