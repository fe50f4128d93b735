"""`X.weight` beside `X.weight_mask_train` and `X.weight_mask_fixed`: UGS, lottery tickets of graph networks.

The network computes with the product of the three (Chen et al., "A Unified Lottery Ticket Hypothesis for Graph Neural
Networks", ICML 2021). The fixed mask is of 0 and 1; the trained one may have any values, which become part of the
weights that are kept.
"""

from __future__ import annotations

import torch

from ...common import torch_tensors
from ...errors import UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft, MaskedWeight
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..masks import explicit, rules
from ..options import PackOptions
from ..state import State, memory_of

NAME = "graph-tickets"
_TRAIN, _FIXED = "_mask_train", "_mask_fixed"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any tensor has both masks.

    Raises:
        UnknownLayoutError: a mask of another shape; a fixed mask with values other than 0 and 1.
    """
    state = checkpoint.state
    masks = {
        name: (name + _FIXED, name + _TRAIN)
        for name in state.tensors
        if name + _TRAIN in state.tensors and name + _FIXED in state.tensors
    }
    if not masks:
        return None
    if all(rules.is_binary(state.tensors[train]) for _, train in masks.values()):
        draft = explicit.draft_with(state, NAME, masks, options, dropped=["*_mask_train", "*_mask_fixed"])
    else:
        draft = Draft(NAME, "explicit", dropped=["*_mask_train", "*_mask_fixed"])
        used = {name for names in masks.values() for name in names}
        draft.entries = [
            _multiplied(state, name, *masks[name]) if name in masks else state.plain(name)
            for name in state.tensors
            if name not in used
        ]
        draft.notes.append("trained masks have values other than 0 and 1: they are multiplied into the weights")
    draft.reasons.append(f"{len(masks)} tensors have a trained and a fixed mask (first: {quoted(next(iter(masks)))})")
    return draft


def _multiplied(state: State, name: str, fixed: str, train: str) -> MaskedWeight:
    weight = state.tensors[name]
    for mask in (fixed, train):
        if state.tensors[mask].shape != weight.shape:
            raise UnknownLayoutError(f"{quoted(mask)} has a different shape from {quoted(name)}: they must be equal")
    values = (weight * state.tensors[train]).to(weight.dtype)
    dtype, words = torch_tensors.to_words(values, name)
    kept = rules.explicit(state.tensors[fixed], fixed)
    shape = tuple(weight.shape)
    return MaskedWeight(name, dtype, shape, words, kept, memory=memory_of(weight), source=name, scores=(fixed, train))


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and the mask twice."""
    return restored(contents, lambda name: (name, name + _FIXED, name + _TRAIN), _parts)


def _parts(contents: Contents, name: str) -> tuple[torch.Tensor, ...]:
    weight, mask = explicit.weight_and_mask(contents, name)
    return weight, mask, mask.clone()


FAMILY = Family(NAME, recognise, restore)
