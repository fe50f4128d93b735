"""Pruning by magnitude, in three ways, and at random, with the masks of torch.nn.utils.prune."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.utils import prune

from pemncodec.nn.scope import weights_in_scope

from .settings import Setting

MAGNITUDE = ("magnitude", "gradual", "rewound")


@dataclass(frozen=True)
class Plan:
    """The epochs at whose start a network is pruned.

    Attributes:
        amounts: fraction of all weights that are zero from this epoch on.
        rewind: the epoch at whose start the weights go back to those of the first epoch; 0: none.
    """

    amounts: dict[int, float] = field(default_factory=dict)
    rewind: int = 0


def prepare(model: nn.Module, setting: Setting) -> None:
    """Give the network its masks: all ones, or at random."""
    for module, name in list(weights_in_scope(model, None)) if setting.method in (*MAGNITUDE, "random") else []:
        if setting.method == "random":
            prune.random_unstructured(module, name, setting.pruned)
        else:
            prune.identity(module, name)


def plan(setting: Setting, epochs: int) -> Plan:
    """Return when the network of a setting is pruned.

    Gradual pruning follows the cubic of Zhu and Gupta ("To prune, or not to prune", 2017).
    """
    half = epochs // 2
    if setting.method == "magnitude":
        return Plan({half: setting.pruned})
    if setting.method == "rewound":
        return Plan({half: setting.pruned}, half)
    if setting.method == "gradual":
        start, end = epochs // 4, max(3 * epochs // 4, epochs // 4 + 1)
        steps = {epoch: (epoch - start + 1) / (end - start) for epoch in range(start, end)}
        return Plan({epoch: setting.pruned * (1 - (1 - share) ** 3) for epoch, share in steps.items()})
    return Plan()


@torch.no_grad()
def by_magnitude(model: nn.Module, fraction: float) -> None:
    """Prune `fraction` of all weights, the smallest over all layers together, those pruned before among them."""
    masks = {name: buffer for name, buffer in model.named_buffers() if name.endswith("_mask")}
    weights = [model.get_parameter(f"{name.removesuffix('_mask')}_orig") for name in masks]
    magnitudes = torch.cat([(w * mask).abs().flatten() for w, mask in zip(weights, masks.values(), strict=True)])
    kept = torch.ones_like(magnitudes)
    kept[magnitudes.argsort(stable=True)[: round(fraction * len(magnitudes))]] = 0.0
    for mask, part in zip(masks.values(), kept.split([mask.numel() for mask in masks.values()]), strict=True):
        mask.copy_(part.view_as(mask))


@torch.no_grad()
def rewind(model: nn.Module, early: dict[str, torch.Tensor]) -> None:
    """Give everything but the masks the values of `early`, in place."""
    for name, tensor in model.state_dict().items():
        if not name.endswith("_mask"):
            tensor.copy_(early[name])
