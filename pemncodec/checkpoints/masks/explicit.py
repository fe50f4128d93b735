"""Weights with masks of 0 and 1 that are in the file: the draft, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from ...common import bits, torch_tensors
from ...errors import MaskRuleError, UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft, MaskedWeight
from ..family import Contents, torch_type
from ..options import PackOptions
from ..state import State, memory_of
from . import rules

# The names of the masks of a weight, by its name; what several keep is kept.
MaskNames = Mapping[str, Sequence[str]]


def draft_with(
    state: State,
    family: str,
    masks: MaskNames,
    options: PackOptions,
    *,
    dropped: Sequence[str],
    rename: Callable[[str], str] = lambda name: name,
) -> Draft:
    """The draft: weights with the masks beside them, everything else as it is.

    Args:
        masks: both in `state`. A mask may have dimensions of 1 where its weight has others: it holds for all of them.
        options: whether masks are inverted.
        dropped: what the draft says it left out.
        rename: what a tensor is called in the network that has no masks.

    Raises:
        UnknownLayoutError: a mask does not fit its weight, or has values other than 0 and 1; two tensors of one name.
        MaskRuleError: all that the masks keep is zero, and what they prune is not.
    """
    draft = Draft(family, "explicit", dropped=list(dropped))
    used = {mask for names in masks.values() for mask in names}
    draft.entries = [
        _masked(state, name, masks[name], rename(name), options, draft) if name in masks else state.plain(name, rename)
        for name in state.tensors
        if name not in used
    ]
    seen: set[str] = set()
    for entry in draft.entries:
        if entry.name in seen:
            raise UnknownLayoutError(
                f"{quoted(entry.name)} appears both masked and unmasked: it is ambiguous which one applies (--family "
                "dense packs both unchanged)"
            )
        seen.add(entry.name)
    _check_inverted(draft)
    return draft


def _masked(
    state: State, name: str, mask_names: Sequence[str], new_name: str, options: PackOptions, draft: Draft
) -> MaskedWeight:
    tensor = state.tensors[name]
    found = []
    for mask_name in mask_names:
        mask = state.tensors[mask_name]
        if not fits(mask, tensor):
            raise UnknownLayoutError(
                f"{quoted(name)} has the shape {tuple(tensor.shape)}, but {quoted(mask_name)} {tuple(mask.shape)}: "
                "they must be equal (--family dense packs both unchanged)"
            )
        one = rules.explicit(mask.expand(tensor.shape), mask_name)
        found.append(rules.inverted(one) if options.inverted_masks else one)
        if mask.shape != tensor.shape:
            draft.original.setdefault("broadcast", {})[new_name] = list(mask.shape)
    if options.inverted_masks:
        draft.original["inverted"] = True
    dtype, values = torch_tensors.to_words(tensor, name)
    return MaskedWeight(
        new_name,
        dtype,
        tuple(tensor.shape),
        values,
        rules.product(found),
        memory=memory_of(tensor),
        source=name,
        scores=tuple(mask_names),
    )


def fits(mask: torch.Tensor, weight: torch.Tensor) -> bool:
    """Return whether a mask has the shape of a weight, or dimensions of 1 where the weight has others."""
    return mask.dim() == weight.dim() and all(
        own in (theirs, 1) for own, theirs in zip(mask.shape, weight.shape, strict=True)
    )


def _check_inverted(draft: Draft) -> None:
    """Refuse masks that keep only zeros and prune other values: they have 1 where a weight is pruned.

    Of a vector that can be chance: a bias may be zero wherever it is kept.
    """
    layers = [entry for entry in draft.entries if isinstance(entry, MaskedWeight)]
    empty = [entry for entry in layers if entry.mask.count and entry.values.any() and not _keeps_any(entry)]
    lost = [entry for entry in empty if len(entry.shape) >= 2] or empty
    if not any(entry.mask.count for entry in layers):  # the masks of a network that is not pruned yet
        lost = [entry for entry in layers if entry.values.any()]
    if lost and (len(lost[0].shape) >= 2 or not any(_keeps_any(entry) for entry in layers)):
        raise MaskRuleError(
            f"the masks keep only zeros (first: {quoted(lost[0].name)}): they seem to be inverted, 1 where a weight is "
            "pruned; if so, use --inverted-masks (inverted_masks=True)"
        )


def _keeps_any(entry: MaskedWeight) -> bool:
    per = entry.dtype.words_per_element
    values, shift = entry.values.reshape(-1, per), int(entry.dtype.has_sign_bit)
    for start in range(0, len(values), bits.PIECE):
        piece = values[start : start + bits.PIECE]
        flags = bits.unpack(entry.mask.packed[start // 8 :], len(piece))
        if (piece[flags] << piece.dtype.type(shift)).any():  # −0.0 is also zero
            return True
    return False


def weight_and_mask(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight before masking, and its mask of 0 and 1 in the type, the shape and the sense that the original had."""
    weight = contents.filled(name)
    return weight, mask_of(contents, name, weight.dtype)


def mask_of(contents: Contents, name: str, dtype: torch.dtype) -> torch.Tensor:
    """The mask of a layer as the original had it.

    Args:
        dtype: where the details name none.
    """
    kind = torch_type(contents.details, "mask", dtype)
    if name not in contents.details.get("broadcast", {}) and not contents.details.get("inverted"):
        return contents.mask(name, kind)
    mask = contents.mask(name)
    contents.room(mask.numel() * kind.itemsize, "masks", keep=True)
    shape = contents.details.get("broadcast", {}).get(name)
    if shape is not None and len(shape) == mask.dim():
        for axis, size in enumerate(shape):
            if size == 1 != mask.shape[axis]:
                mask = mask.any(dim=axis, keepdim=True) if mask.shape[axis] else mask.new_zeros(_one(mask.shape, axis))
    if contents.details.get("inverted"):
        mask = ~mask
    return mask.to(kind)


def _one(shape: torch.Size, axis: int) -> list[int]:
    return [1 if place == axis else size for place, size in enumerate(shape)]


def mask_dtype(state: State, masks: MaskNames) -> dict[str, str]:
    """Return the entry of `Draft.original` for the type of the masks; empty where it is that of the weights."""
    pairs = [
        (state.tensors[mask].dtype, state.tensors[weight].dtype) for weight, names in masks.items() for mask in names
    ]
    kinds = {mask for mask, _ in pairs}
    if len(kinds) != 1 or all(mask == weight for mask, weight in pairs):
        return {}
    return {"mask": str(kinds.pop()).removeprefix("torch.")}
