"""`X.weight` beside `X.mask_scores`: movement pruning (Sanh et al., NeurIPS 2020; transformers' research project).

Kept are the largest signed scores: of every layer (rule `movement`, the published default), or over the whole network
(`--rule movement-global`); with a sigmoid, those above a threshold (`--rule sigmoid --threshold T`). The fraction is in
no file.
"""

from __future__ import annotations

from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..masks import scored
from ..options import PackOptions
from .edge_popup import weight_and_scores

NAME = "movement"
_SUFFIX = "mask_scores"
_MISSING = (
    "the fraction of weights to keep is not in the file: use --keep, the --final_threshold of the "
    "script (as a "
    "fraction)"
)


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any key is `mask_scores` or ends with `.mask_scores`, beside a weight.

    Raises:
        UnknownLayoutError: scores of another shape than their weight.
        MaskRuleError: `keep` is missing, or there is a tie at the cut.
    """
    return scored.recognise(checkpoint.state, options, NAME, _SUFFIX, "movement", _MISSING)


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and scores of 0 and 1."""
    return restored(contents, lambda name: (name, name.removesuffix("weight") + _SUFFIX), weight_and_scores)


FAMILY = Family(NAME, recognise, restore)
