"""Go on training from a `.pemn` file: scores that give its masks, in networks of `pemncodec.nn` and of edge-popup code.

A file has masks and no scores, so their magnitudes are chosen here: those that the scores of the model have, of which
the largest go to the weights that are kept. The scale and the spread are then those that the model would start with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..coding.delta.base_files import BaseFiles
from ..common import torch_tensors
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes, path_of
from ..errors import MaskRuleError, MismatchError, NetworkError
from ..errors.quoting import listed, quoted
from ..nn.density import check_fraction
from ..nn.masking import MaskedFill
from .load import load_file
from .load_model import renamed

_ORIGINAL = "original"


@dataclass(frozen=True)
class _Layer:
    """A layer of the model that has scores.

    Attributes:
        name: of its weight in a file.
        scores: the parameter that is trained.
        fill: makes the weight of the scores; None in code of others, which has `weight` beside `scores`.
        weight: of code of others.
        taken: names in the model's state_dict that it stands for.
    """

    name: str
    scores: torch.Tensor
    fill: MaskedFill | None
    weight: torch.Tensor | None
    taken: tuple[str, ...]


def load_masks(
    model: nn.Module,
    path: PathOrBytes,
    *,
    keep: float | None = None,
    margin: float = 0.5,
    probability: float = 0.95,
    task: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
) -> None:
    """Load a file into a network that trains masks, which then computes what the file does, and can be trained on.

    Scores are chosen so that the model has the masks of the file; all other tensors (biases, BatchNorm) are copied. The
    random weights of `pemncodec.nn` stay as they are, and must be those of the file. In modules of others (`weight` and
    `scores` of one shape, as hidden-networks' and PEMN's) the weights are copied.

    Magnitudes of scores: those that the model has, in their order; the largest are given to the weights that are kept,
    and to these `margin` times the mean magnitude is added. With 0, those at the cut change places at once; the larger
    it is, the more steps it takes until a mask changes. Signs stay (in ternary networks they are those of the weights).
    Bernoulli scores are ±log(p / (1 − p)) of `probability` p.

    Args:
        model: a network that was masked as the saved one, or of modules with `weight` and `scores`.
        path: a `.pemn` file: a path, a URL, a binary file object, or bytes.
        keep: for modules of others: the fraction that their code keeps, which no module says. It must give as many
            weights as the masks have.
        margin: of kept scores over others, in mean magnitudes, 0 or more.
        probability: that a Bernoulli weight is drawn as the mask has it, above 1/2 and below 1.
        task: the task to load, if the file holds several.
        max_bytes, base: as for `load_file`.

    Raises:
        NetworkError: the model has no scores; an argument out of range.
        MaskRuleError: the mask of a layer keeps another number of weights than the model would; `keep` is missing.
        MismatchError: names or shapes differ, or the random weights of the model are others. Nothing is changed then.
        FormatError, NotFoundError, BaseFileError, FileAccessError: as `load_file`.
    """
    if not margin >= 0 or not 0.5 < probability < 1:
        raise NetworkError(f"margin is {margin} and probability {probability}: 0 or more, and between 1/2 and 1")
    layers = list(_layers(model))
    if not layers:
        raise NetworkError("the model has no scores: call pemncodec.nn.mask_network first")
    theirs: dict[str, torch.Tensor] = {}
    if any(layer.fill is None for layer in layers):
        theirs = load_file(path, layout="masked", task=task, max_bytes=max_bytes, base=base)
    dense = load_file(path, task=task, max_bytes=max_bytes, base=base)
    taken = {name for layer in layers for name in layer.taken}
    state = model.state_dict(keep_vars=True)
    others = {name: tensor for name, tensor in state.items() if name not in taken}
    own = {layer.name for layer in layers} | set(others)
    dense, theirs = ({new: given[name] for name, new in renamed(own, given).items()} for given in (dense, theirs))
    _check_names(dense, own, path)
    changes: list[tuple[torch.Tensor, torch.Tensor]] = []
    for name, tensor in others.items():
        _check_shape(name, tensor, dense[name])
        changes.append((tensor, dense[name]))
    for layer in layers:
        _check_shape(layer.name, layer.scores, dense[layer.name])
        if layer.fill is not None:
            changes.append((layer.scores, _scores(layer, layer.fill, dense[layer.name], margin, probability)))
        else:
            changes += _of_others(layer, theirs, dense[layer.name], keep, margin)
    with torch.no_grad():
        for target, value in changes:
            target.copy_(value)


def _layers(model: nn.Module) -> Iterator[_Layer]:
    """The layers with scores, of `pemncodec.nn` and of others."""
    for path, module in model.named_modules():
        where = f"{path}." if path else ""
        for name, fills in getattr(module, "parametrizations", {}).items():
            fill = fills[0]
            if isinstance(fill, MaskedFill) and len(fills) == 1:
                inside = f"{where}parametrizations.{name}."
                values = f"{inside}0.prototype.values"
                taken = (inside + _ORIGINAL, f"{inside}0.recipe", values)
                yield _Layer(where + name, getattr(fills, _ORIGINAL), fill, None, taken)
        scores, weight = module._parameters.get("scores"), module._parameters.get("weight")
        if scores is not None and weight is not None and scores.shape == weight.shape:
            yield _Layer(f"{where}weight", scores, None, weight, (f"{where}weight", f"{where}scores"))


def _scores(layer: _Layer, fill: MaskedFill, weight: torch.Tensor, margin: float, probability: float) -> torch.Tensor:
    """The scores that make this weight.

    Raises:
        MaskRuleError, MismatchError: there are none.
    """
    own = layer.scores.detach()
    weight = weight.to(own.device)
    if isinstance(fill.prototype.values, nn.Parameter):
        raise MismatchError(f"the values of {quoted(layer.name)} are trained, and a file does not hold them as such")
    one = fill.filled(own)
    coats = len(fill.drops)
    kept = weight != 0 if fill.sampler == "ternary" or coats > 1 else _same(one, weight) & (one != 0)
    if not bool((kept | (one == 0) | _same(-one if fill.zero == "negated" else torch.zeros_like(one), weight)).all()):
        raise _others(layer.name)
    if fill.sampler == "bernoulli":
        logit = float(torch.logit(torch.tensor(probability, dtype=torch.float64)))
        scores = torch.where(kept, logit, -logit).to(own.dtype)
    else:
        _check_count(layer.name, int(kept.sum()), fill.count - fill.drop, fill.count)
        idle = one == 0 if fill.has_zeros else torch.zeros_like(kept)
        scores = _ranked(own, kept, idle, margin)
        for number in range(1, coats):  # within the kept weights, those that are kept once more
            outside = ~kept
            kept = weight.abs() > (number + 0.5) * one.abs()
            found, expected = int(kept.sum()), fill.count - fill.drops[number]
            if found != expected:
                raise MaskRuleError(
                    f"coat {number + 1} of {quoted(layer.name)} keeps {found} weights in the file, but {expected} in "
                    "the model: mask it with the coats of the saved network"
                )
            scores = _ranked(scores, kept, outside, margin)
        if fill.sampler == "ternary":
            scores = torch.where(weight < 0, -scores.abs(), scores.abs())
    was = fill.training
    fill.eval()
    try:
        with torch.no_grad():
            made = fill(scores)
    finally:
        fill.train(was)
    if not bool(_same(made, weight).all()):
        raise _others(layer.name)
    return scores


def _others(name: str) -> MismatchError:
    return MismatchError(
        f"the random values of {quoted(name)} are others than those of the file: mask the model with the options "
        "(strategy, ratio, seed, …) of the saved network"
    )


def _of_others(
    layer: _Layer, theirs: Mapping[str, torch.Tensor], dense: torch.Tensor, keep: float | None, margin: float
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The weight and the scores of a module of others."""
    assert layer.weight is not None
    name = layer.name
    if keep is None:
        raise MaskRuleError(
            f"{quoted(name)} has scores beside it, whose code keeps a fraction that no module says: give keep="
        )
    check_fraction(keep)
    mask = theirs.get(name[: -len("weight")] + "scores")
    if mask is None:
        raise MismatchError(f"{quoted(name)} has no mask in the file, but scores in the model")
    filled = theirs[name].to(layer.weight.device)
    kept = mask.to(layer.weight.device) == 1
    count = kept.numel()
    _check_count(name, int(kept.sum()), count - int((1 - keep) * count), count)
    if bool((dense.to(kept.device)[~kept] != 0).any()):
        raise MismatchError(f"weights of {quoted(name)} that are not kept are not zero in the file, but in this module")
    own = layer.weight.detach()
    if bool((filled[~kept] == 0).all()) and not bool(kept.all()):  # the file does not hold what was dropped
        if not bool(_same(own.to(filled.dtype), filled)[kept].all()):
            raise MismatchError(
                f"the file holds only the kept weights of {quoted(name)}, and those of the model are others: make the "
                "model with the seed of the saved one"
            )
        filled = own
    return [
        (layer.weight, filled),
        (layer.scores, _ranked(layer.scores.detach(), kept, torch.zeros_like(kept), margin)),
    ]


def _ranked(own: torch.Tensor, kept: torch.Tensor, idle: torch.Tensor, margin: float) -> torch.Tensor:
    """Scores of the magnitudes in `own`, the largest of them at the kept weights, each in the order that it had there.

    Idle weights, which no mask is about, keep theirs.
    """
    flat, dropped, chosen = own.flatten(), ~(kept | idle).flatten(), (kept & ~idle).flatten()
    magnitudes = flat.abs()[dropped | chosen]
    some = magnitudes[magnitudes > 0]
    least = some.min() if len(some) else torch.ones((), dtype=own.dtype, device=own.device)
    ordered = magnitudes.clamp(min=least).sort().values  # a score of zero would get no gradient from |score|
    count = int(dropped.sum())
    out = flat.abs()
    out[dropped] = _placed(ordered[:count], out[dropped])
    out[chosen] = _placed(ordered[count:] + ordered.mean() * margin, out[chosen])
    if 0 < count < len(ordered):  # apart, even where the magnitudes at the cut are equal
        most = out[dropped].max()
        out[chosen] = torch.maximum(out[chosen], torch.nextafter(most, torch.full_like(most, torch.inf)))
    return torch.where(flat < 0, -out, out).view_as(own)


def _placed(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Ascending values in the order of others."""
    placed = torch.empty_like(values)
    placed[order.argsort(stable=True)] = values
    return placed


def _same(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Return where two tensors of one shape have the same bits, bool."""
    if one.dtype != two.dtype:
        return torch.zeros(one.shape, dtype=torch.bool, device=one.device)
    kind = torch_tensors.INTEGERS[one.element_size()]
    return one.contiguous().view(kind) == two.contiguous().view(kind)


def _check_names(dense: Mapping[str, Any], own: set[str], path: PathOrBytes) -> None:
    missing, unexpected = [name for name in own if name not in dense], [name for name in dense if name not in own]
    if missing or unexpected:
        what = (
            f"lacks {listed(sorted(missing), 2)}" if missing else f"has {listed(unexpected, 2)}, which the model lacks"
        )
        raise MismatchError(f"{path_of(path) or 'the file'} {what}")


def _check_shape(name: str, own: torch.Tensor, given: torch.Tensor) -> None:
    if own.shape != given.shape:
        raise MismatchError(f"{quoted(name)} is {tuple(given.shape)} in the file, but {tuple(own.shape)} in the model")


def _check_count(name: str, kept: int, expected: int, count: int) -> None:
    if kept != expected:
        raise MaskRuleError(
            f"the mask of {quoted(name)} keeps {kept} of {count} weights, but the model {expected}: mask it with keep="
            f"{kept / count:.6g}"
        )
