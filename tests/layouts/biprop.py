"""chrundle/biprop: utils/conv_type.py, trainers/default.py, main.py.

The layout of hidden-networks (`weight`, `scores`; nested under `state_dict`; `module.` with --multigpu); later commits
put `conv_type` and `prune_rate`, the fraction KEPT, beside it. The weights are binarized in the forward pass:
effective = sign(W) · α · mask, one α for a layer.

- SubnetConv: mask by edge-popup; α = sum(|W| · mask) / int(k · n), though n − int((1 − k) · n) are kept.
- GlobalSubnetConv: the |scores| of all layers, sorted together, N of them; threshold = the one at
  int((1 − k) · N) − 1; strictly greater ones are kept. α = sum(|W| · mask) / number kept in the layer. (With nothing to
  drop the index is −1: all is dropped. A layer of which nothing is kept has α = 0 / 0.) The rate rises during the first
  epochs, so `prune_rate` of an early checkpoint is the rate of that epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .case import Case, StateDict, Tasks, masked, torch_case
from .hidden_networks import Init, nested
from .parts import (
    Shape,
    batchnorm,
    edge_popup_mask,
    kaiming_normal,
    mask_without,
    popup_scores,
    prefixed,
    seeded,
    signed_constant,
)
from .rules import dropped_by_edge_popup, edge_popup

LAYERS: dict[str, Shape] = {
    "convs.0": (8, 3, 3, 3),
    "convs.1": (8, 8, 3, 3),
    "linear.0": (24, 32, 1, 1),
    "linear.2": (10, 24, 1, 1),
}
Divisor = Callable[[torch.Tensor], int]


def binarized(weight: torch.Tensor, mask: torch.Tensor, divisor: Divisor) -> torch.Tensor:
    alpha = torch.sum(weight.abs() * mask.float()) / divisor(mask)
    return masked(torch.sign(weight) * alpha, mask)


def state_masks(state: StateDict, rule: Callable[[StateDict], StateDict]) -> StateDict:
    """By the weights' names, from a rule over all scores by theirs."""
    scores = {name: tensor for name, tensor in state.items() if name.endswith("scores")}
    return {name.replace("scores", "weight"): mask for name, mask in rule(scores).items()}


def _case(
    name: str,
    options: dict[str, Any],
    masks: dict[str, torch.Tensor],
    rule: Callable[[StateDict], StateDict],
    divisor: Divisor,
    seed: int,
    prefix: str,
    beside: dict[str, Any],
    init: Init = kaiming_normal,
) -> Case:
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    scores = split(popup_scores(torch.cat([mask.flatten() for mask in masks.values()]), g))
    for layer, mask in masks.items():
        weight = init(LAYERS[layer], g, 1.0)
        own = popup_scores(mask, g) if options.get("rule") != "global" else scores[layer]
        state |= {f"{layer}.weight": weight, f"{layer}.scores": own}
        effective[f"{layer}.weight"] = binarized(weight, mask, divisor)
        if layer.startswith("convs"):
            tensors = batchnorm(layer.replace("convs", "bns"), len(weight), g, affine=False)
            state |= tensors
            effective |= tensors

    def all_masks(checkpoint: Any) -> Tasks:
        return {"": state_masks(checkpoint["state_dict"], rule)}

    def evaluate(checkpoint: Any) -> Tasks:
        tensors, found = checkpoint["state_dict"], all_masks(checkpoint)[""]
        out = {name: tensor for name, tensor in tensors.items() if not name.endswith("scores")}
        return {"": out | {name: binarized(out[name], mask, divisor) for name, mask in found.items()}}

    return torch_case(
        f"biprop, {name}, nested under state_dict{f', {prefix}' if prefix else ''}",
        options,
        {**nested(prefixed(state, prefix)), **beside},
        {"": prefixed(effective, prefix)},
        all_masks,
        evaluate,
        "model_best.pth",
    )


def split(vector: torch.Tensor) -> StateDict:
    """A vector over all layers, by layer."""
    sizes = [torch.Size(shape).numel() for shape in LAYERS.values()]
    return {name: part.reshape(LAYERS[name]).clone() for name, part in zip(LAYERS, vector.split(sizes), strict=True)}


def _per_layer(name: str, keep: float, seed: int, prefix: str, beside: dict[str, Any], init: Init) -> Case:
    g = seeded(seed)
    masks = {layer: edge_popup_mask(shape, keep, g) for layer, shape in LAYERS.items()}
    options = {"keep": keep, "family": "biprop"}

    def rule(scores: StateDict) -> StateDict:
        return {name: edge_popup(tensor, keep) for name, tensor in scores.items()}

    def divisor(mask: torch.Tensor) -> int:
        return int(keep * mask.numel())

    return _case(f"per layer, {name}", options, masks, rule, divisor, seed, prefix, beside, init)


def _global(name: str, keep: float, seed: int, prefix: str, beside: dict[str, Any]) -> Case:
    count = sum(torch.Size(shape).numel() for shape in LAYERS.values())
    masks = split(mask_without((count,), dropped_by_edge_popup(keep, count), seeded(seed)))
    options = {"keep": keep, "rule": "global", "family": "biprop"}

    def rule(scores: StateDict) -> StateDict:
        rising = torch.cat([tensor.abs().flatten() for tensor in scores.values()]).sort().values
        threshold = rising[int((1 - keep) * len(rising)) - 1]
        return {name: tensor.abs() > threshold for name, tensor in scores.items()}

    def divisor(mask: torch.Tensor) -> int:
        return int(mask.sum())

    return _case(f"one global threshold, {name}", options, masks, rule, divisor, seed, prefix, beside)


def cases() -> list[Case]:
    def later(conv_type: str, keep: float) -> dict[str, Any]:
        return {"conv_type": conv_type, "prune_rate": keep, "train_augmentation": "Default", "use_augmix": False}

    return [
        _per_layer("Kaiming normal, keep 0.5", 0.5, 70, "module.", {}, kaiming_normal),
        _per_layer("Kaiming normal, keep 0.3, conv_type beside", 0.3, 71, "", later("SubnetConv", 0.3), kaiming_normal),
        _per_layer("signed constant, keep 0.9", 0.9, 72, "module.", {}, signed_constant),
        _global("keep 0.1", 0.1, 73, "module.", {}),
        _global("keep 0.35, conv_type beside", 0.35, 74, "", later("GlobalSubnetConv", 0.35)),
    ]
