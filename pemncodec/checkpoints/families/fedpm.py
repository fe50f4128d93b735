"""FedPM (BerivanIsik/sparse-random-networks): `X.weight`, `X.bias`, and logits for both, `X.mask` and `X.bias_mask`.

A mask is drawn, Bernoulli(sigmoid(logit)), for every batch, also in evaluation, unless that is given a threshold: then
weights with a probability above it are kept. A file cannot hold a draw, so the threshold must be given.
"""

from __future__ import annotations

import torch

from ...errors import MaskRuleError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored
from ..masks import rules, scored
from ..options import PackOptions

NAME = "fedpm"
_WEIGHT, _BIAS = "mask", "bias_mask"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if there are `mask` and `bias_mask` with other values than 0 and 1, or the user named this family.

    Raises:
        UnknownLayoutError: logits without a tensor of their shape.
        MaskRuleError: no threshold is given.
    """
    state = checkpoint.state
    asked = options.family == NAME
    weights = scored.named(state, _WEIGHT, strict=asked)
    biases = scored.named(state, _BIAS, weight="bias", strict=asked)
    pairs = weights | biases
    if not asked:
        binary = all(rules.is_binary(state.tensors[name]) for name in pairs.values())
        if not weights or not biases or binary:  # masks of 0 and 1 are no logits
            return None
    if not pairs:
        return None
    if options.threshold is None:
        raise MaskRuleError(
            f"{len(pairs)} tensors have logits of Bernoulli masks (first: {quoted(next(iter(pairs.values())))}), which "
            "are drawn anew at every use: choose one mask with --threshold T (probabilities above T, as in FedPM's "
            "evaluation)"
        )
    masks = scored.derive(state, pairs, options, None, "no rule was given: use --threshold T")
    draft = scored.draft_with(state, NAME, pairs, masks, dropped=["*.mask", "*.bias_mask"])
    draft.reasons.append(
        f"{len(pairs)} tensors have logits (first: {quoted(next(iter(pairs.values())))}), biases included"
    )
    return draft


def restore(contents: Contents) -> Tensors:
    """Tensors before masking, and logits of ±100: probabilities of 1 and 4e-44."""
    return restored(contents, lambda name: (name, _logits(name)), _weight_and_logits)


def _logits(name: str) -> str:
    prefix, dot, last = name.rpartition(".")
    return prefix + dot + _BIAS if last == "bias" else beside(name, _WEIGHT)


def _weight_and_logits(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    weight = contents.filled(name)
    dtype = weight.dtype if weight.is_floating_point() else torch.float32
    contents.room(weight.numel() * dtype.itemsize, "logits", keep=True)
    return weight, rules.sure_logits(contents.mask(name)).to(dtype)


FAMILY = Family(NAME, recognise, restore)
