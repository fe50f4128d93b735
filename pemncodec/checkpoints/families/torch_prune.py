"""`X_orig` beside `X_mask`: torch.nn.utils.prune, for any tensor name. The mask is in the file.

After `prune.remove()` there are plain zeros: that is `dense`.
"""

from __future__ import annotations

from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..masks import explicit
from ..options import PackOptions

NAME = "torch.nn.utils.prune"
_WEIGHT, _MASK = "_orig", "_mask"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any tensor has the pair of names; what has only one of them (spectral_norm's `weight_orig`, a buffer
    `attn_mask`) is an ordinary tensor.

    Raises:
        UnknownLayoutError: the mask has another shape or other values than 0 and 1, or X stands beside the pair.
    """
    state = checkpoint.state
    bases = [name[: -len(_WEIGHT)] for name in state.tensors if name.endswith(_WEIGHT)]
    masks = {base + _WEIGHT: (base + _MASK,) for base in bases if base + _MASK in state.tensors}
    if not masks:
        return None
    draft = explicit.draft_with(
        state,
        NAME,
        masks,
        options,
        dropped=["*_mask"],
        rename=lambda name: name[: -len(_WEIGHT)] if name in masks else name,
    )
    draft.reasons.append(f"{len(masks)} tensors have {_WEIGHT} and {_MASK} (first: {quoted(next(iter(masks)))})")
    draft.original |= explicit.mask_dtype(state, masks)
    return draft


def restore(contents: Contents) -> Tensors:
    """`X_orig` and `X_mask`; what no mask keeps is zero in `X_orig`."""
    return restored(contents, lambda name: (name + _WEIGHT, name + _MASK), explicit.weight_and_mask)


FAMILY = Family(NAME, recognise, restore)
