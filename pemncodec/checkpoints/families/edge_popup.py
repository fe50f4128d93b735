"""`X.weight` beside `X.scores`: PEMN (yueb17/PEMN) and edge-popup (allenai/hidden-networks), which save alike.

The mask is the top `keep` of |scores| in every layer (rule A). The fraction is in no file, so it must be given:
PEMN's default is 0.5; for `SubnetConv` it is `--prune-rate`, which there means the fraction kept. `FixedSubnetConv`
replaces its scores by the mask itself, 0 and 1: then no option is needed. `SampleSubnetConv` draws a new mask for
every batch, which no file can hold: it is not distinguished here, and needs `--rule sigmoid`.
"""

from __future__ import annotations

import torch

from ...errors import MaskRuleError, OutputError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, restored, torch_type
from ..masks import rules, scored
from ..masks.scored import Masks, Pairs
from ..names import scores_name
from ..options import PackOptions
from ..state import State

NAME = "edge-popup"
_SUFFIX = "scores"
_MISSING = (
    "the fraction of weights to keep is not in the file: use --keep "
    "(0.5 in PEMN's code; the --prune-rate of hidden-networks)"
)


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any key is `scores`, ends with `.scores`, or is that of a tensor and `_scores`.

    Raises:
        UnknownLayoutError: scores without a weight of their shape.
        MaskRuleError: `keep` is missing, contradicts scores that are masks, or there is a tie at the cut.
    """
    state = checkpoint.state
    pairs = scored.named(state, _SUFFIX)
    # what our `masked` layout calls the scores of a tensor that is no `weight`: 0, 1, and 0.5 where either will do
    for name, tensor in state.tensors.items():
        base = state.tensors.get(name[: -len(_SUFFIX) - 1])
        if name.endswith("_" + _SUFFIX) and base is not None and base.shape == tensor.shape and _is_ours(tensor):
            pairs[name[: -len(_SUFFIX) - 1]] = name
    if not pairs:
        return None
    fixed = options.rule is None and all(rules.is_binary(state.tensors[name]) for name in pairs.values())
    if fixed:
        masks = _fixed(state, pairs, options)
        reason = (
            f"all scores (first: {quoted(next(iter(pairs.values())))}) are 0 or 1: they are masks (FixedSubnetConv)"
        )
    else:
        masks = scored.derive(state, pairs, options, "edge-popup", _MISSING)
        reason = f"{len(pairs)} weights have scores beside them (first: {quoted(next(iter(pairs.values())))})"
    draft = scored.draft_with(state, NAME, pairs, masks, dropped=[f"*.{_SUFFIX}"])
    draft.reasons.append(reason)
    dtype = scored.score_dtype(state, pairs)
    if dtype is not None:
        draft.original["scores"] = dtype
    return draft


def _is_ours(scores: torch.Tensor) -> bool:
    return bool(((scores == 0) | (scores == 0.5) | (scores == 1)).all())


def _fixed(state: State, pairs: Pairs, options: PackOptions) -> Masks:
    masks = {weight: rules.explicit(state.tensors[name], name) for weight, name in pairs.items()}
    keep = options.fractions
    if keep is None:
        return Masks(masks, "explicit")
    keep.check_used(pairs)
    for weight, mask in masks.items():
        fraction = keep(weight)
        if fraction is not None and mask.length - mask.count != rules.dropped(fraction, mask.length):
            raise MaskRuleError(
                f"{quoted(pairs[weight])} is a mask of 0 and 1 that keeps {mask.count} of {mask.length}, but --keep "
                f"{fraction:g} keeps {mask.length - rules.dropped(fraction, mask.length)}: omit --keep to use the "
                "mask, or use --rule edge-popup to rank it as scores"
            )
    return Masks(masks, "edge-popup", keep.plain)


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and scores of 0 and 1, which rule A at the same fraction turns into the same masks."""
    return restored(contents, lambda name: (name, scores_name(name)), weight_and_scores)


def weight_and_scores(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight before masking, and its scores of 0 and 1.

    Raises:
        OutputError: scores of that type cannot express the mask.
    """
    weight = contents.filled(name)
    dtype = torch_type(contents.details, "scores", weight.dtype if weight.is_floating_point() else torch.float32)
    check_threshold(contents)
    if contents.rule == "explicit":  # the scores are the mask
        return weight, contents.mask(name, dtype)
    scores = contents.scores(name)
    contents.room(scores.numel() * dtype.itemsize, "scores", keep=True)
    if contents.rule == "sigmoid":
        scores = rules.sure_logits(scores >= 1)
    converted = scores.to(dtype)
    if not dtype.is_floating_point and not torch.equal(converted.to(torch.float32), scores):
        raise OutputError(
            f"scores of {quoted(name)} would be {dtype}, which cannot express its mask: use another layout"
        )
    return weight, converted


def check_threshold(contents: Contents) -> None:
    """Check that the threshold separates scores of 0 and 1.

    Raises:
        OutputError: it does not.
    """
    threshold = contents.threshold
    if contents.rule == "threshold" and (threshold is None or not 0 <= threshold < 1):
        raise OutputError(f"scores of 0 and 1 cannot express a mask at the threshold {threshold}: use another layout")


FAMILY = Family(NAME, recognise, restore)
