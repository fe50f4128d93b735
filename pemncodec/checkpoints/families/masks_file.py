"""A plain state_dict, and masks of 0 and 1 by the names of its weights elsewhere.

In another file (`--masks`: open_lth's and NNI's `mask.pth`, `.npz`, a list), or under a key of its own beside the
state_dict: `mask_dict`, `masks_dict`, `masks`. Values may be other than zero outside of a mask: the mask wins.
"""

from __future__ import annotations

from typing import Any

import torch

from ..containers import holds_values
from ..draft import Draft
from ..family import Beside, Checkpoint, Contents, Family, Tensors, put, restored
from ..masks import explicit, found_masks
from ..options import PackOptions
from ..state import MASKS, State

NAME = "masks-file"
# What a mask is called among the tensors until it is applied.
PREFIX = "mask of "


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if the user gave masks, or the checkpoint has them under a key of their own.

    Raises:
        UnknownLayoutError: a mask without a tensor of its name and shape, or with values other than 0 and 1.
    """
    state = checkpoint.state
    if options.masks is not None:
        draft = with_masks(state, options.masks, NAME, options)
        draft.reasons.append("the masks were given in another file")
        return draft
    under = [
        key
        for key, value in state.beside.items()
        if key in MASKS and holds_values(value) and found_masks.names_any(value, state)
    ]
    if not under:
        return None
    draft = with_masks(state, state.beside[under[0]], NAME, options)
    draft.original["masks_under"] = under[0]
    draft.reasons.append(f"there are masks under {under[0]!r} beside the network")
    state.dropped[:] = [name for name in state.dropped if name != under[0]]
    state.notes[:] = [note for note in state.notes if repr(under[0]) not in note]
    return draft


def with_masks(state: State, source: Any, family: str, options: PackOptions, *, some: bool = True) -> Draft:
    """The draft of a network and masks by name.

    Args:
        source: as for `found_masks.given`.
        some: whether there must be a mask.

    Raises:
        UnknownLayoutError: as `recognise`.
    """
    masks = found_masks.given(source, state) if some or source else {}
    together = state.with_tensors({PREFIX + name: mask for name, (_, mask) in masks.items()})
    names = {name: (PREFIX + name,) for name in masks}
    draft = explicit.draft_with(together, family, names, options, dropped=[])
    draft.original["names"] = {name: called for name, (called, _) in masks.items() if called != name}
    kinds = {str(mask.dtype).removeprefix("torch.") for _, mask in masks.values()}
    if len(kinds) == 1:
        draft.original["mask"] = kinds.pop()
    return draft


def restore(contents: Contents) -> Tensors | Beside:
    """The weights, multiplied by their masks; and the masks, where they were in the checkpoint."""
    weights = restored(contents, lambda name: (name,), lambda contents, name: (contents.dense(name),))
    under = contents.details.get("masks_under")
    if under is None:
        return weights
    called = contents.details.get("names", {})
    masks: Tensors = {}
    for name in contents.names:
        if contents.masked(name):
            put(masks, called.get(name, name), explicit.mask_of(contents, name, torch.float32))
    return Beside(weights, {under: masks})


FAMILY = Family(NAME, recognise, restore)
