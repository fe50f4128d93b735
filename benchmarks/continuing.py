"""Accuracy of networks that go on from a `.pemn` file, by how far kept scores are from the others.

    python benchmarks/continuing.py [--seeds 3]

A row a sampler and margin (for Bernoulli masks: probability): accuracy of the file, after 1, 3 and 60 steps, and the
fraction of all weights that have changed after 60 steps. Means over the seeds.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

import pemncodec
from pemncodec.nn import mask_network

KINDS: dict[str, dict[str, Any]] = {
    "edge-popup, keep 0.5": {"keep": 0.5},
    "Bernoulli": {"sampler": "bernoulli"},
    "ternary, keep 0.3": {"sampler": "ternary", "keep": 0.3},
}
MARGINS, PROBABILITIES = (0.0, 0.25, 0.5, 1.0, 2.0), (0.7, 0.8, 0.9, 0.95, 0.99)
BEFORE, AFTER = 150, (1, 3, 60)


class Digits:
    """1,400 images to train on, and 397 to test."""

    def __init__(self) -> None:
        x, y = load_digits(return_X_y=True)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        self.x, self.y = torch.tensor(x / 16, dtype=torch.float32)[order], torch.tensor(y)[order]

    def accuracy(self, net: nn.Module) -> float:
        """Per cent of the test images."""
        net.eval()
        with torch.no_grad():
            return 100 * float((net(self.x[1400:]).argmax(1) == self.y[1400:]).float().mean())

    def train(self, net: nn.Module, steps: int, rate: float, seed: int) -> dict[int, float]:
        """Train, and return the accuracy after some steps."""
        optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
        generator = torch.Generator().manual_seed(seed)
        found: dict[int, float] = {}
        for step in range(1, steps + 1):
            net.train()
            batch = torch.randint(1400, (100,), generator=generator)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(self.x[batch]), self.y[batch]).backward()
            optimizer.step()
            if step in AFTER:
                found[step] = self.accuracy(net)
        return found


def network(seed: int, options: dict[str, Any]) -> nn.Module:
    """Two hidden layers of 256 with BatchNorm."""
    torch.manual_seed(seed)
    hidden = [nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU()]
    return mask_network(nn.Sequential(*hidden, nn.Linear(256, 10)), **options)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy of networks that go on from a .pemn file.")
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    digits = Digits()
    print("| masks | margin or probability | of the file | 1 step | 3 steps | 60 steps | weights changed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind, options in KINDS.items():
        name, choices = ("probability", PROBABILITIES) if kind == "Bernoulli" else ("margin", MARGINS)
        files = []
        for seed in seeds:
            first = network(seed, options)
            digits.train(first, BEFORE, 0.01, seed)
            files.append((digits.accuracy(first), pemncodec.save(first)))
        for choice in choices:
            rows = []
            for seed, (accuracy, data) in zip(seeds, files, strict=True):
                net = network(100 + seed, options)
                chosen: dict[str, Any] = {name: choice}
                pemncodec.load_masks(net, data, **chosen)
                after = digits.train(net, AFTER[-1], 0.003, seed)
                dense, now = pemncodec.load(data), pemncodec.load(pemncodec.save(net))
                layers = [key for key in dense if key.endswith("weight") and dense[key].dim() == 2]
                changed = sum(int((dense[key] != now[key]).sum()) for key in layers)
                rows.append((accuracy, *after.values(), 100 * changed / sum(dense[key].numel() for key in layers)))
            means = [statistics.mean(column) for column in zip(*rows, strict=True)]
            print(f"| {kind} | {choice} | " + " | ".join(f"{mean:.1f}" for mean in means) + " % |")


if __name__ == "__main__":
    main()
