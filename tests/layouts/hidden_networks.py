"""allenai/hidden-networks: main.py, utils/conv_type.py, utils/builder.py, utils/bn_type.py, simple_mnist_example.py.

Every convolution holds `weight` and, registered after it, `scores`. The classifier is a 1 × 1 convolution without a
bias; with --last-layer-dense it is an ordinary one with a bias, and with --first-layer-dense the first has no scores.
BatchNorm is non-affine by the configs (no weight, no bias). main.py saves a dict with the state_dict under
`state_dict`; `module.` is there with --multigpu only. simple_mnist_example.py saves the state_dict itself.

- SubnetConv: mask by edge-popup over |scores|, of every layer; --prune-rate is the fraction KEPT.
- FixedSubnetConv: set_subnet has made the scores 0 and 1 (--prune-rate was the fraction PRUNED: the first
  int(rate · n) are dropped), and the forward pass multiplies by them as they are.
- scale_fan: fan-in × (1 − prune_rate), which for SubnetConv is the fraction that is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .case import Case, StateDict, Tasks, masked, torch_case
from .parts import (
    Shape,
    batchnorm,
    edge_popup_mask,
    kaiming_normal,
    mask_without,
    popup_scores,
    prefixed,
    seeded,
    sgd,
    signed_constant,
    unsigned_constant,
    xavier_normal,
)
from .rules import dropped_by_edge_popup, edge_popup
from .scored import Rule, evaluate_by, flat, masks_by, under

Init = Callable[[Shape, torch.Generator, float], torch.Tensor]
# In the order of the modules: a convolution, its BatchNorm.
CONVOLUTIONS: dict[str, tuple[Shape, str | None]] = {
    "conv1": ((8, 3, 3, 3), "bn1"),
    "layer1.0.conv1": ((8, 8, 3, 3), "layer1.0.bn1"),
    "layer1.0.conv2": ((8, 8, 3, 3), "layer1.0.bn2"),
    "layer2.0.conv1": ((16, 8, 3, 3), "layer2.0.bn1"),
    "layer2.0.shortcut.0": ((16, 8, 1, 1), "layer2.0.shortcut.1"),
    "fc": ((10, 16, 1, 1), None),
}
MNIST = {"conv1": (8, 1, 3, 3), "conv2": (16, 8, 3, 3), "fc1": (12, 64), "fc2": (10, 12)}
# Sizes for which Python's floats decide how many are dropped: 0.9 of 10 drops none, 0.8 of 25 drops 4.
SMALL = {"conv1": (5, 1, 1, 2), "conv2": (1, 5, 5, 1), "fc1": (5, 5), "fc2": (10, 1), "fc3": (7, 30)}


def one_for_all(keep: float) -> Rule:
    return lambda _, scores: edge_popup(scores, keep)


def subnet(
    init: Init, keep: float, seed: int, scale: float = 1.0, dense: tuple[str, ...] = ()
) -> tuple[StateDict, ...]:
    """A ResNet's state_dict and its effective weights; layers in `dense` have no scores."""
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for name, (shape, norm) in CONVOLUTIONS.items():
        weight = init(shape, g, scale)
        state[f"{name}.weight"] = effective[f"{name}.weight"] = weight
        if name not in dense:
            mask = edge_popup_mask(shape, keep, g)
            state[f"{name}.scores"] = popup_scores(mask, g)
            effective[f"{name}.weight"] = masked(weight, mask)
        elif norm is None:
            state[f"{name}.bias"] = effective[f"{name}.bias"] = torch.randn(shape[0], generator=g)
        if norm is not None:
            tensors = batchnorm(norm, shape[0], g, affine=False)
            state |= tensors
            effective |= tensors
    return state, effective


def plain(shapes: dict[str, Shape], keep: float, seed: int) -> tuple[StateDict, StateDict]:
    """Layers without anything beside them: a state_dict and its effective weights."""
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for name, shape in shapes.items():
        mask = edge_popup_mask(shape, keep, g)
        state[f"{name}.weight"] = kaiming_normal(shape, g)
        state[f"{name}.scores"] = popup_scores(mask, g)
        effective[f"{name}.weight"] = masked(state[f"{name}.weight"], mask)
    return state, effective


def tied(at_the_cut: bool, keep: float, seed: int) -> tuple[StateDict, StateDict]:
    """Equal scores of one layer: far below the cut and far above it, or on both sides of it over weights of 0."""
    state, effective = plain(MNIST, keep, seed)
    weight, scores = state["fc1.weight"].flatten(), state["fc1.scores"].flatten()
    rising = scores.abs().sort().indices
    first = dropped_by_edge_popup(keep, len(scores))  # the first that is kept
    if at_the_cut:
        around = rising[first - 5 : first + 5]
        scores[around] = scores[rising[first]].abs()
        weight[around] = effective["fc1.weight"].flatten()[around] = 0
    else:
        scores[rising[: first // 2]] = 0
        scores[rising[-20:]] = 1.5
    return state, effective


def nested(state: StateDict, trained: tuple[str, ...] = ("scores",)) -> dict[str, Any]:
    """Return the checkpoint that main.py saves after an epoch."""
    return {
        "epoch": 100,
        "arch": "cResNet18",
        "state_dict": state,
        "best_acc1": 92.61,
        "best_acc5": 99.74,
        "best_train_acc1": 99.98,
        "best_train_acc5": 100.0,
        "optimizer": sgd(state, trained),
        "curr_acc1": 92.5,
        "curr_acc5": 99.7,
    }


def _subnet_case(name: str, init: Init, keep: float, seed: int, prefix: str = "module.", **how: Any) -> Case:
    state, effective = subnet(init, keep, seed, **how)
    rule, unwrap = one_for_all(keep), under("state_dict")
    return torch_case(
        f"hidden-networks, SubnetConv, {name}",
        {"keep": keep},
        nested(prefixed(state, prefix)),
        {"": prefixed(effective, prefix)},
        masks_by(rule, "scores", unwrap),
        evaluate_by(rule, "scores", unwrap),
        "model_best.pth",
    )


def _flat_case(name: str, made: tuple[StateDict, StateDict], keep: float) -> Case:
    state, effective = made
    rule = one_for_all(keep)
    masks, evaluate = masks_by(rule, "scores"), evaluate_by(rule, "scores")
    name = f"hidden-networks, simple_mnist_example.py, flat, {name}"
    return torch_case(name, {"keep": keep}, state, {"": effective}, masks, evaluate, "mnist_cnn.pt")


def _fixed_case(prefix: str, prune_rate: float, seed: int) -> Case:
    """The scores are the mask; the fraction is in their number alone."""
    g = seeded(seed)
    state, effective = subnet(kaiming_normal, 1.0, seed)
    for name in [name for name in state if name.endswith("scores")]:
        shape = tuple(state[name].shape)
        mask = mask_without(shape, int(prune_rate * state[name].numel()), g)
        state[name] = mask.float()
        weight = name.replace("scores", "weight")
        effective[weight] = masked(state[weight], mask)
    state, effective = prefixed(state, prefix), prefixed(effective, prefix)

    def as_they_are(_: str, scores: torch.Tensor) -> torch.Tensor:
        return scores != 0

    def evaluate(checkpoint: Any) -> Tasks:
        tensors = flat(checkpoint["state_dict"])
        out = {name: tensor for name, tensor in tensors.items() if not name.endswith("scores")}
        for name in tensors:
            if name.endswith("scores"):
                weight = name.replace("scores", "weight")
                out[weight] = tensors[weight] * tensors[name] + 0.0  # −0.0 + 0.0 is +0.0
        return {"": out}

    return torch_case(
        f"hidden-networks, FixedSubnetConv, nested under state_dict{f', {prefix}' if prefix else ''}",
        {},
        nested(state, ("weight",)),
        {"": effective},
        masks_by(as_they_are, "scores", under("state_dict")),
        evaluate,
        "model_best.pth",
    )


def cases() -> list[Case]:
    everywhere = "nested under state_dict"
    return [
        _subnet_case(f"signed constant, {everywhere}, module.", signed_constant, 0.5, 1),
        _subnet_case(f"signed constant, scale_fan, {everywhere}", signed_constant, 0.3, 2, "", scale=0.7),
        _subnet_case(f"Kaiming normal, {everywhere}, module.", kaiming_normal, 0.7, 3),
        _subnet_case(f"Kaiming normal, scale_fan, {everywhere}, module.", kaiming_normal, 0.3, 4, scale=0.7),
        _subnet_case(f"unsigned constant, {everywhere}, module.", unsigned_constant, 0.5, 5),
        _subnet_case(f"Xavier normal, {everywhere}", xavier_normal, 0.05, 6, ""),
        _subnet_case(f"dense first layer, {everywhere}, module.", kaiming_normal, 0.5, 7, dense=("conv1",)),
        _subnet_case(f"dense first and last layer, {everywhere}", signed_constant, 0.3, 8, "", dense=("conv1", "fc")),
        _fixed_case("module.", 0.3, 9),
        _fixed_case("", 0.95, 10),
        _flat_case("Linear", plain(MNIST, 0.5, 11), 0.5),
        _flat_case("keep 0.9 of 10 weights drops none", plain(SMALL, 0.9, 12), 0.9),
        _flat_case("keep 0.8 of 25 weights drops 4", plain(SMALL, 0.8, 13), 0.8),
        _flat_case("equal scores away from the cut", tied(False, 0.5, 14), 0.5),
        _flat_case("equal scores at the cut, over weights of 0", tied(True, 0.5, 15), 0.5),
    ]
