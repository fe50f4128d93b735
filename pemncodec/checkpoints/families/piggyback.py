"""arunmallya/piggyback: masks of several tasks, `dataset2masks[task][index]`, over a pretrained network.

The network is not in the file, so it must be given (`--backbone`). `index` is a place in `model.shared.modules()`,
which no state_dict knows: masks in the order of their indices belong to the weights of two or more dimensions in the
order of the state_dict, if their shapes agree one by one. Values are bytes: 0, 1, and 255 for −1 in the ternary
variant. The classifier of a task may stand under `dataset2classifiers`, as a module or its state_dict. A bit cannot say
−1, 0 or 1: ternary tasks store the values that they keep, and a further task, `backbone`, what they are negated from.

A model that was saved before packing has real masks, `X.mask_real` beside `X.weight`: kept is what is above 5e-3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...common import torch_tensors
from ...common.dtypes import DType
from ...common.words import Words
from ...errors import OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ..draft import Draft, DraftEntry, MaskedWeight
from ..family import Checkpoint, Contents, Family, Tensors, beside, put, restored
from ..masks import rules, scored
from ..masks.scored import Masks
from ..options import PackOptions
from ..state import State, unwrap
from .edge_popup import check_threshold

NAME = "piggyback"
_MASKS, _CLASSIFIERS = "dataset2masks", "dataset2classifiers"
_REAL, _THRESHOLD = "mask_real", 5e-3
_MINUS = 255
_BACKBONE = "backbone"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft with tasks if there are `dataset2masks`; with one network if there are `mask_real`.

    Raises:
        UnknownLayoutError: the backbone is missing, or its weights do not fit the masks.
    """
    raw = checkpoint.raw
    if isinstance(raw, Mapping) and _MASKS in raw:
        return _packed(raw, options)
    pairs = scored.named(checkpoint.state, _REAL)
    if not pairs:
        return None
    threshold = _THRESHOLD if options.threshold is None else options.threshold
    of = {w: rules.above(checkpoint.state.tensors[name], threshold, name) for w, name in pairs.items()}
    masks = Masks(of, "threshold", threshold=threshold)
    draft = scored.draft_with(checkpoint.state, NAME, pairs, masks, dropped=["*.mask_real"])
    draft.reasons.append(f"{len(pairs)} weights have a mask_real (first: {quoted(next(iter(pairs.values())))})")
    return draft


def _packed(raw: Mapping[Any, Any], options: PackOptions) -> Draft:
    tasks = raw[_MASKS]
    if not isinstance(tasks, Mapping) or not all(isinstance(masks, Mapping) for masks in tasks.values()):
        raise UnknownLayoutError(f"{_MASKS!r} is not {{task: {{index: mask}}}}")
    if options.backbone is None:
        raise UnknownLayoutError(
            f"there are masks of {len(tasks)} tasks ({', '.join(map(str, list(tasks)[:4]))}), but no weights: pass "
            "the network that they were trained on (--backbone FILE, backbone=)"
        )
    backbone = unwrap(options.backbone)
    names = [str(task) for task in tasks]
    draft = Draft(NAME, "explicit", dropped=[str(key) for key in raw if key not in (_MASKS, _CLASSIFIERS)], tasks=names)
    indices = sorted({index for masks in tasks.values() for index in masks})
    weights = _weights(backbone, tasks, indices)
    own = _classifiers(raw.get(_CLASSIFIERS), list(tasks))
    replaced = {entry.name for entries in own for entry in entries}
    for name in backbone.tensors:
        if name in weights:
            draft.entries += _layers(backbone, name, weights[name], list(tasks.values()))
        elif name not in replaced:
            draft.entries.append(backbone.plain(name))
    draft.entries += [entry for entries in own for entry in entries]
    draft.original = {"index": weights}
    draft.reasons.append(f"{_MASKS!r} has masks of {len(tasks)} tasks over {len(weights)} weights of the backbone")
    if any(bool((mask == _MINUS).any()) for masks in tasks.values() for mask in masks.values()):
        _add_backbone(draft, backbone, weights)
    return draft


def _add_backbone(draft: Draft, backbone: State, weights: Mapping[str, int]) -> None:
    if _BACKBONE in draft.tasks:
        raise UnknownLayoutError(f"a task is named {_BACKBONE!r}, which is reserved for the network itself")
    draft.tasks.append(_BACKBONE)
    draft.entries += [replace(backbone.plain(name), task=len(draft.tasks)) for name in weights]
    draft.notes.append(
        "ternary masks: a bit cannot express −1, 0 and 1, so every task stores its kept values, and the task "
        f"{_BACKBONE!r} the weights of the network"
    )


def _weights(backbone: State, tasks: Mapping[Any, Mapping[Any, Any]], indices: list[Any]) -> dict[str, int]:
    """The index of the mask by the name of the weight."""
    matrices = [name for name, tensor in backbone.tensors.items() if tensor.dim() >= 2]
    for task, masks in tasks.items():
        for number, index in enumerate(indices):
            mask = masks.get(index)
            shape = tuple(mask.shape) if isinstance(mask, torch.Tensor) else None
            weight = matrices[number] if number < len(matrices) else None
            if weight is None or shape != tuple(backbone.tensors[weight].shape):
                what = (
                    "no further weight"
                    if weight is None
                    else f"{quoted(weight)}, {list(backbone.tensors[weight].shape)}"
                )
                raise UnknownLayoutError(
                    f"the backbone does not fit: mask {index} of {quoted(task)} is {shape and list(shape)}, but number "
                    f"{number + 1} of its weights is {what}"
                )
    return {matrices[number]: int(index) for number, index in enumerate(indices)}


def _layers(backbone: State, name: str, index: int, tasks: list[Mapping[Any, Any]]) -> Iterator[DraftEntry]:
    entry = backbone.plain(name)
    for number, masks in enumerate(tasks):
        values = masks[index].detach().reshape(-1).cpu().numpy()
        minus = values == np.array(_MINUS).astype(values.dtype)
        if not np.isin(values[~minus], (0, 1)).all():
            raise UnknownLayoutError(f"mask {index} has values other than 0, 1 and 255 (for −1)")
        mask = Mask.from_bool(values != 0)
        words = _negated(entry.values, entry.dtype, minus) if minus.any() else entry.values
        yield MaskedWeight(
            name,
            entry.dtype,
            entry.shape,
            words,
            mask,
            task=1 + number,
            memory=entry.memory,
            source=name,
            scores=(f"{_MASKS} {index}",),
        )


def _negated(words: Words, dtype: DType, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Words:
    if not dtype.has_sign_bit:
        raise UnknownLayoutError(f"a weight of {dtype} cannot be multiplied by −1")
    return np.where(where, words ^ words.dtype.type(1 << (8 * words.itemsize - 1)), words)


def _classifiers(classifiers: Any, tasks: list[Any]) -> list[list[DraftEntry]]:
    """The tensors of every task's classifier."""
    if not isinstance(classifiers, Mapping):
        return []
    found: list[list[DraftEntry]] = []
    for number, task in enumerate(tasks):
        if task not in classifiers:
            continue
        state = unwrap(classifiers[task])
        entries = [state.plain(name) for name in state.tensors]
        found.append([replace(entry, name=f"classifier.{entry.name}", task=1 + number) for entry in entries])
    return found


def restore(contents: Contents) -> Any:
    """`dataset2masks` and the state_dicts of the classifiers; or weights and real masks of 0 and 1.

    Raises:
        OutputError: masks that the family cannot express: without an index, or of weights that are not the backbone's.
    """
    if not contents.details.get("index"):
        check_threshold(contents)
        return restored(contents, lambda name: (name, beside(name, _REAL)), _weight_and_real)
    if not contents.tasks:
        raise OutputError("the file holds no tasks, and a checkpoint of piggyback needs them: use another layout")
    masks: dict[str, dict[int, torch.Tensor]] = {}
    classifiers: dict[str, Tensors] = {}
    backbone = contents.of(_BACKBONE) if _BACKBONE in contents.tasks else None
    for task in contents.tasks:
        if task == _BACKBONE:
            continue
        part = contents.of(task)
        index: dict[str, int] = part.details.get("index", {})
        own = part.only_of(task)
        lost = [name for name in own if part.masked(name) and name not in index]
        if lost:
            raise OutputError(f"{quoted(lost[0])} has a mask, but the file has no index for it: use another layout")
        masks[task], classifiers[task] = {}, {}
        for name, number in index.items():
            put(masks[task], number, _bytes(part, backbone, name))
        for name in own:
            if name not in index:
                put(classifiers[task], name.removeprefix("classifier."), part.dense(name))
    whole: dict[str, Any] = {_MASKS: masks}
    return whole | ({_CLASSIFIERS: classifiers} if any(classifiers.values()) else {})


def _bytes(task: Contents, backbone: Contents | None, name: str) -> torch.Tensor:
    mask = task.mask(name, torch.uint8)
    if backbone is None:
        return mask
    dtype, ours = torch_tensors.to_words(task.dense(name), name)
    theirs_dtype, theirs = torch_tensors.to_words(backbone.dense(name), name)
    kept = mask.numpy().reshape(-1) == 1
    if dtype != theirs_dtype or len(ours) != len(theirs):
        raise OutputError(f"{quoted(name)} differs from task {_BACKBONE!r} in dtype or shape: use another layout")
    minus = kept & (ours != theirs)
    if minus.any() and not np.array_equal(_negated(theirs, dtype, minus)[minus], ours[minus]):
        raise OutputError(f"{quoted(name)} differs from task {_BACKBONE!r} in its values: use another layout")
    mask.reshape(-1)[torch.from_numpy(minus)] = _MINUS
    return mask


def _weight_and_real(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return contents.filled(name), contents.mask(name, torch.float32)


FAMILY = Family(NAME, recognise, restore)
