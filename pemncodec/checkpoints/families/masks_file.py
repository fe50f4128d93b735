"""A plain state_dict, and masks of 0 and 1 by the names of its weights in another file (`--masks`).

So open_lth keeps them: `mask.pth` beside `model_ep*_it*.pth`. Values may be other than zero outside of a mask: the mask
wins.
"""

from __future__ import annotations

from ...draft import Draft
from ...errors import UnknownLayoutError
from ...options import PackOptions
from .. import masked
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..state import State, unwrap

LAYOUT = "masks-file"
# What a mask is called among the tensors until it is applied.
_PREFIX = "mask of "


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if the user gave masks.

    Raises:
        UnknownLayoutError: a mask without a tensor of its name and shape, or with values other than 0 and 1.
    """
    if options.masks is None:
        return None
    draft = with_masks(checkpoint.state, unwrap(options.masks), LAYOUT)
    draft.reasons.append("masks are given in another file")
    return draft


def with_masks(state: State, masks: State, layout: str) -> Draft:
    """The draft of a network and masks by name.

    Raises:
        UnknownLayoutError: as `recognise`.
    """
    missing = [name for name in masks.tensors if name not in state.tensors]
    if missing:
        raise UnknownLayoutError(f"there is a mask for {missing[0]!r}, and no tensor of that name in the checkpoint")
    together = state.with_tensors({_PREFIX + name: mask for name, mask in masks.tensors.items()})
    draft = masked.draft_with(together, layout, {name: _PREFIX + name for name in masks.tensors}, dropped=[])
    kinds = {str(mask.dtype).removeprefix("torch.") for mask in masks.tensors.values()}
    if len(kinds) == 1:
        draft.original["mask"] = kinds.pop()
    return draft


def restore(contents: Contents) -> Tensors:
    """The weights, multiplied by their masks; the masks are the places that are not zero."""
    return restored(contents, lambda name: (name,), lambda contents, name: (contents.dense(name),))


FAMILY = Family(LAYOUT, recognise, restore)
