"""From scores to masks in training: edge-popup, Bernoulli, ternary and multicoated, with straight-through gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class Select(torch.autograd.Function):
    """`one` where the mask is set and `zero` elsewhere; the gradient passes as if the mask were the surrogate.

    `one` and `zero` get the gradients of what was selected from them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        surrogate: torch.Tensor,  # noqa: ARG004 (its gradient is what this is for)
        mask: torch.Tensor,
        one: torch.Tensor,
        zero: torch.Tensor,
    ) -> torch.Tensor:
        """The selected values, in the shape of `surrogate`."""
        ctx.save_for_backward(mask, one, zero)
        return torch.where(mask, one, zero)

    @staticmethod
    def backward(
        ctx: Any, *gradients: torch.Tensor
    ) -> tuple[torch.Tensor, None, torch.Tensor | None, torch.Tensor | None]:
        """d weight / d mask = one − zero."""
        mask, one, zero = ctx.saved_tensors
        by_weight = gradients[0]
        by_one = by_weight * mask if ctx.needs_input_grad[2] else None
        by_zero = by_weight * ~mask if ctx.needs_input_grad[3] else None
        return by_weight * (one - zero), None, by_one, by_zero


class Ternary(torch.autograd.Function):
    """`one` with the sign of the score where the mask is set, and zero elsewhere; the score gets `one` × gradient.

    The gradient of a kept weight's magnitude goes to `one`.
    """

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, mask: torch.Tensor, one: torch.Tensor) -> torch.Tensor:
        """The weights, in the shape of `scores`. A score of zero is positive."""
        sign = torch.where(scores < 0, -1.0, 1.0) * mask
        ctx.save_for_backward(sign, one)
        return torch.where(mask, sign * one, 0.0)  # and not −0.0

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor | None]:
        """Straight through: d weight / d score = one."""
        sign, one = ctx.saved_tensors
        return gradients[0] * one, None, gradients[0] * sign if ctx.needs_input_grad[2] else None


class Coated(torch.autograd.Function):
    """`one` times the number of masks that keep a weight; the gradient passes through every mask as the surrogate's."""

    @staticmethod
    def forward(
        ctx: Any,
        surrogate: torch.Tensor,  # noqa: ARG004 (its gradient is what this is for)
        level: torch.Tensor,
        one: torch.Tensor,
        coats: int,
    ) -> torch.Tensor:
        """The weights, in the shape of `level`, which is 0 … `coats`."""
        ctx.save_for_backward(level, one)
        ctx.coats = coats
        return torch.where(level > 0, level * one, 0.0)  # and not −0.0

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor | None, None]:
        """Straight through: d weight / d mask = one, for each of the masks."""
        level, one = ctx.saved_tensors
        by_one = gradients[0] * level if ctx.needs_input_grad[2] else None
        return gradients[0] * one * ctx.coats, None, by_one, None


@torch.no_grad()
def levels(scores: torch.Tensor, drops: Sequence[int]) -> torch.Tensor:
    """Return the number of masks that keep each weight, in the dtype of `scores`.

    Each mask is edge-popup's over the same scores, so that one that keeps less lies within one that keeps more (Okoshi
    et al., "Multicoated supermasks enhance hidden networks", ICML 2022).

    Args:
        scores: of the weights.
        drops: for each mask, how many weights it does not keep.
    """
    level = torch.zeros_like(scores)
    for drop in drops:
        level += edge_popup(scores, drop)[1]
    return level


def edge_popup(scores: torch.Tensor, drop: int, idle: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The surrogate |score|, and the mask of all but the `drop` smallest (Ramanujan et al., CVPR 2020).

    Of equal scores the first ones are dropped, so that the mask is the one that the codec derives from the saved
    scores.

    Args:
        scores: of the weights.
        drop: how many of them are not kept.
        idle: bool, shape of `scores`: weights that are zero whatever the mask is, and not among the dropped.
    """
    surrogate = scores.abs()
    ranked = surrogate.detach() if idle is None else surrogate.detach().masked_fill(idle, torch.inf)
    if drop == 0:
        return surrogate, torch.ones_like(ranked, dtype=torch.bool)
    if ranked.device.type == "cpu":  # a selection takes a fraction of the time of a sort; counting would stall a GPU
        mask = ranked > torch.kthvalue(ranked.flatten(), drop).values
        if int(mask.sum()) == ranked.numel() - drop:  # else scores are equal at the cut
            return surrogate, mask
    mask = torch.ones(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[torch.sort(ranked.flatten(), stable=True).indices[:drop]] = False
    return surrogate, mask.view_as(scores)


def bernoulli(scores: torch.Tensor, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The surrogate sigmoid(score), and a mask: drawn with that probability in training, kept at ≥ 1/2 in evaluation.

    Zhou et al., "Deconstructing lottery tickets" (NeurIPS 2019), section 4.
    """
    surrogate = torch.sigmoid(scores)
    mask = torch.rand_like(surrogate) < surrogate if training else scores >= 0
    return surrogate, mask


def start(scores: torch.Tensor, sampler: str, keep: float) -> None:
    """Scores to begin with, in place: Kaiming uniform; for Bernoulli around the logit of `keep`, which is below 1."""
    torch.nn.init.kaiming_uniform_(scores, a=5**0.5)
    if sampler == "bernoulli":
        with torch.no_grad():
            scores += torch.logit(torch.tensor(keep, dtype=torch.float32)).to(scores.device)
