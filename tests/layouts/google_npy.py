"""google-research/lottery-ticket-hypothesis: foundations/save_restore.py, trainer.py, model_base.py, pruning.py.

A run's folder holds three of .npy files, one for each layer, named by the layer (layer0.npy, …): `initial` and `final`,
the weights before and after training, float32, inputs × units, and `masks`, float64 of 0 and 1. What is saved as a
weight is already the product of weight and mask, so it is 0 (of the weight's sign) where the mask is 0, in both
folders; `initial` are the values that the next pruning level starts from, not part of the trained network. Biases are
not saved. Without pruning (level 0) `masks` is empty. Evaluation: `final`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .case import Case, StateDict, Tasks, masked
from .parts import Shapes, mask_without, seeded

LAYERS: Shapes = {"layer0": (49, 20), "layer1": (20, 12), "layer2": (12, 10)}


def write_run(folder: Path, initial: StateDict, final: StateDict, masks: StateDict) -> Path:
    run = folder / "same_init"
    for name, tensors in (("initial", initial), ("final", final), ("masks", masks)):
        (run / name).mkdir(parents=True)
        for layer, tensor in tensors.items():
            np.save(run / name / f"{layer}.npy", tensor.numpy())
    (run / "test.log").write_text("iteration,0,test_loss,2.3,test_accuracy,0.1\n")
    return run


def read(folder: Path) -> StateDict:
    return {path.stem: torch.from_numpy(np.load(path)) for path in sorted(folder.glob("*.npy"))}


def _case(name: str, prune: tuple[float, ...], seed: int) -> Case:
    g = seeded(seed)
    initial: StateDict = {}
    final: StateDict = {}
    masks: StateDict = {}
    effective: StateDict = {}
    for (layer, shape), fraction in zip(LAYERS.items(), prune, strict=True):
        weight = torch.randn(shape, generator=g) * 0.1
        mask = mask_without(shape, round(fraction * weight.numel()), g)
        if any(prune):
            masks[layer] = mask.double()
        initial[layer] = weight * mask
        trained = weight + 0.01 * torch.randn(shape, generator=g)
        final[layer] = trained * mask
        effective[layer] = masked(trained, mask)

    def found(run: Path) -> Tasks:
        return {"": {layer: mask == 1 for layer, mask in read(run / "masks").items()}}

    def evaluate(run: Path) -> Tasks:
        stored = read(run / "masks")
        weights = read(run / "final")
        return {"": {layer: w * stored[layer].float() + 0.0 if layer in stored else w for layer, w in weights.items()}}

    def write(folder: Path) -> Path:
        return write_run(folder, initial, final, masks)

    return Case(f"google .npy folders, {name}", {}, None, write, {"": effective}, found, evaluate)


def cases() -> list[Case]:
    return [
        _case("level 3", (0.488, 0.488, 0.271), 200),
        _case("level 15", (0.965, 0.965, 0.794), 201),
        _case("level 0, masks is empty", (0, 0, 0), 202),
    ]
