"""The families of checkpoints, a file each, in the order in which they are asked: the first that recognises one has it.

Adding a family is adding a file with a `FAMILY` and a line here. What says most about itself comes first; `dense`,
which takes everything, comes last. A user who names a family (`--family`) has only that one asked.
"""

from __future__ import annotations

from ...errors import UnknownLayoutError
from ..family import Family
from . import (
    biprop,
    compressed_tensors,
    dense,
    edge_popup,
    fedpm,
    iterand,
    lottery_jackpots,
    lottery_ticket,
    masked_buffers,
    masks_file,
    open_lth,
    parametrized,
    piggyback,
    popup_scores,
    supsup,
    torch_parametrize,
    torch_prune,
)

FAMILIES: tuple[Family, ...] = (
    piggyback.FAMILY,  # dataset2masks, no weights; or X.mask_real
    parametrized.FAMILY,  # our own layers: says everything itself
    lottery_ticket.FAMILY,  # a folder: final/ and masks/
    open_lth.FAMILY,  # model.X + mask_X; or a folder with mask.pth
    compressed_tensors.FAMILY,  # X.compressed + X.bitmask
    torch_prune.FAMILY,  # X_orig + X_mask
    torch_parametrize.FAMILY,  # X.parametrizations.Y.original + .0.mask
    supsup.FAMILY,  # X.weight + X.scores.0, X.scores.1, …
    iterand.FAMILY,  # X.weight + X.weight_score
    popup_scores.FAMILY,  # X.weight + X.popup_scores
    biprop.FAMILY,  # X.weight + X.scores, as edge-popup: only where it is named
    edge_popup.FAMILY,  # X.weight + X.scores
    lottery_jackpots.FAMILY,  # X.weight + X.mask (scores) + X.b_mask
    fedpm.FAMILY,  # X.weight + X.mask (logits) + X.bias_mask
    masked_buffers.FAMILY,  # X.weight + X.mask of 0 and 1
    masks_file.FAMILY,  # plain weights, masks from another file
    dense.FAMILY,  # anything else: zeros are the mask
)


def family_named(name: str) -> Family:
    """The family of that name.

    Raises:
        UnknownLayoutError: there is none.
    """
    for family in FAMILIES:
        if family.name == name:
            return family
    raise UnknownLayoutError(f"there is no family {name!r}: choose {', '.join(family.name for family in FAMILIES)}")
