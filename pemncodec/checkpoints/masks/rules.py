"""From scores to masks, exactly as the published code does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import torch
from numpy.typing import NDArray

from ...common import bits
from ...common.bits import Packed
from ...errors import MaskRuleError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network.mask import Mask
from .selection import Magnitudes

_INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


@dataclass(frozen=True)
class Derived:
    """A mask, and the equal scores that straddle the cut, of which another sort could choose others (None: none do)."""

    mask: Mask
    tied: Packed | None = None


def edge_popup(scores: torch.Tensor, keep: float, name: str, active: NDArray[np.bool_] | None = None) -> Derived:
    """Rule A: the top `keep` of |scores| (Ramanujan et al., CVPR 2020, `GetSubnet`).

    The flat |scores| are sorted in ascending order and the first int((1 − keep) · n) are dropped. The published
    sort is not stable; here equal scores are dropped in the order of their positions.

    Args:
        scores: of the weights, any shape.
        keep: the fraction kept.
        name: for messages.
        active: bool, shape (n,): which weights take part (all by default). The others are not in the mask.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    return _without_smallest(scores, lambda count: dropped(keep, count), name, active)


def _without_smallest(
    scores: torch.Tensor, drop: Callable[[int], int], name: str, active: NDArray[np.bool_] | None
) -> Derived:
    _check_ordered(scores, name)
    magnitudes = Magnitudes(scores, active)
    if magnitudes.have_nan():
        raise _not_trained(name)
    length = scores.numel()
    count = drop(length if active is None else int(np.count_nonzero(active)))
    if count == 0:
        packed = bits.constant(length, True) if active is None else bits.pack(active)
        return Derived(Mask(packed, length))
    largest = magnitudes.without_smallest(count)
    return Derived(Mask(largest.packed, length), largest.tied)


def top_k(scores: torch.Tensor, keep: float, name: str) -> Derived:
    """The lowest int(p · n) of |scores| are dropped (Zhang et al., "Lottery Jackpots Exist in Pre-trained Models",
    `GetMask`), p = 1 − keep as a decimal: rule A, but for the rounding.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    return _without_smallest(scores, lambda count: int(_pruned(keep) * count), name, None)


def _pruned(keep: float) -> float:
    """1 − keep as a decimal: 0.7 for 0.3, as it was typed where the network was trained."""
    return float(1 - Decimal(repr(float(keep))))


def dropped(keep: float, count: int) -> int:
    """Return how many of `count` weights rule A drops; in Python floats, as published: keep = 0.9 of 10 drops none."""
    return int((1 - keep) * count)


def kth_value(scores: torch.Tensor, keep: float, name: str) -> Mask:
    """Rule B: scores that are not below the k-th smallest (Chijiwa et al., NeurIPS 2021, `percentile`).

    With q = 100 · p, p the fraction pruned, k is 1 + round(0.01 · q · (n − 1)), in Python floats; equal scores are all
    kept. p is 1 − keep as a decimal.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    _check_ordered(scores, name)
    count = scores.numel()
    if not count:
        return Mask(bits.constant(0, True), 0)
    flat = _comparable(scores, name)
    rank = 1 + round(0.01 * float(_pruned(keep) * 100) * (count - 1))
    cut = flat.kthvalue(rank).values
    return _where(flat, lambda piece: piece >= cut)


def over_all(scores: Sequence[torch.Tensor], keep: float, names: Sequence[str]) -> list[Mask]:
    """One threshold for the whole network: scores whose magnitude is above it, strictly (Diffenderfer and Kailkhura,
    ICLR 2021, `GlobalSubnetConv`).

    The threshold is the int((1 − keep) · n)-th smallest magnitude of all n; if that is the 0-th, all are kept. Of
    scores that equal it none is kept.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    flat = []
    for tensor, name in zip(scores, names, strict=True):
        _check_ordered(tensor, name)
        flat.append(_comparable(tensor, name).abs())
    drop = dropped(keep, sum(map(len, flat)))
    if drop == 0:
        return [Mask(bits.constant(len(one), True), len(one)) for one in flat]
    cut = torch.cat([one.double() for one in flat]).kthvalue(drop).values
    return [_where(one, lambda piece: piece > cut) for one in flat]


def movement(scores: torch.Tensor, keep: float, name: str) -> Derived:
    """The int(keep · n) largest scores, with their signs (Sanh et al., "Movement Pruning", NeurIPS 2020,
    `TopKBinarizer`). The published sort is not stable; here the first of equal scores are kept.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    flat = _comparable(scores, name)
    count = int(keep * len(flat))
    order = flat.sort(descending=True, stable=True)
    flags = np.zeros(len(flat), dtype=np.bool_)
    flags[order.indices[:count].numpy()] = True
    if not 0 < count < len(flat) or order.values[count - 1] != order.values[count]:
        return Derived(Mask.from_bool(flags))
    return Derived(Mask.from_bool(flags), bits.pack((flat == order.values[count]).numpy()))


def movement_over_all(scores: Sequence[torch.Tensor], keep: float, names: Sequence[str]) -> list[Mask]:
    """One threshold for the whole network (Sanh et al., `global_topk`): signed scores above the k-th smallest of all n,
    k = max(n − int(n · keep) − 1, 1); of a layer in which less than int(0.005 · m) + 1 of its m are, those above the
    (m − int(0.005 · m) − 1)-th smallest of the layer.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    flat = [_comparable(tensor, name) for tensor, name in zip(scores, names, strict=True)]
    together = torch.cat([one.double() for one in flat])
    count = len(together)
    if not count:
        return [Mask(bits.constant(0, True), 0) for _ in flat]
    cut = together.kthvalue(max(count - (int(count * keep) + 1), 1)).values
    masks = []
    for one in flat:
        mask = _where(one, lambda piece: piece > cut)
        least = int(0.005 * len(one)) + 1
        if len(one) and mask.count < least:
            own = one.double().kthvalue(max(len(one) - least, 1)).values
            mask = _where(one, lambda piece, own=own: piece > own)  # type: ignore[misc]
        masks.append(mask)
    return masks


def sigmoid(scores: torch.Tensor, name: str, threshold: float | None = None) -> Mask:
    """Bernoulli masks in evaluation: kept where the probability sigmoid(score) is above the threshold.

    Without a threshold: where it is at least 1/2, that is where the score is at least 0.

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    flat = _comparable(scores, name)
    if threshold is None:
        return _where(flat, lambda piece: piece >= 0)
    return _where(flat, lambda piece: torch.sigmoid(piece) > threshold)


def sure_logits(mask: torch.Tensor) -> torch.Tensor:
    """Logits that `sigmoid` turns into this mask, float32: the probabilities are 1 and 4e-44."""
    return torch.where(mask, 100.0, -100.0)


def above(scores: torch.Tensor, threshold: float, name: str) -> Mask:
    """Scores above a threshold, strictly (Mallya et al., ECCV 2018, `Binarizer`: 5e-3).

    Raises:
        MaskRuleError: a score is NaN, or no number.
    """
    flat = _comparable(scores, name)
    return _where(flat, lambda piece: piece > threshold)


def explicit(mask: torch.Tensor, name: str) -> Mask:
    """A mask that is in the file: every element 0 or 1.

    Raises:
        UnknownLayoutError: another value.
    """
    if not is_binary(mask):
        raise UnknownLayoutError(
            f"mask {quoted(name)} has values other than 0 and 1 (--family dense packs both unchanged)"
        )
    return _where(mask.detach().reshape(-1), lambda piece: piece == 1)


def product(masks: Sequence[Mask]) -> Mask:
    """The mask that keeps what all of these keep."""
    packed = masks[0].packed
    for mask in masks[1:]:
        packed = packed & mask.packed
    return Mask(packed, masks[0].length)


def inverted(mask: Mask) -> Mask:
    """The mask that keeps the rest."""
    return Mask(mask.packed ^ bits.constant(mask.length, True), mask.length)


def is_binary(mask: torch.Tensor) -> bool:
    """Return whether every element is 0 or 1."""
    flat = mask.detach().reshape(-1)
    pieces = (flat[start : start + bits.PIECE] for start in range(0, len(flat), bits.PIECE))
    return all(bool(((piece == 0) | (piece == 1)).all()) for piece in pieces)


def _where(flat: torch.Tensor, kept: Callable[[torch.Tensor], torch.Tensor]) -> Mask:
    def flags(where: slice) -> NDArray[np.bool_]:
        piece: NDArray[np.bool_] = kept(flat[where]).cpu().numpy()
        return piece

    return Mask(bits.pack_pieces(len(flat), flags), len(flat))


def _comparable(scores: torch.Tensor, name: str) -> torch.Tensor:
    """Flat, on the CPU, in a type in which torch compares; exact."""
    _check_ordered(scores, name)
    flat = scores.detach().reshape(-1).cpu()
    if flat.is_floating_point() and flat.dtype not in (torch.float32, torch.float64):
        flat = flat.float()
    if flat.is_floating_point() and bool(flat.isnan().any()):
        raise _not_trained(name)
    return flat


def _check_ordered(scores: torch.Tensor, name: str) -> None:
    if not (scores.is_floating_point() or scores.dtype in _INTEGERS):
        raise MaskRuleError(f"scores {quoted(name)} have dtype {scores.dtype}, which has no order")


def _not_trained(name: str) -> MaskRuleError:
    return MaskRuleError(f"scores {quoted(name)} contain NaN and cannot be ordered: the training diverged")
