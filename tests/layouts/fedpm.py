"""BerivanIsik/sparse-random-networks (FedPM): src/fedssm/models/masked_layers.py, models/model.py, server.py.

Layers hold `weight`, `bias`, `mask`, `bias_mask`, in this order; the state_dict itself is saved, in files without an
end (conv4_model_ME_init; local_model). `mask` and `bias_mask` are logits. The published evaluation samples Bernoulli
(sigmoid); the forward pass also takes a threshold: sigmoid(logit) > threshold keeps, strictly, in float32, biases too.
So at 0.5 a logit of 0 is dropped, and so is a positive one below about 6e-8, whose sigmoid is 0.5.

The server sets the logits to log(p / (1 − p)), p the fraction of the clients that sampled a 1: few values, with 0 for a
half and ± infinity for all and none. Weights and biases are ± e · sqrt(1 / fan-in) with ME_init; also uniform, normal.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from .case import Case, StateDict, Tasks, masked, torch_case
from .parts import Shapes, fan_in, seeded, signs

LAYERS: Shapes = {"conv1": (8, 3, 3, 3), "conv2": (8, 8, 3, 3), "dense1": (16, 32), "dense2": (10, 16)}
KINDS = {"weight": "mask", "bias": "bias_mask"}


def network(seed: int, clients: int | None = None, normal: bool = False) -> StateDict:
    """A state_dict; logits of training, or as a server sets them after a round with so many clients."""
    g = seeded(seed)
    state: StateDict = {}
    for layer, shape in LAYERS.items():
        c = math.e * math.sqrt(1 / fan_in(shape))
        state[f"{layer}.weight"] = torch.randn(shape, generator=g) * c if normal else signs(shape, g) * c
        state[f"{layer}.bias"] = signs(shape[:1], g) * c
        for kind, logits in KINDS.items():
            of = state[f"{layer}.{kind}"].shape
            if clients is None:
                state[f"{layer}.{logits}"] = torch.randn(of, generator=g) * 3
            else:
                p = torch.randint(0, clients + 1, of, generator=g) / clients
                state[f"{layer}.{logits}"] = torch.log(p / (1 - p))
    return state


def _case(name: str, state: StateDict, threshold: float, file: str) -> Case:
    def masks(checkpoint: Any) -> Tasks:
        return {
            "": {
                name: torch.sigmoid(checkpoint[f"{layer}.{KINDS[kind]}"]) > threshold
                for name in checkpoint
                for layer, kind in [name.rsplit(".", 1)]
                if kind in KINDS
            }
        }

    def evaluate(checkpoint: Any) -> Tasks:
        return {"": {name: masked(checkpoint[name], mask) for name, mask in masks(checkpoint)[""].items()}}

    cut = math.log(threshold / (1 - threshold))  # stated once more, over the logits
    effective = {}
    for layer in LAYERS:
        for kind, logits in KINDS.items():
            values = state[f"{layer}.{logits}"].double()
            effective[f"{layer}.{kind}"] = masked(state[f"{layer}.{kind}"], values > max(cut, 1e-7))
    options = {"rule": "sigmoid", "threshold": threshold, "family": "fedpm"}
    return torch_case(f"FedPM, flat, {name}", options, state, {"": effective}, masks, evaluate, file)


def cases() -> list[Case]:
    tiny = network(93)
    tiny["conv1.mask"].flatten()[:6] = torch.tensor([0.0, -0.0, 1e-9, 3e-8, -1e-9, 1e-6])
    return [
        _case("logits of training, two-valued weights", network(90), 0.5, "local_model"),
        _case("logits of a server with 10 clients, infinities and zeros", network(91, 10), 0.5, "conv4_model_ME_init"),
        _case("normal weights, threshold 0.7", network(92, normal=True), 0.7, "conv4_model_k_normal"),
        _case("logits whose sigmoid is exactly a half", tiny, 0.5, "local_model"),
    ]
