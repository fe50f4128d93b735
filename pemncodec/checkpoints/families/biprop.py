"""chrundle/biprop: binary networks. `X.weight` beside `X.scores` as in edge-popup, so the user must name the family.

The effective weight is sign(W) · α · mask, with one α for a layer: the sum of |W · mask| over the number of kept
weights, which `SubnetConv` takes as int(keep · n) and `GlobalSubnetConv` (one threshold for the network: `--rule
global`) counts. α is computed here as there, by torch in float32, and stored: decoding computes nothing.
"""

from __future__ import annotations

import torch

from ...common import torch_tensors
from ...common.dtypes import DType
from ...common.words import Words
from ...errors import MaskRuleError, OutputError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, Tensors, beside, restored
from ..masks import scored
from ..options import Keep, PackOptions
from .edge_popup import weight_and_scores

NAME = "biprop"
_MISSING = "the fraction of weights to keep is not in the file: use --keep (the --prune-rate of biprop)"
# Of the search for weights with the same α: draws, steps in each, and how far magnitudes are apart.
_ROUNDS, _BISECTIONS, _SPREAD = 64, 40, 0.01
# Elements that are summed at most, and bytes an element that the search needs for a moment.
_MOST_WORK, _TRANSIENT = 1 << 34, 24
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if the user named this family.

    Raises:
        UnknownLayoutError: scores without a weight of their shape.
        MaskRuleError: `keep` is missing, so small that int(keep · n) is 0, or there is a tie at the cut.
    """
    if options.family != NAME:
        return None
    state = checkpoint.state
    pairs = scored.named(state, "scores")
    if not pairs:
        return None
    masks = scored.derive(state, pairs, options, "edge-popup", _MISSING)
    keep = options.fractions

    def values(name: str, weight: torch.Tensor) -> tuple[DType, Words]:
        mask = _bool(masks.of[name], weight)
        alpha = _alpha(weight, mask, _divisor(mask, masks.rule, keep, name), name)
        return torch_tensors.to_words(torch.sign(weight) * alpha, name)

    draft = scored.draft_with(state, NAME, pairs, masks, dropped=["*.scores", "magnitudes"], values=values)
    draft.reasons.append(f"{len(pairs)} weights have scores, and the family was given")
    return draft


def _bool(mask: Mask, weight: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(mask.to_bool()).reshape(weight.shape)


def _divisor(mask: torch.Tensor, rule: str, keep: Keep | None, name: str) -> int:
    fraction = None if keep is None else keep(name)
    if rule == "global" or fraction is None:
        return int(mask.sum())
    return int(fraction * mask.numel())


def _alpha(weight: torch.Tensor, mask: torch.Tensor, divisor: int, name: str) -> torch.Tensor:
    if divisor == 0:
        raise MaskRuleError(f"keep leaves none of the {mask.numel()} weights of {quoted(name)}: use a larger fraction")
    return torch.sum(torch.abs(weight) * mask.to(weight.dtype)) / divisor


def restore(contents: Contents) -> Tensors:
    """Scores of 0 and 1; weights of one magnitude, of which the published sum gives the same α on this machine.

    Raises:
        OutputError: a layer is not of one magnitude, its fraction is not in the file, or no weights give its α.
    """
    return restored(contents, lambda name: (name, beside(name, "scores")), _weight_and_scores)


def _weight_and_scores(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    alpha, scores = weight_and_scores(contents, name)
    mask = contents.mask(name)
    keep = contents.fractions
    if contents.rule != "global" and (keep is None or keep(name) is None):
        raise OutputError(f"the file does not say which fraction {quoted(name)} keeps: use another layout")
    contents.room(_TRANSIENT * alpha.numel(), f"the search for weights of {quoted(name)}")
    return _with_mean(alpha, mask, _divisor(mask, contents.rule, keep, name), name), scores


def _with_mean(signed: torch.Tensor, mask: torch.Tensor, divisor: int, name: str) -> torch.Tensor:
    """Weights with these signs whose magnitudes at the mask sum up to α times the divisor, as torch rounds it.

    int(keep · n) is not always the number of kept weights, and a sum of many is rounded: not every sum can be met with
    equal magnitudes. So they are drawn about the mean, and one of them is found by bisection, until a draw fits.
    """
    if signed.dtype not in _DTYPES:
        raise OutputError(f"{quoted(name)} is {signed.dtype}, which no layer of biprop has: use another layout")
    places = torch.nonzero((mask & (signed != 0)).reshape(-1)).reshape(-1)
    if not len(places) and (divisor or not signed.numel()):
        return signed
    magnitudes = signed.reshape(-1)[places].abs()
    one = torch.equal(magnitudes, magnitudes[:1].expand_as(magnitudes))
    if not divisor or not one or not torch.isfinite(magnitudes[0]):
        raise OutputError(f"{quoted(name)} has several magnitudes, and a layer of biprop has one: use another layout")
    alpha = magnitudes[0].clone()
    del magnitudes
    mean = alpha.double() * divisor / len(places)
    signs, ones = torch.sign(signed), mask.to(signed.dtype)
    draw = torch.Generator().manual_seed(0)
    passes = max(2 * _BISECTIONS, _MOST_WORK // signed.numel())
    for turn in range(min(_ROUNDS, passes // _BISECTIONS)):
        spread = _SPREAD * (torch.rand(signed.shape, generator=draw, dtype=torch.float64) - 0.5) if turn else 0.0
        weight = signs * (mean * (1 + spread)).to(signed.dtype)
        del spread
        magnitude = weight.reshape(-1)[places[0]].abs().double()
        low, high = -magnitude, magnitude
        kept = torch.abs(weight) * ones
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            changed = (magnitude + middle).to(signed.dtype)
            kept.reshape(-1)[places[0]] = changed.abs()
            found = torch.sum(kept) / divisor
            if found == alpha:
                weight.reshape(-1)[places[0]] = signs.reshape(-1)[places[0]] * changed
                return weight
            low, high = (middle, high) if found < alpha else (low, middle)
    raise OutputError(f"no weights give {quoted(name)} its magnitude, {float(alpha):g}: use another layout")


FAMILY = Family(NAME, recognise, restore)
