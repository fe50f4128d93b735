"""The rules that several projects share, from scores to masks, in plain torch."""

from __future__ import annotations

import torch


def dropped_by_edge_popup(keep: float, count: int) -> int:
    """Return how many of `count` scores `edge_popup` drops, computed in Python floats."""
    return int((1 - keep) * count)


def edge_popup(scores: torch.Tensor, keep: float) -> torch.Tensor:
    """Sort |scores| in ascending order and drop the first int((1 − keep) · n)."""
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    order = scores.abs().flatten().sort(stable=True).indices
    mask[order[: dropped_by_edge_popup(keep, scores.numel())]] = False
    return mask.reshape(scores.shape)


def dropped_by_kth_value(sparsity: float, count: int) -> int:
    """Return how many of `count` scores are below the threshold of `kth_value` if no two are equal."""
    return round(0.01 * float(sparsity * 100) * (count - 1))


def kth_value(scores: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Keep every score that is not below the k-th smallest; no absolute value is taken, and ties are all kept."""
    k = 1 + dropped_by_kth_value(sparsity, scores.numel())
    return scores >= scores.flatten().kthvalue(k).values
