"""The families of checkpoints, one a file, in the order in which they are tried; the first that matches is used.

A family is a file with a `FAMILY`, and a line here. The most specific families come first; `dense`, which accepts
everything, comes last. `--family` tries only the family that it names.
"""

from __future__ import annotations

from ...errors import UnknownLayoutError
from ...errors.quoting import quoted
from ..family import Family
from . import (
    biprop,
    compressed_tensors,
    dense,
    edge_popup,
    fedpm,
    graph_tickets,
    iterand,
    lottery_jackpots,
    lottery_ticket,
    masked_buffers,
    masks_file,
    movement,
    open_lth,
    parametrized,
    piggyback,
    popup_scores,
    supsup,
    task_masks,
    torch_parametrize,
    torch_prune,
)

FAMILIES: tuple[Family, ...] = (
    piggyback.FAMILY,  # dataset2masks, no weights; or X.mask_real
    task_masks.FAMILY,  # per_task_masks or previous_masks beside a network
    parametrized.FAMILY,  # our own layers: says everything itself
    lottery_ticket.FAMILY,  # a folder: final/ and masks/
    open_lth.FAMILY,  # model.X + mask_X; or a folder with mask.pth
    compressed_tensors.FAMILY,  # X.compressed + X.bitmask
    torch_prune.FAMILY,  # X_orig + X_mask
    torch_parametrize.FAMILY,  # X.parametrizations.Y.original + .0.mask
    supsup.FAMILY,  # X.weight + X.scores.0, X.scores.1, …
    iterand.FAMILY,  # X.weight + X.weight_score
    popup_scores.FAMILY,  # X.weight + X.popup_scores
    movement.FAMILY,  # X.weight + X.mask_scores
    biprop.FAMILY,  # X.weight + X.scores, as edge-popup: only where it is named
    edge_popup.FAMILY,  # X.weight + X.scores
    lottery_jackpots.FAMILY,  # X.weight + X.mask (scores) + X.b_mask
    fedpm.FAMILY,  # X.weight + X.mask (logits) + X.bias_mask
    graph_tickets.FAMILY,  # X.weight + X.weight_mask_train + X.weight_mask_fixed
    masked_buffers.FAMILY,  # X.weight + X.mask, Y + Y_mask, … of 0 and 1
    masks_file.FAMILY,  # plain weights, masks from another file or under another key
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
    raise UnknownLayoutError(
        f"family {quoted(name)} is unknown: choose {', '.join(family.name for family in FAMILIES)}"
    )
