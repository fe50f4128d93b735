"""zyxxmu/lottery-jackpots: `X.weight`, scores that are called `X.mask`, and `X.b_mask`, the mask, where it was saved.

Without `b_mask` (the first release) the family has to be named, and the lowest int(p · n) of |scores| are dropped, p
the fraction pruned, which the checkpoint has a layer as `cfg`.
"""

from __future__ import annotations

import torch

from ...errors import UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored
from ..masks import explicit, rules, scored
from ..masks.scored import Masks
from ..options import PackOptions
from .edge_popup import weight_and_scores

NAME = "lottery-jackpots"
_SCORES, _MASK = "mask", "b_mask"
_MISSING = "there is no b_mask beside them, and the fraction of weights to keep is not in the file: use --keep"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if there is `b_mask`, or `mask` and the user named this family.

    Raises:
        UnknownLayoutError: scores or masks without a weight of their shape, masks with values other than 0 and 1.
        MaskRuleError: there are no masks, and `keep` is missing; or there is a tie at the cut.
    """
    state = checkpoint.state
    explicit = scored.named(state, _MASK)
    if not explicit and options.family != NAME:
        return None
    pairs = scored.named(state, _SCORES, strict=bool(explicit) or options.family == NAME)
    if explicit:
        lacking = [name for weight, name in pairs.items() if weight not in explicit]
        if lacking:
            raise UnknownLayoutError(f"{quoted(lacking[0])} has no b_mask, but other layers do")
        masks = Masks({w: rules.explicit(state.tensors[name], name) for w, name in explicit.items()}, "explicit")
        draft = scored.draft_with(state.without(pairs.values()), NAME, explicit, masks, dropped=["*.mask", "*.b_mask"])
        draft.reasons.append(f"{len(explicit)} weights have a b_mask (first: {quoted(next(iter(explicit.values())))})")
        draft.original["b_mask"] = True
        draft.accounted.extend(pairs.values())
        return draft
    if not pairs:
        return None
    derived = scored.derive(state, pairs, options, "top-k", _MISSING)
    draft = scored.draft_with(state, NAME, pairs, derived, dropped=["*.mask"])
    draft.reasons.append(f"{len(pairs)} weights have scores named mask, and the family was given")
    return draft


def restore(contents: Contents) -> Tensors:
    """Weights before masking, scores of 0 and 1, and b_mask where there was one."""
    names = (_SCORES, _MASK) if contents.details.get("b_mask") else (_SCORES,)
    return restored(contents, lambda name: (name, *(beside(name, n) for n in names)), _parts)


def _parts(contents: Contents, name: str) -> tuple[torch.Tensor, ...]:
    if not contents.details.get("b_mask"):
        return weight_and_scores(contents, name)
    weight, mask = explicit.weight_and_mask(contents, name)
    return weight, mask, contents.mask(name, mask.dtype)


FAMILY = Family(NAME, recognise, restore)
