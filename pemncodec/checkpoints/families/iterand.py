"""`X.weight` beside `X.weight_score`: dchiji-ntt/iterand, and scripts after it.

Rule B on the raw score: not below the k-th smallest. The configuration has the sparsity, that is the fraction pruned;
the fraction kept must be given.
"""

from __future__ import annotations

from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored
from ..masks import scored
from ..options import PackOptions
from .edge_popup import weight_and_scores

NAME = "iterand"
_SUFFIX = "weight_score"
_MISSING = (
    "the fraction of weights to keep is not in the file: use --keep, 1 minus conv_sparsity of the configuration "
    "(and for other linear layers --keep 'fc*=…')"
)


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any key is `weight_score` or ends with `.weight_score`.

    Raises:
        UnknownLayoutError: scores without a weight of their shape.
        MaskRuleError: `keep` is missing.
    """
    return scored.recognise(checkpoint.state, options, NAME, _SUFFIX, "kth-value", _MISSING)


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and scores of 0 and 1: the k-th smallest of these is 1."""
    return restored(contents, lambda name: (name, beside(name, _SUFFIX)), weight_and_scores)


FAMILY = Family(NAME, recognise, restore)
