"""Scripts that call the scores `popup_scores`.

iceychris/edge-popup, lib/layers.py: LinearSubnet and Conv2dSubnet hold `weight`, `bias` (the convolution's is None: a
tensor there fails in its constructor) and `popup_scores`; k = 0.3 by default is the fraction kept; weights are uniform
on ± sqrt(2 / fan-in) / sqrt(k). LinearSubnet's forward pass leaves its bias out, though the file holds it.

inspire-group/hydra, models/layers.py, utils/logging.py: the same names, SubnetLinear with its bias; the checkpoint is
nested under `state_dict` with `module.`. Mask: edge-popup over |popup_scores| in every layer, args.k kept. With
save_dense it also writes checkpoint_dense.pth.tar: no popup_scores, every weight multiplied by its mask, so that what
was dropped is a zero of the weight's sign. Weights are trained.
"""

from __future__ import annotations

from typing import Any

import torch

from .case import Case, StateDict, Tasks, masked, torch_case
from .parts import Shape, batchnorm, edge_popup_mask, fan_in, popup_scores, prefixed, seeded, sgd, signs
from .rules import edge_popup
from .scored import Rule, evaluate_by, masks_by, under

ICEYCHRIS: dict[str, Shape] = {
    "conv1": (8, 3, 3, 3),
    "layers.0.conv1": (8, 8, 3, 3),
    "layers.0.conv2": (16, 8, 1, 1),
    "fc": (10, 16),
}
HYDRA: dict[str, Shape] = {
    "conv1": (8, 3, 3, 3),
    "layer1.0.conv1": (8, 8, 3, 3),
    "layer1.0.shortcut.0": (8, 8, 1, 1),
    "linear": (10, 32),
}


def _rule(keep: float) -> Rule:
    return lambda _, scores: edge_popup(scores, keep)


def _iceychris(keep: float, seed: int) -> Case:
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for name, shape in ICEYCHRIS.items():
        mask = edge_popup_mask(shape, keep, g)
        bound = (2 / fan_in(shape)) ** 0.5 / keep**0.5
        state[f"{name}.weight"] = (torch.rand(shape, generator=g) * 2 - 1) * bound
        effective[f"{name}.weight"] = masked(state[f"{name}.weight"], mask)
        if len(shape) == 2:
            state[f"{name}.bias"] = effective[f"{name}.bias"] = torch.randn(shape[0], generator=g)
        state[f"{name}.popup_scores"] = popup_scores(mask, g)
    masks, evaluate = masks_by(_rule(keep), "popup_scores"), evaluate_by(_rule(keep), "popup_scores")
    return torch_case(
        f"iceychris/edge-popup, flat, keep {keep}", {"keep": keep}, state, {"": effective}, masks, evaluate, "model.pth"
    )


def hydra(keep: float, seed: int) -> tuple[StateDict, StateDict]:
    """A state_dict and its effective weights."""
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for name, shape in HYDRA.items():
        mask = edge_popup_mask(shape, keep, g)
        state[f"{name}.weight"] = torch.randn(shape, generator=g) * 0.05
        effective[f"{name}.weight"] = masked(state[f"{name}.weight"], mask)
        if len(shape) == 2:
            state[f"{name}.bias"] = effective[f"{name}.bias"] = torch.randn(shape[0], generator=g)
        state[f"{name}.popup_scores"] = popup_scores(mask, g)
        if len(shape) == 4:
            norm = name[:-1] + "1" if name.endswith("shortcut.0") else name.replace("conv", "bn")
            tensors = batchnorm(norm, shape[0], g)
            state |= tensors
            effective |= tensors
    return prefixed(state, "module."), prefixed(effective, "module.")


def _nested(state: StateDict) -> dict[str, Any]:
    return {
        "epoch": 20,
        "arch": "resnet18",
        "state_dict": state,
        "best_prec1": 85.3,
        "optimizer": sgd(state, ("popup_scores",)),
    }


def _hydra_scores(keep: float, seed: int) -> Case:
    state, effective = hydra(keep, seed)
    return torch_case(
        f"hydra, popup_scores, nested under state_dict, module., keep {keep}",
        {"keep": keep},
        _nested(state),
        {"": effective},
        masks_by(_rule(keep), "popup_scores", under("state_dict")),
        evaluate_by(_rule(keep), "popup_scores", under("state_dict")),
        "model_best.pth.tar",
    )


def _hydra_dense(keep: float, seed: int) -> Case:
    state, effective = hydra(keep, seed)
    g = seeded(seed)
    dense = {name: tensor for name, tensor in state.items() if not name.endswith("popup_scores")}
    layers = [name.replace("popup_scores", "weight") for name in state if name.endswith("popup_scores")]
    for name in layers:
        dense[name] = torch.where(effective[name] == 0, 0.0 * signs(dense[name].shape, g), dense[name])

    def masks(checkpoint: Any) -> Tasks:
        return {"": {name: checkpoint["state_dict"][name] != 0 for name in layers}}

    def evaluate(checkpoint: Any) -> Tasks:
        tensors = checkpoint["state_dict"]
        return {"": {name: tensor + 0.0 if name in layers else tensor for name, tensor in tensors.items()}}

    name = f"hydra, already masked dense file, nested under state_dict, module., {keep} kept"
    return torch_case(name, {}, _nested(dense), {"": effective}, masks, evaluate, "model_best_dense.pth.tar")


def cases() -> list[Case]:
    return [_iceychris(0.3, 50), _hydra_scores(0.1, 51), _hydra_scores(0.01, 52), _hydra_dense(0.1, 53)]
