"""Weights with masks of 0 and 1 that are in the file: the draft, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from .. import torch_tensors
from ..draft import Draft, DraftEntry, MaskedWeight
from ..errors import UnknownLayoutError
from . import mask_rules
from .family import Contents, torch_type
from .state import State


def draft_with(
    state: State,
    layout: str,
    masks: Mapping[str, str],
    *,
    dropped: Sequence[str],
    rename: Callable[[str], str] = lambda name: name,
) -> Draft:
    """The draft: weights with the masks beside them, everything else as it is.

    Args:
        masks: the name of the mask by the name of the weight, both in `state`.
        dropped: what the draft says it left out.
        rename: what a tensor is called in the network that has no masks.

    Raises:
        UnknownLayoutError: a mask has another shape than its weight, values other than 0 and 1; two tensors of one
            name.
    """
    draft = Draft(layout, "explicit", dropped=list(dropped))
    used = set(masks.values())
    draft.entries = [_entry(state, name, masks.get(name), rename) for name in state.tensors if name not in used]
    seen: set[str] = set()
    for entry in draft.entries:
        if entry.name in seen:
            raise UnknownLayoutError(f"{entry.name!r} stands beside its masked form: which of them counts is not said")
        seen.add(entry.name)
    return draft


def _entry(state: State, name: str, mask_name: str | None, rename: Callable[[str], str]) -> DraftEntry:
    if mask_name is None:
        return state.plain(name, rename)
    tensor, mask = state.tensors[name], state.tensors[mask_name]
    if mask.shape != tensor.shape:
        raise UnknownLayoutError(
            f"{name!r} has the shape {tuple(tensor.shape)} and {mask_name!r} {tuple(mask.shape)}: they must be equal"
        )
    dtype, values = torch_tensors.to_words(tensor, name)
    return MaskedWeight(rename(name), dtype, tuple(tensor.shape), values, mask_rules.explicit(mask, mask_name))


def weight_and_mask(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight before masking, and its mask of 0 and 1 in the type that the original had: `mask` of the details, or the
    weight's own."""
    weight = contents.filled(name)
    return weight, contents.mask(name, torch_type(contents.details, "mask", weight.dtype))


def mask_dtype(state: State, masks: Mapping[str, str]) -> dict[str, str]:
    """What `Draft.original` says of the type of the masks; nothing where it is that of the weights."""
    kinds = {state.tensors[mask].dtype for mask in masks.values()}
    if len(kinds) != 1 or all(
        state.tensors[mask].dtype == state.tensors[weight].dtype for weight, mask in masks.items()
    ):
        return {}
    return {"mask": str(kinds.pop()).removeprefix("torch.")}
