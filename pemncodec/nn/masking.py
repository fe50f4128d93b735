"""Random-vector padding with edge-popup masks, as a PyTorch parametrization.

The trained parameter (`module.parametrizations.weight.original`) is the score of every weight. The weight itself is
computed: a short random vector, tiled over the layer, wherever the score is among the top `keep` of the layer, and
zero elsewhere (Ramanujan et al., CVPR 2020; Bai et al., NeurIPS 2022, section 3.3).
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..errors import MaskRuleError, NetworkError
from ..prototypes.generator import Generator
from ..recipe import Recipe

M = TypeVar("M", bound=nn.Module)

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class _TopKFill(torch.autograd.Function):
    """The filled weight where |score| is among the largest, +0.0 elsewhere; straight-through backward."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, filled: torch.Tensor, drop: int) -> torch.Tensor:
        # Stable, so that the mask is the one that the codec derives from the saved scores.
        order = torch.sort(scores.flatten(), stable=True).indices
        weight = filled.flatten().clone()
        weight[order[:drop]] = 0.0
        ctx.save_for_backward(filled)
        return weight.view_as(scores)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (filled,) = ctx.saved_tensors
        return gradients[0] * filled, None, None


class MaskedFill(nn.Module):
    """Parametrization that turns scores into a masked, filled weight.

    Args:
        recipe: the prototype and the fraction kept.
        prototype: its values, float32, shape (length,); one tensor for all layers that share it.

    Attributes:
        recipe: int64, in the state_dict, so that `pemn pack` needs no flag.
    """

    prototype: torch.Tensor
    recipe: torch.Tensor

    def __init__(self, recipe: Recipe, prototype: torch.Tensor) -> None:
        super().__init__()
        self.keep = recipe.keep
        self.register_buffer("recipe", torch.tensor(recipe.to_integers(), dtype=torch.int64))
        self.register_buffer("prototype", prototype, persistent=False)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """The weight, in the shape of `scores`."""
        repeats = -(-scores.numel() // len(self.prototype))
        filled = self.prototype.repeat(repeats)[: scores.numel()].view(scores.shape)
        drop = int((1 - self.keep) * scores.numel())
        weight: torch.Tensor = _TopKFill.apply(scores.abs(), filled, drop)  # type: ignore[no-untyped-call]
        return weight


def mask_network(model: M, *, ratio: float = 0.01, keep: float = 0.5, seed: int = 0) -> M:
    """Turn the linear and convolutional weights of `model` into masked random weights, in place.

    One vector of d = int(N · ratio) + 1 normal values, N the size of the largest layer, is tiled over every layer
    from its first element on. Its standard deviation is Kaiming's for the largest layer (fan-in, gain √2), as in the
    published code. Scores start as Kaiming uniform, from torch's own generator. Biases and other layers stay as they
    are.

    Args:
        model: any module; its linear and convolution layers (1-d to 3-d) must hold float32 weights.
        ratio: length of the vector as a fraction of the largest layer, in [0, 1].
        keep: fraction of the weights that each layer keeps, in (0, 1].
        seed: seed of the format's generator: the same seed gives the same values on every machine.

    Returns:
        `model`.

    Raises:
        NetworkError: there is no layer to mask, or ratio is outside of [0, 1].
        MaskRuleError: keep is outside of (0, 1].
    """
    if not 0.0 < keep <= 1.0:
        raise MaskRuleError(f"keep is {keep}, and must be above 0 and at most 1: the fraction of weights that are KEPT")
    if not 0.0 <= ratio <= 1.0:
        raise NetworkError(f"ratio is {ratio}, and must be between 0 and 1")
    layers = [module for module in model.modules() if isinstance(module, _LAYERS)]
    if not layers:
        raise NetworkError("the model has no linear or convolutional layer to mask")
    for layer in layers:
        if parametrize.is_parametrized(layer, "weight"):
            raise NetworkError(f"{layer} has a parametrized weight already: a network is masked once")
        if isinstance(layer.weight, nn.UninitializedParameter) or layer.weight.dtype != torch.float32:
            raise NetworkError(f"{layer} has a weight that is no float32: initialise it, and convert after unpacking")
    largest = max((layer.weight for layer in layers), key=lambda weight: weight.numel())
    fan_in = largest[0].numel()
    length = min(int(largest.numel() * ratio) + 1, largest.numel())
    recipe = Recipe(Generator("normal", length, seed, scale=math.sqrt(2.0 / fan_in)), keep)
    values = torch.from_numpy(recipe.generator.values()).to(largest.device)
    for layer in layers:
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
        parametrize.register_parametrization(layer, "weight", MaskedFill(recipe, values))
    return model
