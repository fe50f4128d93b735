"""Weights with scores beside them: pair them by name, derive the masks by a rule, and make the draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ...common import bits, torch_tensors
from ...common.dtypes import DType
from ...common.words import Words
from ...errors import MaskRuleError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ..draft import Draft, MaskedWeight
from ..options import PackOptions
from ..state import State, memory_of
from . import rules

# The name of the scores of a weight, by the name of the weight.
Pairs = dict[str, str]


def named(state: State, suffix: str, *, weight: str = "weight", strict: bool = True) -> Pairs:
    """`X.<suffix>` as the scores of `X.weight`, where there is such a weight; others are tensors of another meaning.

    Args:
        strict: whether a tensor of another shape than its weight is an error, or a tensor of another meaning, too.

    Raises:
        UnknownLayoutError: the weight has another shape.
    """
    found = {name: name[: -len(suffix)] + weight for name in state.tensors if _ends(name, suffix)}
    found = {name: weight for name, weight in found.items() if weight in state.tensors}
    if not strict:
        found = {n: weight for n, weight in found.items() if state.tensors[n].shape == state.tensors[weight].shape}
    check_pairs(state, found)
    return {weight: scores for scores, weight in found.items()}


def _ends(name: str, suffix: str) -> bool:
    return name == suffix or name.endswith("." + suffix)


def check_pairs(state: State, found: Mapping[str, str]) -> None:
    """Check that scores have the shape of their weight.

    Args:
        found: the name of the weight by the name of its scores.

    Raises:
        UnknownLayoutError: they do not.
    """
    for name, weight in found.items():
        if state.tensors[weight].shape != state.tensors[name].shape:
            raise UnknownLayoutError(
                f"{quoted(name)} has the shape {tuple(state.tensors[name].shape)} and {quoted(weight)} "
                f"{tuple(state.tensors[weight].shape)}: they must be equal (--family dense packs both unchanged)"
            )


@dataclass(frozen=True)
class Masks:
    """Masks by the name of the weight, and how they were derived."""

    of: dict[str, Mask]
    rule: str
    keep: float | dict[str, float] | None = None
    threshold: float | None = None
    notes: tuple[str, ...] = ()

    def describe(self, draft: Draft) -> None:
        """Write the rule into a draft."""
        draft.mask_rule, draft.keep, draft.threshold = self.rule, self.keep, self.threshold
        draft.notes.extend(self.notes)


_TOGETHER = {"global": rules.over_all, "movement-global": rules.movement_over_all}
_RANKED: dict[str, Callable[[torch.Tensor, float, str], rules.Derived]] = {
    "edge-popup": rules.edge_popup,
    "top-k": rules.top_k,
    "movement": rules.movement,
}


def derive(state: State, pairs: Pairs, options: PackOptions, rule: str | None, missing: str) -> Masks:
    """Masks by the rule that the user names, or that the family has.

    Args:
        rule: of the family; None where it has none that can be assumed.
        missing: the end of the error if an option is missing, after "N layers have scores, but ".

    Raises:
        MaskRuleError: no rule, no fraction, a tie among weights that are not zero, or scores that have no order.
    """
    rule = options.rule or ("sigmoid" if rule is None and options.threshold is not None else rule)
    scores = {weight: state.tensors[name] for weight, name in pairs.items()}
    if rule == "sigmoid":
        found = {w: rules.sigmoid(scores[w], pairs[w], options.threshold) for w in pairs}
        return Masks(found, rule, threshold=options.threshold)
    if rule == "threshold":
        assert options.threshold is not None
        return Masks(
            {w: rules.above(scores[w], options.threshold, pairs[w]) for w in pairs},
            rule,
            threshold=options.threshold,
        )
    keep = options.fractions
    if rule is None or keep is None:
        raise MaskRuleError(f"{len(pairs)} layers have scores, but {missing}")
    keep.check_used(pairs)
    fractions = {weight: keep(weight) for weight in pairs}
    without = [weight for weight, fraction in fractions.items() if fraction is None]
    if without:
        raise MaskRuleError(
            f"no pattern of keep matches {quoted(without[0])}: add a fraction for all other layers (--keep K)"
        )
    kept = {weight: fraction for weight, fraction in fractions.items() if fraction is not None}
    if rule in _TOGETHER:
        if len(set(kept.values())) > 1:
            raise MaskRuleError(f"rule {rule!r} has one threshold for the whole network: use one fraction to keep")
        masks = _TOGETHER[rule]([scores[w] for w in pairs], next(iter(kept.values())), list(pairs.values()))
        return Masks(dict(zip(pairs, masks, strict=True)), rule, keep.plain)
    if rule == "kth-value":
        return Masks({w: rules.kth_value(scores[w], kept[w], pairs[w]) for w in pairs}, rule, keep.plain)
    derived = {w: _RANKED[rule](scores[w], kept[w], pairs[w]) for w in pairs}
    notes = _ties(state, {w: d.tied for w, d in derived.items() if d.tied is not None}, options)
    return Masks({w: d.mask for w, d in derived.items()}, rule, keep.plain, notes=notes)


def _ties(state: State, tied: Mapping[str, bits.Packed], options: PackOptions) -> tuple[str, ...]:
    """Return a note about equal scores at the cut; those of weights that are zero do not matter."""
    matter = [weight for weight, where in tied.items() if _any_nonzero(state.tensors[weight], where)]
    if not matter:
        return ()
    first = matter[0]
    count = bits.count_ones(tied[first])
    what = f"equal scores straddle the cut in {len(matter)} layers (first: {quoted(first)}, {count} of them)"
    if options.ties is None:
        raise MaskRuleError(
            f"{what}, and the file does not say which of them are kept: use --ties stable to keep the last, as a "
            "stable sort on the CPU does"
        )
    return (f"{what}: the published, unstable sort may keep others",)


def _any_nonzero(weight: torch.Tensor, where: bits.Packed) -> bool:
    flat = weight.detach().reshape(-1)
    for start in range(0, len(flat), bits.PIECE):
        piece = flat[start : start + bits.PIECE].cpu()
        flags = bits.unpack(where[start // 8 :], len(piece))
        if bool((piece[torch.from_numpy(flags)] != 0).any()):
            return True
    return False


Values = Callable[[str, torch.Tensor], tuple[DType, Words]]


def _as_stored(name: str, tensor: torch.Tensor) -> tuple[DType, Words]:
    return torch_tensors.to_words(tensor, name)


def draft_with(
    state: State, family: str, pairs: Pairs, masks: Masks, *, dropped: Sequence[str], values: Values = _as_stored
) -> Draft:
    """The draft: weights with their masks, everything else as it is, scores left out.

    Args:
        pairs: scores by weight.
        masks: by weight.
        dropped: what the draft says it left out.
        values: what a layer was filled with, by the name of the weight and its tensor.
    """
    draft = Draft(family, masks.rule, dropped=list(dropped))
    masks.describe(draft)
    scores = set(pairs.values())
    for name, tensor in state.tensors.items():
        if name in scores:
            continue
        if name not in pairs:
            draft.entries.append(state.plain(name))
            continue
        dtype, words = values(name, tensor)
        draft.entries.append(
            MaskedWeight(
                name,
                dtype,
                tuple(tensor.shape),
                words,
                masks.of[name],
                memory=memory_of(tensor),
                source=name,
                scores=(pairs[name],),
            )
        )
    return draft


def recognise(state: State, options: PackOptions, family: str, suffix: str, rule: str, missing: str) -> Draft | None:
    """The draft of weights with `X.<suffix>` beside `X.weight`, and nothing special about them; None without any.

    Args:
        rule: of the family.
        missing: the end of the error if the fraction is missing, as for `derive`.

    Raises:
        UnknownLayoutError: scores of another shape than their weight.
        MaskRuleError: as `derive`.
    """
    pairs = named(state, suffix)
    if not pairs:
        return None
    draft = draft_with(state, family, pairs, derive(state, pairs, options, rule, missing), dropped=[f"*.{suffix}"])
    draft.reasons.append(f"{len(pairs)} weights have a {suffix} (first: {next(iter(pairs.values()))!r})")
    return draft


def score_dtype(state: State, pairs: Pairs) -> str | None:
    """The type of the scores where it is one, and not that of their weights."""
    kinds = {str(state.tensors[name].dtype).removeprefix("torch.") for name in pairs.values()}
    same = all(state.tensors[name].dtype == state.tensors[weight].dtype for weight, name in pairs.items())
    return None if same or len(kinds) > 1 else kinds.pop()
