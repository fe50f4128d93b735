"""Checkpoints of other programs: read them safely, recognise their layout, derive the masks.

One file a family, in a closed list with a stated order: the first that recognises the tensors is the one.
Adding a family is adding a file and a line here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..draft import Draft
from ..errors import UnknownLayoutError
from ..options import PackOptions
from . import dense, edge_popup, parametrized, torch_prune
from .state import State, unwrap

Recogniser = Callable[[State, PackOptions], Draft | None]

RECOGNISERS: tuple[Recogniser, ...] = (
    parametrized.recognise,  # our own layers: says everything itself
    edge_popup.recognise,  # weight + scores
    torch_prune.recognise,  # X_orig + X_mask
    dense.recognise,  # anything else: zeros are the mask
)


def draft_of(source: object, options: PackOptions) -> Draft:
    """What a module, a state_dict or a whole checkpoint says.

    Raises:
        CheckpointError: there is no network in it, its layout is broken, or masks do not follow from it.
    """
    state = unwrap(source, options.key)
    draft = recognise(state, options)
    draft.eps = state.eps
    if options.keep is not None and draft.keep is None:
        draft.notes.append(f"keep {options.keep:g} was not used: the masks of this layout are in the file itself")
    return draft


def recognise(state: State, options: PackOptions) -> Draft:
    """The draft of the first family that recognises `state`.

    Raises:
        CheckpointError: the family's layout is broken, or masks do not follow from it.
    """
    for recogniser in RECOGNISERS:
        draft = recogniser(state, options)
        if draft is not None:
            draft.dropped.extend(state.dropped)
            draft.notes.extend(state.notes)
            return draft
    raise UnknownLayoutError("no layout fits")  # pragma: no cover (dense takes everything)
