"""A mask of 0 and 1 beside its weight, in the file: what many scripts save.

`X.mask` or `X.prune_mask` beside `X.weight`, `Y_mask` or `Y.mask` beside any tensor `Y` (Synaptic-Flow, SNIP and GraSP
forks: `weight_mask`, `bias_mask`); other names with `--mask-suffix`. A mask of (out, 1, 1, 1) holds for all of a
channel. Other values under `mask` may be logits (FedPM) or scores (lottery-jackpots), which do not say what follows.
"""

from __future__ import annotations

from ...errors import MaskRuleError, UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored
from ..masks import explicit, found_masks, rules
from ..options import PackOptions
from ..state import State

NAME = "masked-buffers"
_SUFFIX = "mask"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any tensor has a mask beside it.

    Raises:
        UnknownLayoutError: no mask has the name that was given.
        MaskRuleError: values other than 0 and 1 in `X.mask`, in the shape of `X.weight`.
    """
    state = checkpoint.state
    pairs = found_masks.beside(state, options.mask_suffix)
    if options.mask_suffix is not None and not pairs:
        raise UnknownLayoutError(
            f"no tensor whose name ends with {quoted(options.mask_suffix)} fits a weight beside it (--mask-suffix)"
        )
    if options.mask_suffix is None:
        _refuse_scores(state)
    if not pairs:
        return None
    names = {weight: (name,) for weight, name in pairs.items()}
    draft = explicit.draft_with(state, NAME, names, options, dropped=_dropped(pairs))
    draft.reasons.append(f"{len(pairs)} tensors have a mask of 0 and 1 (first: {quoted(next(iter(pairs.values())))})")
    draft.original |= explicit.mask_dtype(state, names)
    draft.original["names"] = {weight: name for weight, name in pairs.items() if name != _usual(weight)}
    return draft


def _refuse_scores(state: State) -> None:
    for name, tensor in state.tensors.items():
        weight = state.tensors.get(name.removesuffix(_SUFFIX) + "weight") if name.endswith("." + _SUFFIX) else None
        if name == _SUFFIX:
            weight = state.tensors.get("weight")
        if weight is not None and weight.shape == tensor.shape and not rules.is_binary(tensor):
            raise MaskRuleError(
                f"{quoted(name)} has values other than 0 and 1, and the file does not say what they are: logits "
                "(--family fedpm --threshold 0.5), scores (--family lottery-jackpots --keep K), or plain values "
                "(--family dense)"
            )


def _dropped(pairs: dict[str, str]) -> list[str]:
    """The masks, as patterns: a line for each kind of name."""
    return list(dict.fromkeys("*." + name.rpartition(".")[2] if "." in name else name for name in pairs.values()))


def _usual(weight: str) -> str:
    return weight.removesuffix("weight") + _SUFFIX


def restore(contents: Contents) -> Tensors:
    """Weights before masking, and their masks."""
    named = contents.details.get("names", {})
    return restored(
        contents, lambda name: (name, named[name] if name in named else beside(name, _SUFFIX)), explicit.weight_and_mask
    )


FAMILY = Family(NAME, recognise, restore)
