"""Pieces of checkpoints: weights by the published initialisations, masks, scores that mean them, BatchNorm."""

from __future__ import annotations

import math
from typing import Any

import torch

from .case import StateDict
from .rules import dropped_by_edge_popup

Shape = tuple[int, ...]
Shapes = dict[str, Shape]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fan_in(shape: Shape) -> int:
    return math.prod(shape[1:])


def kaiming_normal(shape: Shape, g: torch.Generator, scale: float = 1.0) -> torch.Tensor:
    """Standard deviation sqrt(2 / (fan-in · scale)); `scale` is not 1 with hidden-networks' scale_fan."""
    return torch.randn(shape, generator=g) * math.sqrt(2 / (fan_in(shape) * scale))


def signed_constant(shape: Shape, g: torch.Generator, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(shape, generator=g).sign() * math.sqrt(2 / (fan_in(shape) * scale))


def unsigned_constant(shape: Shape, g: torch.Generator, scale: float = 1.0) -> torch.Tensor:  # noqa: ARG001
    return torch.ones(shape) * math.sqrt(2 / (fan_in(shape) * scale))


def xavier_normal(shape: Shape, g: torch.Generator, scale: float = 1.0) -> torch.Tensor:  # noqa: ARG001
    receptive = math.prod(shape[2:])
    return torch.randn(shape, generator=g) * math.sqrt(2 / ((shape[0] + shape[1]) * receptive))


def mask_without(shape: Shape, dropped: int, g: torch.Generator) -> torch.Tensor:
    """A random mask that drops exactly so many."""
    mask = torch.ones(math.prod(shape), dtype=torch.bool)
    mask[torch.randperm(mask.numel(), generator=g)[:dropped]] = False
    return mask.reshape(shape)


def edge_popup_mask(shape: Shape, keep: float, g: torch.Generator) -> torch.Tensor:
    """A random mask of the density that edge-popup gives."""
    return mask_without(shape, dropped_by_edge_popup(keep, math.prod(shape)), g)


def ranked(mask: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Distinct numbers between 0 and 1: every kept one is above every dropped one, at random otherwise."""
    n, kept = mask.numel(), int(mask.sum())
    rising = (torch.arange(n) + 0.25 + 0.5 * torch.rand(n, generator=g)) / n
    values = torch.empty(n)
    values[~mask.flatten()] = rising[: n - kept][torch.randperm(n - kept, generator=g)]
    values[mask.flatten()] = rising[n - kept :][torch.randperm(kept, generator=g)]
    return values.reshape(mask.shape)


def signs(shape: Shape | torch.Size, g: torch.Generator) -> torch.Tensor:
    return torch.randint(0, 2, tuple(shape), generator=g) * 2.0 - 1.0


def popup_scores(mask: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Scores of both signs whose absolute values mean this mask."""
    return ranked(mask, g) * signs(mask.shape, g)


def batchnorm(prefix: str, channels: int, g: torch.Generator, affine: bool = True) -> StateDict:
    """Return the tensors that BatchNorm adds to a state_dict, in its order."""
    state: StateDict = {}
    if affine:
        state[f"{prefix}.weight"] = torch.rand(channels, generator=g) + 0.5
        state[f"{prefix}.bias"] = torch.randn(channels, generator=g)
    state[f"{prefix}.running_mean"] = torch.randn(channels, generator=g)
    state[f"{prefix}.running_var"] = torch.rand(channels, generator=g) + 0.5
    state[f"{prefix}.num_batches_tracked"] = torch.tensor(391)
    return state


def prefixed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Every key with a prefix, as DataParallel ("module.") and torch.compile ("_orig_mod.") give it."""
    return {prefix + name: value for name, value in state.items()}


def sgd(state: StateDict, trained: tuple[str, ...]) -> dict[str, Any]:
    """The state_dict of an SGD optimizer with momentum over the parameters with such an end."""
    parameters = [tensor for name, tensor in state.items() if name.endswith(trained)]
    group = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False}
    return {
        "state": {i: {"momentum_buffer": torch.zeros_like(tensor)} for i, tensor in enumerate(parameters)},
        "param_groups": [{**group, "params": list(range(len(parameters)))}],
    }
