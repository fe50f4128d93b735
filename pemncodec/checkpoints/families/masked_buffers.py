"""`X.weight` beside `X.mask` of 0 and 1: what many scripts save. The mask is in the file.

Other values under `mask` may be logits (FedPM) or scores (lottery-jackpots), which do not say what follows from them.
"""

from __future__ import annotations

from ...draft import Draft
from ...errors import MaskRuleError
from ...options import PackOptions
from .. import mask_rules, masked, scored
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored

LAYOUT = "masked-buffers"
_SUFFIX = "mask"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any key is `mask` or ends with `.mask`, beside a weight of its shape.

    Raises:
        UnknownLayoutError: masks without a weight of their shape.
        MaskRuleError: values other than 0 and 1.
    """
    state = checkpoint.state
    pairs = scored.named(state, _SUFFIX)
    if not pairs:
        return None
    for name in pairs.values():
        if not mask_rules.is_binary(state.tensors[name]):
            raise MaskRuleError(
                f"{name!r} has values other than 0 and 1, and the file does not say what follows from them: logits of "
                "Bernoulli masks (--family fedpm --threshold 0.5), or scores (--family lottery-jackpots --keep K)"
            )
    draft = masked.draft_with(state, LAYOUT, pairs, dropped=["*.mask"])
    draft.reasons.append(f"{len(pairs)} weights have a mask of 0 and 1 (first: {next(iter(pairs.values()))!r})")
    draft.original |= masked.mask_dtype(state, pairs)
    return draft


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and their masks."""
    return restored(contents, lambda name: (name, beside(name, _SUFFIX)), masked.weight_and_mask)


FAMILY = Family(LAYOUT, recognise, restore)
