"""`X_orig` beside `X_mask`: torch.nn.utils.prune, for any tensor name. The mask is in the file."""

from __future__ import annotations

from .. import torch_tensors
from ..draft import Draft, MaskedWeight
from ..errors import UnknownLayoutError
from ..options import PackOptions
from . import mask_rules
from .state import State

LAYOUT = "torch.nn.utils.prune"


def recognise(state: State, options: PackOptions) -> Draft | None:
    """A draft if any tensor has the pair of names.

    Raises:
        UnknownLayoutError: the other of the pair is missing or has another shape, or X stands beside it.
    """
    originals = {name: name[: -len("_orig")] for name in state.tensors if name.endswith("_orig")}
    masks = {name[: -len("_mask")]: name for name in state.tensors if name.endswith("_mask")}
    if not any(base in masks for base in originals.values()):
        return None
    draft = Draft(LAYOUT, "explicit", dropped=["*_mask"])
    used = {masks[base] for base in originals.values() if base in masks}
    for name, tensor in state.tensors.items():
        if name in used:
            continue
        base = originals.get(name)
        if base is None or base not in masks:
            draft.entries.append(state.plain(name))
            continue
        mask = state.tensors[masks[base]]
        if mask.shape != tensor.shape:
            raise UnknownLayoutError(
                f"{name!r} has the shape {tuple(tensor.shape)} and {masks[base]!r} {tuple(mask.shape)}: they must be "
                "equal"
            )
        if base in state.tensors:
            raise UnknownLayoutError(f"{base!r} stands beside {name!r}: which of them is the weight is not said")
        dtype, values = torch_tensors.to_words(tensor, name)
        draft.entries.append(
            MaskedWeight(base, dtype, tuple(tensor.shape), values, mask_rules.explicit(mask, masks[base]))
        )
    return draft
