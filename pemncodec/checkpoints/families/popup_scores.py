"""`X.weight` beside `X.popup_scores`: scripts that reimplement edge-popup (iceychris/edge-popup, inspire-group/hydra).

Rule A, with a fraction that must be given. hydra also writes a dense file that is masked already: that is `dense`.
"""

from __future__ import annotations

from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored
from ..masks import scored
from ..options import PackOptions
from .edge_popup import weight_and_scores

NAME = "popup-scores"
_SUFFIX = "popup_scores"
_MISSING = "the fraction of weights to keep is not in the file: use --keep (the -k of hydra)"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any key is `popup_scores` or ends with `.popup_scores`.

    Raises:
        UnknownLayoutError: scores without a weight of their shape.
        MaskRuleError: `keep` is missing, or there is a tie at the cut.
    """
    return scored.recognise(checkpoint.state, options, NAME, _SUFFIX, "edge-popup", _MISSING)


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and popup scores of 0 and 1."""
    return restored(contents, lambda name: (name, beside(name, _SUFFIX)), weight_and_scores)


FAMILY = Family(NAME, recognise, restore)
