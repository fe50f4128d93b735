"""zyxxmu/lottery-jackpots: utils/conv_type.py (two commits), cifar.py, evaluate.py.

PretrainConv holds `weight` (pretrained, frozen) and `mask`, which is the SCORE; the classifier is a 1 × 1 convolution.
The checkpoint has the state_dict under `state_dict`, never with `module.`, beside `cfg`: a list, one fraction PRUNED
for each layer in order, 0 for the last.

- later commit: `b_mask`, a frozen parameter of 0.0 and 1.0 registered last, is the mask that the forward pass
  multiplies by. It follows the scores step by step and need not be their order.
- earlier commit: no b_mask; |mask| sorted, the first int(rate · n) dropped. Scores start at 1 and 0.95 (later 0.99), so
  those that no gradient has reached are equal.
"""

from __future__ import annotations

from typing import Any

import torch

from .case import Bad, Case, StateDict, Tasks, masked, torch_bad, torch_case
from .parts import Shapes, batchnorm, mask_without, ranked, seeded, sgd

LAYERS: Shapes = {
    "conv1": (8, 3, 3, 3),
    "layer1.0.conv1": (8, 8, 3, 3),
    "layer1.0.conv2": (8, 8, 3, 3),
    "fc": (10, 8, 1, 1),
}
RATES = {"conv1": 0.5, "layer1.0.conv1": 0.9, "layer1.0.conv2": 0.95, "fc": 0.0}


def network(seed: int, explicit: bool) -> tuple[StateDict, StateDict]:
    """A state_dict and its effective weights."""
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for layer, shape in LAYERS.items():
        weight = state[f"{layer}.weight"] = torch.randn(shape, generator=g) * 0.1
        mask = mask_without(shape, int(RATES[layer] * weight.numel()), g)
        effective[f"{layer}.weight"] = masked(weight, mask)
        score = ranked(mask, g)
        if explicit:  # a mask that lags behind its scores
            score = score.flatten()[torch.randperm(weight.numel(), generator=g)].reshape(shape)
        state[f"{layer}.mask"] = 0.9 + 0.2 * score
        if explicit:
            state[f"{layer}.b_mask"] = mask.float()
        if layer != "fc":
            tensors = batchnorm(layer.replace("conv", "bn"), shape[0], g)
            state |= tensors
            effective |= tensors
    return state, effective


def nested(state: StateDict) -> dict[str, Any]:
    return {
        "state_dict": state,
        "best_acc": torch.tensor([93.7]),
        "optimizer": sgd(state, (".mask",)),
        "epoch": 160,
        "cfg": list(RATES.values()),
    }


def by_rate(scores: torch.Tensor, rate: float) -> torch.Tensor:
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[scores.abs().flatten().sort(stable=True).indices[: int(rate * scores.numel())]] = False
    return mask.reshape(scores.shape)


def masks_of(checkpoint: Any) -> Tasks:
    state = checkpoint["state_dict"]
    found = {}
    for layer, rate in RATES.items():
        explicit = state.get(f"{layer}.b_mask")
        found[f"{layer}.weight"] = by_rate(state[f"{layer}.mask"], rate) if explicit is None else explicit == 1
    return {"": found}


def evaluate(checkpoint: Any) -> Tasks:
    masks = masks_of(checkpoint)[""]
    tensors = {name: t for name, t in checkpoint["state_dict"].items() if not name.endswith("mask")}
    return {"": {name: masked(t, masks[name]) if name in masks else t for name, t in tensors.items()}}


def _case(name: str, options: dict[str, Any], seed: int, explicit: bool) -> Case:
    state, effective = network(seed, explicit)
    title = f"lottery-jackpots, {name}, nested under state_dict"
    return torch_case(title, options, nested(state), {"": effective}, masks_of, evaluate, "model_best.pt")


def cases() -> list[Case]:
    keep = {f"{layer}.*": 1 - rate for layer, rate in RATES.items()}
    return [
        _case("with b_mask", {"family": "lottery-jackpots"}, 210, True),
        _case("without b_mask", {"family": "lottery-jackpots", "keep": keep}, 211, False),
    ]


def bad() -> list[Bad]:
    options = {"family": "lottery-jackpots"}
    state, _ = network(212, True)
    half = {name: t * 0.5 if name == "conv1.b_mask" else t for name, t in state.items()}
    shape = {name: t[:-1] if name == "conv1.b_mask" else t for name, t in state.items()}
    return [
        torch_bad("lottery-jackpots, b_mask of 0 and 0.5", options, nested(half), "b_mask beside 0 and 1"),
        torch_bad("lottery-jackpots, b_mask of another shape", options, nested(shape), "b_mask of another shape"),
    ]
