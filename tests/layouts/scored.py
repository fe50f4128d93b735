"""Networks of layers that hold a weight and scores, evaluated by a rule for each layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from .case import StateDict, Tasks, masked, replaced_end

Rule = Callable[[str, torch.Tensor], torch.Tensor]  # the name of a weight and its scores, to a mask
Unwrap = Callable[[Any], StateDict]


def flat(checkpoint: Any) -> StateDict:
    """The checkpoint is the state_dict."""
    return dict(checkpoint)


def under(key: str) -> Unwrap:
    """The state_dict is one entry of the checkpoint."""
    return lambda checkpoint: dict(checkpoint[key])


def masks_by(rule: Rule, scores: str, unwrap: Unwrap = flat) -> Callable[[Any], Tasks]:
    """The masks of every weight that has scores beside it."""

    def masks(checkpoint: Any) -> Tasks:
        found = {}
        for name, tensor in unwrap(checkpoint).items():
            if name.endswith(scores):
                weight = replaced_end(name, scores, "weight")
                found[weight] = rule(weight, tensor)
        return {"": found}

    return masks


def evaluate_by(rule: Rule, scores: str, unwrap: Unwrap = flat) -> Callable[[Any], Tasks]:
    """Every tensor but the scores, weights as the layers' forward pass multiplies them."""
    masks = masks_by(rule, scores, unwrap)

    def evaluate(checkpoint: Any) -> Tasks:
        return {"": without(unwrap(checkpoint), masks(checkpoint)[""], (scores,))}

    return evaluate


def without(state: StateDict, masks: StateDict, ends: Iterable[str]) -> StateDict:
    """A state_dict under masks, without the names of these ends."""
    kept = {name: tensor for name, tensor in state.items() if not name.endswith(tuple(ends))}
    return {name: masked(tensor, masks[name]) if name in masks else tensor for name, tensor in kept.items()}
