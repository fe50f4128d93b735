"""RAIVNLab/supsup: one random network, `X.weight`, and a mask for every task, `X.scores.0`, `X.scores.1`, ….

`MultitaskMaskConv` keeps the top fraction of |scores| (rule A, a sparsity that is not saved), `FastMultitaskMaskConv`
the scores of at least 0 (`--rule sigmoid`). BatchNorm is there once a task: `X.bns.0.running_mean` is `X.running_mean`
of task 0 here. Checkpoints of the published scripts carry an argparse.Namespace, which is not read without being
allowed. `IndividualHeads` calls whole weights of a task scores, too: nothing in the file tells them apart.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import torch

from ...common import torch_tensors
from ...errors import OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ..draft import Draft, MaskedWeight
from ..family import Checkpoint, Contents, Family, Tensors, beside, put
from ..masks import scored
from ..options import PackOptions
from ..state import State
from .edge_popup import weight_and_scores

NAME = "supsup"
_SCORES = re.compile(r"(?:(.*)\.)?scores\.(\d+)")
_NORM = re.compile(r"(?:(.*)\.)?bns\.(\d+)\.([^.]+)")
_STACKED = re.compile(r"(?:.*\.)?stacked")  # masks of all tasks once more, as a cache
_MISSING = (
    "neither a fraction to keep nor another rule is in the file: use --keep (the sparsity of supsup is the fraction "
    "kept), or --rule sigmoid to keep scores of at least 0 (FastMultitaskMaskConv)"
)


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft with tasks if any key ends with `scores.` and a number.

    Raises:
        UnknownLayoutError: scores without a weight of their shape, or a task that lacks those of a layer.
        MaskRuleError: no rule follows from the file and the options.
    """
    state = checkpoint.state
    found = {name: match for name in state.tensors if (match := _SCORES.fullmatch(name))}
    if not found:
        return None
    weights = {name: _joined(match[1], "weight") for name, match in found.items()}
    weights = {name: weight for name, weight in weights.items() if weight in state.tensors}
    found = {name: match for name, match in found.items() if name in weights}
    if not found:
        return None
    scored.check_pairs(state, weights)
    tasks = sorted({int(match[2]) for match in found.values()})
    masks: dict[str, dict[int, Mask]] = {weight: {} for weight in weights.values()}
    draft = Draft(NAME, "", dropped=["*.scores.*"], tasks=[str(task) for task in tasks])
    for task in tasks:
        pairs = {weights[name]: name for name, match in found.items() if int(match[2]) == task}
        lacking = [weight for weight in masks if weight not in pairs]
        if lacking:
            raise UnknownLayoutError(f"task {task} has no scores for {quoted(lacking[0])}, but other tasks do")
        derived = scored.derive(state, pairs, options, None if options.keep is None else "edge-popup", _MISSING)
        derived.describe(draft)
        draft.notes = list(dict.fromkeys(draft.notes))
        for weight, mask in derived.of.items():
            masks[weight][task] = mask
    _add_entries(draft, state, tasks, masks, set(found))
    draft.reasons.append(f"{len(masks)} weights have scores of {len(tasks)} tasks (first: {quoted(next(iter(found)))})")
    return draft


def _add_entries(
    draft: Draft, state: State, tasks: list[int], masks: dict[str, dict[int, Mask]], scores: set[str]
) -> None:
    number = {task: 1 + index for index, task in enumerate(tasks)}
    for name in state.tensors:
        norm = _NORM.fullmatch(name)
        if name in scores:
            continue
        if _STACKED.fullmatch(name):
            draft.dropped.append(name)
            draft.accounted.append(name)
            continue
        entry = state.plain(name)
        if name in masks:
            own = f"{name.removesuffix('weight')}scores."
            draft.entries += [
                MaskedWeight(
                    name,
                    entry.dtype,
                    entry.shape,
                    entry.values,
                    mask,
                    task=number[task],
                    memory=entry.memory,
                    source=name,
                    scores=(f"{own}{task}",),
                )
                for task, mask in masks[name].items()
            ]
        elif norm is not None and int(norm[2]) in number:
            draft.entries.append(replace(entry, name=_joined(norm[1], norm[3]), task=number[int(norm[2])]))
        else:
            draft.entries.append(entry)


def _joined(prefix: str | None, name: str) -> str:
    return name if prefix is None else f"{prefix}.{name}"


def restore(contents: Contents) -> Tensors:
    """All tasks: weights before masking, scores of 0 and 1 a task, and every task's BatchNorm under `bns`.

    Raises:
        OutputError: there are no tasks, or they are not over one backbone.
    """
    if not contents.tasks:
        raise OutputError("the file holds no tasks, and a checkpoint of supsup needs them: use another layout")
    tensors: Tensors = {}
    weights: dict[str, _Backbone] = {}
    shared: list[str] = []
    for number, task in enumerate(contents.tasks):
        part = contents.of(task)
        own = dict.fromkeys(part.only_of(task))
        if number == 0:
            shared = [name for name in part.names if name not in own and part.masked(name)]
        for name in part.names if number == 0 else [*own, *shared]:
            if part.masked(name):
                weight, scores = weight_and_scores(part, name)
                # every task stores the values that it keeps: together they are what is known of the backbone
                if name in weights:
                    weights[name].add(weight)
                else:
                    weights[name] = _Backbone(weight, name)
                    put(tensors, name, weight)
                put(tensors, f"{beside(name, 'scores')}.{task}", scores)
            elif name in own:
                prefix, _, last = name.rpartition(".")
                put(tensors, _joined(prefix or None, f"bns.{task}.{last}"), part.dense(name))
            else:
                first = part.tied_to(name)
                put(tensors, name, tensors[first] if first in tensors else part.dense(name))
    return tensors


class _Backbone:
    """One weight, put together from the tasks that keep parts of it.

    Args:
        weight: what one knows: zero where it does not. It is changed.
        name: for messages.
    """

    def __init__(self, weight: torch.Tensor, name: str) -> None:
        self.weight = weight
        self._name = name
        _, self._words = torch_tensors.to_words(self.weight, name)

    def add(self, weight: torch.Tensor) -> None:
        """Take what another task knows.

        Raises:
            OutputError: it is of another type or shape, or knows another value.
        """
        same = (weight.dtype, weight.shape) == (self.weight.dtype, self.weight.shape)
        _, words = torch_tensors.to_words(weight, self._name)
        if not same or bool(np.any((words != 0) & (self._words != 0) & (words != self._words))):
            raise OutputError(f"tasks have different weights for {quoted(self._name)}: use another layout")
        np.copyto(self._words, words, where=words != 0)


FAMILY = Family(NAME, recognise, restore)
