"""`P.parametrizations.Y.original` beside `P.parametrizations.Y.0.mask`: a mask as a torch parametrization.

A parametrization is code; that a buffer called `mask` of 0 and 1 is multiplied with the weight is what its name says.
"""

from __future__ import annotations

from ...errors import UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..masks import explicit
from ..options import PackOptions

NAME = "torch.nn.utils.parametrize"
INFIX = "parametrizations."
_ORIGINAL, _MASK = ".original", ".0.mask"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any parametrized tensor has a mask.

    Raises:
        UnknownLayoutError: a tensor has a second parametrization, or a mask has another shape or other values than 0,
            1.
    """
    state = checkpoint.state
    bases = [name[: -len(_MASK)] for name in state.tensors if name.endswith(_MASK) and INFIX in name]
    masks = {base + _ORIGINAL: (base + _MASK,) for base in bases if base + _ORIGINAL in state.tensors}
    if not masks:
        return None
    for base in (name.removesuffix(_ORIGINAL) for name in masks):
        others = [name for name in state.tensors if name.startswith(base + ".") and name not in (*masks, base + _MASK)]
        if others:
            raise UnknownLayoutError(
                f"{quoted(base)} has a mask and also {quoted(others[0])}: how the two combine is ambiguous "
                "(--family dense packs all of them unchanged)"
            )
    draft = explicit.draft_with(
        state,
        NAME,
        masks,
        options,
        dropped=["*.mask"],
        rename=lambda name: plain_name(name) if name in masks else name,
    )
    others = [name for name in state.tensors if name.endswith(_ORIGINAL) and INFIX in name and name not in masks]
    if others:
        draft.notes.append(
            f"{len(others)} parametrizations have no mask (first: {quoted(others[0])}): stored unchanged"
        )
    draft.reasons.append(f"{len(masks)} parametrizations have a mask (first: {quoted(next(iter(masks.values()))[0])})")
    draft.original |= explicit.mask_dtype(state, masks)
    return draft


def plain_name(original: str) -> str:
    """`P.Y` for `P.parametrizations.Y.original`."""
    prefix, _, rest = original.removesuffix(_ORIGINAL).rpartition(INFIX)
    return prefix + rest


def parametrized_name(name: str) -> str:
    """`P.parametrizations.Y` for `P.Y`."""
    prefix, dot, last = name.rpartition(".")
    return f"{prefix}{dot}{INFIX}{last}"


def restore(contents: Contents) -> Tensors:
    """`original` and `0.mask`; what no mask keeps is zero in `original`."""
    return restored(
        contents,
        lambda name: (parametrized_name(name) + _ORIGINAL, parametrized_name(name) + _MASK),
        explicit.weight_and_mask,
    )


FAMILY = Family(NAME, recognise, restore)
