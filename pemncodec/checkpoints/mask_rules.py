"""From scores to masks, exactly as the published code does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .. import bits
from ..errors import MaskRuleError, UnknownLayoutError
from ..mask import Mask
from .selection import Magnitudes


@dataclass(frozen=True)
class Derived:
    """A mask, and whether equal scores straddled the cut (so that another sort could choose differently)."""

    mask: Mask
    tie: bool


def edge_popup(scores: torch.Tensor, keep: float, name: str, active: NDArray[np.bool_] | None = None) -> Derived:
    """The top `keep` of |scores| (Ramanujan et al., CVPR 2020, `GetSubnet`).

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
    if not (
        scores.is_floating_point() or scores.dtype in (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)
    ):
        raise MaskRuleError(f"scores {name!r} have dtype {scores.dtype}, which has no order")
    magnitudes = Magnitudes(scores, active)
    if magnitudes.have_nan():
        raise MaskRuleError(f"scores {name!r} contain NaN, so their order says nothing: the network did not train")
    length = scores.numel()
    taking_part = length if active is None else int(np.count_nonzero(active))
    drop = int((1 - keep) * taking_part)  # in Python floats, as published: k = 0.9, n = 10 gives 0
    if drop == 0:
        packed = bits.constant(length, True) if active is None else bits.pack(active)
        return Derived(Mask(packed, length), False)
    largest = magnitudes.without_smallest(drop)
    return Derived(Mask(largest.packed, length), largest.tie)


def sigmoid(scores: torch.Tensor, name: str) -> Derived:
    """Bernoulli masks in evaluation: kept where sigmoid(score) ≥ 1/2, that is where the score is at least 0.

    Raises:
        MaskRuleError: a score is NaN.
    """
    flat = scores.detach().reshape(-1)

    def kept(where: slice) -> NDArray[np.bool_]:
        piece = flat[where].cpu()
        if bool(piece.isnan().any()):
            raise MaskRuleError(f"scores {name!r} contain NaN: the network did not train")
        return (piece >= 0).numpy()

    return Derived(Mask(bits.pack_pieces(len(flat), kept), len(flat)), False)


def explicit(mask: torch.Tensor, name: str) -> Mask:
    """A mask that is in the file: every element 0 or 1.

    Raises:
        UnknownLayoutError: another value.
    """
    flat = mask.detach().reshape(-1)

    def kept(where: slice) -> NDArray[np.bool_]:
        piece = flat[where].cpu()
        ones = piece == 1
        if not bool((ones | (piece == 0)).all()):
            raise UnknownLayoutError(f"mask {name!r} has values other than 0 and 1")
        return ones.numpy()

    return Mask(bits.pack_pieces(len(flat), kept), len(flat))
