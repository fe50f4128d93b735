"""Mask rules as properties of the scores on both sides of a mask, checked without selecting anything."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import torch


def keys_of(scores: torch.Tensor, magnitude: bool) -> torch.Tensor:
    """The scores as numbers that compare exactly, flat."""
    flat = scores.reshape(-1)
    flat = flat.double() if flat.is_floating_point() else flat.to(torch.int64)
    return flat.abs() if magnitude else flat


def splits(keys: torch.Tensor, mask: torch.Tensor, dropped: int, *, first_dropped: bool = True) -> bool:
    """Return whether a mask drops `dropped` elements, none of them larger than one that it keeps.

    Args:
        first_dropped: whether of equal keys at the cut the first are dropped; else the last.
    """
    if int((~mask).sum()) != dropped:
        return False
    if dropped in (0, len(mask)):
        return True
    high, low = keys[~mask].max(), keys[mask].min()
    if high != low:
        return bool(high < low)
    equal = keys == low
    kept, lost = (equal & mask).nonzero(), (equal & ~mask).nonzero()
    return bool(lost.max() < kept.min()) if first_dropped else bool(kept.max() < lost.min())


def pruned(keep: float) -> float:
    """1 − keep as a decimal."""
    return float(1 - Decimal(repr(float(keep))))


def follows(
    rule: str, scores: torch.Tensor, mask: torch.Tensor, keep: float | None, threshold: float | None
) -> bool | None:
    """Return whether a mask, bool and flat, follows from scores by a rule of single layers; None for other rules."""
    count = scores.numel()
    if rule == "sigmoid":
        flat = scores.reshape(-1).float() if scores.dtype != torch.float64 else scores.reshape(-1)
        kept = flat >= 0 if threshold is None else torch.sigmoid(flat) > threshold
        return torch.equal(kept, mask)
    if rule == "threshold" and threshold is not None:
        flat = scores.reshape(-1)
        return torch.equal((flat.float() if flat.itemsize < 4 else flat) > threshold, mask)
    if keep is None:
        return None
    if rule == "edge-popup":
        return splits(keys_of(scores, True), mask, int((1 - keep) * count))
    if rule == "top-k":
        return splits(keys_of(scores, True), mask, int(pruned(keep) * count))
    if rule == "movement":
        return splits(keys_of(scores, False), mask, count - int(keep * count), first_dropped=False)
    if rule == "kth-value":
        keys = keys_of(scores, False)
        rank = 1 + round(0.01 * float(pruned(keep) * 100) * (count - 1))
        if not count:
            return True
        if not mask.any():
            return False
        cut = keys[mask].min()
        at_rank = int((keys < cut).sum()) < rank <= int((keys <= cut).sum())
        return at_rank and torch.equal(keys >= cut, mask)
    return None


def follow_together(
    rule: str, scores: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], keep: float
) -> bool | None:
    """As `follows`, for rules with one threshold for all layers."""
    if not scores:
        return True
    if rule == "global":
        keys, mask = torch.cat([keys_of(one, True).double() for one in scores]), torch.cat(list(masks))
        drop = int((1 - keep) * len(keys))
        if drop == 0:
            return bool(mask.all())
        if mask.all():
            return False
        cut = keys[~mask].max()
        return int((keys < cut).sum()) < drop <= int((keys <= cut).sum()) and torch.equal(keys > cut, mask)
    if rule == "movement-global":
        flat = [keys_of(one, False).double() for one in scores]
        keys = torch.cat(flat).sort().values
        cut = keys[max(len(keys) - (int(len(keys) * keep) + 1), 1) - 1]
        return all(torch.equal(_at_least(one, one > cut), mask) for one, mask in zip(flat, masks, strict=True))
    return None


def _at_least(keys: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    least = int(0.005 * len(keys)) + 1
    if not len(keys) or int(kept.sum()) >= least:
        return kept
    return keys > keys.sort().values[max(len(keys) - least, 1) - 1]
