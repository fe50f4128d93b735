"""`X.weight` beside `X.scores`: PEMN (yueb17/PEMN) and edge-popup (allenai/hidden-networks).

The mask is the top `keep` of |scores| in every layer. The fraction is in no file, so it has to be given.
"""

from __future__ import annotations

from .. import torch_tensors
from ..draft import Draft, MaskedWeight, TiedTensor
from ..errors import MaskRuleError, UnknownLayoutError
from ..options import PackOptions
from . import mask_rules
from .state import State

LAYOUT = "edge-popup"
_SUFFIX = "scores"


def recognise(state: State, options: PackOptions) -> Draft | None:
    """A draft if any key is `scores` or ends with `.scores`.

    Raises:
        UnknownLayoutError: scores without a weight of their shape.
        MaskRuleError: `keep` is missing.
    """
    scores = {name: _weight_name(name) for name in state.tensors if name == _SUFFIX or name.endswith("." + _SUFFIX)}
    # what `masked` layouts call the scores of a tensor that is no `weight`
    for name, tensor in state.tensors.items():
        base = state.tensors.get(name[: -len(_SUFFIX) - 1])
        if name.endswith("_" + _SUFFIX) and base is not None and base.shape == tensor.shape:
            scores[name] = name[: -len(_SUFFIX) - 1]
    if not scores:
        return None
    for name, weight in scores.items():
        if weight not in state.tensors:
            raise UnknownLayoutError(f"{name!r} are scores without a weight: there is no {weight!r}")
        if state.tensors[weight].shape != state.tensors[name].shape:
            raise UnknownLayoutError(
                f"{name!r} has the shape {tuple(state.tensors[name].shape)} and {weight!r} "
                f"{tuple(state.tensors[weight].shape)}: they must be equal"
            )
    if options.keep is None:
        raise MaskRuleError(
            f"{len(scores)} layers have scores, and the fraction of weights to keep is not in the file: give it with "
            "--keep (keep= in Python). PEMN's published default is 0.5; for hidden-networks it is the --prune-rate"
        )
    draft = Draft(LAYOUT, "edge-popup", options.keep, dropped=[f"*.{_SUFFIX}"])
    by_weight = {weight: name for name, weight in scores.items()}
    ties: list[str] = []
    for name, tensor in state.tensors.items():
        if name in scores:
            continue
        if name not in by_weight:
            draft.entries.append(state.plain(name))
            continue
        first = state.tied_to(name)
        if first in by_weight and state.tied_to(by_weight[name]) == by_weight[first]:
            draft.entries.append(TiedTensor(name, first))
            continue
        derived = mask_rules.edge_popup(state.tensors[by_weight[name]], options.keep, by_weight[name])
        if derived.tie:
            ties.append(name)
        dtype, values = torch_tensors.to_words(tensor, name)
        draft.entries.append(MaskedWeight(name, dtype, tuple(tensor.shape), values, derived.mask))
    if ties:
        draft.notes.append(
            f"equal scores straddle the cut in {len(ties)} layers (first: {ties[0]}): there the published, unstable "
            "sort may keep others of them"
        )
    return draft


def _weight_name(scores: str) -> str:
    return scores[: -len(_SUFFIX)] + "weight"
