"""Masks of 0 and 1 by name: beside their weights, under another key of the checkpoint, or in another file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from ...errors import UnknownLayoutError
from ...errors.quoting import quoted
from ..containers import flatten
from ..names import PREFIXES
from ..state import MASKS, WRAPPERS, State
from . import rules
from .explicit import fits

# Words that a mask of attention has in its name; it may have the shape of a weight by chance.
_ATTENTION = ("attn", "attention", "causal", "padding", "key", "src", "tgt", "memory", "token", "tril", "future")
_ENDS = ("mask", "masks")


def beside(state: State, suffix: str | None = None) -> dict[str, str]:
    """The mask of a weight by its name, for masks whose name says what they are.

    `X.mask`, `X.prune_mask` and the like for `X.weight`; `Y_mask` and `Y.mask` for a tensor `Y`. A mask holds 0 and 1,
    and fits the weight.

    Args:
        suffix: what else masks are called; then only these count.
    """
    pairs: dict[str, str] = {}
    for name in state.tensors:
        weight = _weight_of(state, name, (suffix,) if suffix is not None else _ENDS, named=suffix is not None)
        if weight is None or weight in pairs or not fits(state.tensors[name], state.tensors[weight]):
            continue
        if suffix is None and not rules.is_binary(state.tensors[name]):
            continue
        pairs[weight] = name
    return pairs


def _weight_of(state: State, name: str, ends: Sequence[str | None], *, named: bool) -> str | None:
    """The tensor that a mask of this name is for."""
    prefix, dot, last = name.rpartition(".")
    end = next((end for end in ends if end is not None and (last == end or last.endswith("_" + end))), None)
    if end is None:
        return None
    words = last[: -len(end)].rstrip("_")
    if not named and any(word in _ATTENTION for word in words.split("_")):
        return None
    candidates = [f"{prefix}{dot}{words}"] if words else [prefix]
    if named or not words:
        candidates.append(f"{prefix}{dot}weight")
    else:  # weight_prune_mask, bias_pruning_mask; prune_mask
        of = next((one for one in ("weight", "bias") if words.split("_")[0] == one), "weight")
        candidates.append(f"{prefix}{dot}{of}")
    return next((one for one in candidates if one != name and one in state.tensors), None)


def unnamed(state: State, names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Of these, tensors of 0 and 1 in the shape of a weight beside them: name, weight, and what `suffix` takes them."""
    for name in names:
        prefix, dot, last = name.rpartition(".")
        weight = f"{prefix}{dot}weight"
        if name == weight or weight not in state.tensors:
            continue
        tensor = state.tensors[name]
        if tensor.shape != state.tensors[weight].shape or tensor.dim() < 2:
            continue
        if rules.is_binary(tensor) and 0 < int((tensor != 0).sum()) < tensor.numel():
            yield name, weight, last.removeprefix("weight_")


def given(source: Any, state: State) -> dict[str, tuple[str, torch.Tensor]]:
    """Masks from elsewhere and what they are called there, by the names of the tensors that they are for.

    Args:
        source: a dictionary by the name of the tensor or of its module, in dictionaries or not (NNI:
            `{module: {"weight": mask, "bias": None}}`), also under a key of its own; or a list in the order of the
            weights of two or more dimensions.
        state: the network. A `module.` or `_orig_mod.` may be on one side only.

    Raises:
        UnknownLayoutError: a mask for a tensor that is not there; a list that does not fit the weights.
    """
    if isinstance(source, list | tuple):
        return _in_order(source, state)
    if isinstance(source, Mapping):
        inner = [
            key for key in source if key in (*MASKS, *WRAPPERS) and isinstance(source[key], Mapping | list | tuple)
        ]
        if len(inner) == 1 and len(source) == 1:
            return given(source[inner[0]], state)
    if isinstance(source, torch.nn.Module):
        source = source.state_dict()
    if not isinstance(source, Mapping):
        raise UnknownLayoutError(f"the masks are a {type(source).__name__}: pass a dictionary of masks by weight name")
    masks = flatten(source).tensors
    resolved: dict[str, tuple[str, torch.Tensor]] = {}
    bare = {_bare(name): name for name in state.tensors}
    for name, mask in masks.items():
        weight = _resolved(name, state, bare)
        if weight is None:
            raise UnknownLayoutError(
                f"there is a mask for {quoted(name)}, but no tensor of that name in the checkpoint"
            )
        if weight in resolved:
            raise UnknownLayoutError(f"there are two masks for {quoted(weight)}: it is ambiguous which one applies")
        resolved[weight] = name, mask
    if not resolved:
        raise UnknownLayoutError("the file of masks holds no masks: save them by weight name")
    return resolved


def _resolved(name: str, state: State, bare: Mapping[str, str]) -> str | None:
    for end in ("", "_mask", ".mask", ".weight_mask"):
        if end and not name.endswith(end):
            continue
        base = name[: len(name) - len(end)]
        for candidate in (base, base + ".weight") if end != ".weight_mask" else (base + ".weight",):
            if candidate in state.tensors:
                return candidate
            if _bare(candidate) in bare:
                return bare[_bare(candidate)]
    return None


def _bare(name: str) -> str:
    """Without what DataParallel and torch.compile put before it."""
    while name.startswith(PREFIXES):
        name = name[len(next(prefix for prefix in PREFIXES if name.startswith(prefix))) :]
    return name


def names_any(source: object, state: State) -> bool:
    """Return whether any mask has the name of a tensor of the network; those of a list have none."""
    if not isinstance(source, Mapping):
        return True
    bare = {_bare(name): name for name in state.tensors}
    return any(_resolved(name, state, bare) is not None for name in flatten(source).tensors)


def _in_order(masks: Sequence[Any], state: State) -> dict[str, tuple[str, torch.Tensor]]:
    weights = [name for name, tensor in state.tensors.items() if tensor.dim() >= 2]
    tensors = list(flatten(dict(enumerate(masks))).tensors.values())
    fitting = len(tensors) == len(masks) == len(weights) and all(
        fits(mask, state.tensors[name]) for mask, name in zip(tensors, weights, strict=True)
    )
    if not fitting:
        raise UnknownLayoutError(
            f"a list of {len(masks)} masks does not match the {len(weights)} weights of two or more dimensions: "
            "pass masks by name"
        )
    return {name: (name, mask) for name, mask in zip(weights, tensors, strict=True)}
