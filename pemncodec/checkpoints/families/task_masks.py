"""One network and masks of several tasks beside it, under a key of their own.

`per_task_masks`, {task: {name: mask of 0 and 1, or None}}: winning subnetworks (Kang et al., ICML 2022).
`previous_masks`, {name or place: owner}: PackNet (Mallya and Lazebnik, CVPR 2018); the owner of a weight is the number
of the task that it was trained for, 0 for none, and task t keeps what tasks 1 to t own. The places of PackNet's own
files are those of modules, which no state_dict knows: in their order they belong to the weights of two or more
dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ...common import torch_tensors
from ...errors import OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ..containers import holds_values
from ..draft import Draft, MaskedWeight
from ..family import Beside, Checkpoint, Contents, Family, Tensors, put
from ..masks import found_masks, rules
from ..masks.explicit import fits
from ..options import PackOptions
from ..state import State, memory_of

NAME = "task-masks"
_TASKS, _OWNERS, _NAMES = "per_task_masks", "previous_masks", "dataset2idx"
ByTask = dict[str, dict[str, torch.Tensor]]


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft with tasks if there are masks of tasks beside the network.

    Raises:
        UnknownLayoutError: they do not fit it.
    """
    if not isinstance(checkpoint.raw, Mapping):
        return None
    key = next((key for key in (_TASKS, _OWNERS) if holds_values(checkpoint.raw.get(key))), None)
    if key is None:
        return None
    state = checkpoint.state
    source = checkpoint.raw[key]
    if not isinstance(source, Mapping):
        raise UnknownLayoutError(f"{key!r} is a {type(source).__name__}, not a dictionary of masks")
    by_task, named = (
        _of_tasks(source, state) if key == _TASKS else _of_owners(source, state, checkpoint.raw.get(_NAMES))
    )
    draft = Draft(NAME, "explicit", tasks=list(by_task))
    weights = {name for masks in by_task.values() for name in masks}
    found = {
        task: {name: _mask(state, name, mask, options) for name, mask in masks.items()}
        for task, masks in by_task.items()
    }
    for name, tensor in state.tensors.items():
        entry = state.plain(name)
        if name not in weights:
            draft.entries.append(entry)
            continue
        ones = Mask.from_bool(torch.ones(tensor.shape, dtype=torch.bool).numpy())
        draft.entries += [
            MaskedWeight(
                name,
                entry.dtype,
                entry.shape,
                entry.values,
                masks.get(name, ones),
                task=1 + number,
                memory=memory_of(tensor),
                source=name,
                scores=(f"{key} {task}",),
            )
            for number, (task, masks) in enumerate(found.items())
        ]
    draft.original |= named
    draft.reasons.append(f"there are masks of {len(by_task)} tasks under {key!r} beside the network")
    state.dropped[:] = [name for name in state.dropped if name != key]
    state.notes[:] = [note for note in state.notes if repr(key) not in note]
    return draft


def _of_tasks(source: Mapping[Any, Any], state: State) -> tuple[ByTask, dict[str, Any]]:
    masks = {
        str(task): {name: mask for name, (_, mask) in found_masks.given(of, state).items()}
        for task, of in source.items()
        if holds_values(of)
    }
    integers = all(isinstance(task, int) for task in source)
    return masks, {"task_masks": _TASKS, "integer_tasks": integers}


def _of_owners(source: Mapping[Any, Any], state: State, numbers: Any) -> tuple[ByTask, dict[str, Any]]:
    if all(isinstance(place, int) for place in source):
        found = found_masks.given([source[place] for place in sorted(source)], state)
        places = dict(zip(found, sorted(source), strict=True))
    else:
        found, places = found_masks.given(source, state), {}
    owners = {name: owner for name, (_, owner) in found.items()}
    most = max((int(owner.max()) for owner in owners.values() if owner.numel()), default=0)
    if most < 1 or most > 255 or any(owner.dtype.is_floating_point for owner in owners.values()):
        raise UnknownLayoutError(f"{_OWNERS!r} has owners other than 0 (none) and the numbers of tasks up to 255")
    called = {number: name for name, number in numbers.items()} if isinstance(numbers, Mapping) else {}
    tasks = {number: str(called.get(number, number)) for number in range(1, most + 1)}
    if len(set(tasks.values())) < len(tasks):
        raise UnknownLayoutError(f"{_NAMES!r} gives two tasks the same name")
    masks = {
        task: {name: (owner >= 1) & (owner <= number) for name, owner in owners.items()}
        for number, task in tasks.items()
    }
    return masks, {"task_masks": _OWNERS, "places": places}


def _mask(state: State, name: str, mask: torch.Tensor, options: PackOptions) -> Mask:
    weight = state.tensors[name]
    if not fits(mask, weight):
        raise UnknownLayoutError(
            f"a mask of {quoted(name)} has the shape {tuple(mask.shape)}, but the tensor {tuple(weight.shape)}: they "
            "must be equal"
        )
    found = rules.explicit(mask.expand(weight.shape), name)
    return rules.inverted(found) if options.inverted_masks else found


def restore(contents: Contents) -> Beside:
    """The network, with every value that a task keeps, and the masks of all tasks.

    Raises:
        OutputError: there are no tasks, or they are not masks over one network.
    """
    if not contents.tasks:
        raise OutputError("the file holds no tasks, and this family needs them: use another layout")
    network = _Network()
    by_task: dict[Any, Any] = {}
    for number, task in enumerate(contents.tasks, 1):
        part = contents.of(task)
        own = set(part.only_of(task))
        masks: Tensors = {}
        for name in part.names:
            if part.masked(name):
                masks[name] = network.add(part, name, number)
            elif name in own:
                raise OutputError(f"{quoted(name)} is a different tensor in each task: use another layout")
            elif name not in network.tensors:
                network.tensors[name] = part.dense(name)
        integer = contents.details.get("integer_tasks") and task.lstrip("-").isdecimal()
        put(by_task, int(task) if integer else task, masks)
    if contents.details.get("task_masks") != _OWNERS:
        return Beside(network.tensors, {_TASKS: by_task})
    places = contents.details.get("places", {})
    owners: dict[Any, torch.Tensor] = {}
    for name, owner in network.owners.items():
        put(owners, places.get(name, name), owner)
    return Beside(network.tensors, {_OWNERS: owners, _NAMES: {task: n for n, task in enumerate(contents.tasks, 1)}})


class _Network:
    """One network, put together from its tasks."""

    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self.owners: Tensors = {}

    def add(self, part: Contents, name: str, number: int) -> torch.Tensor:
        """Add what a task keeps of a weight; its mask."""
        weight, mask = part.filled(name), part.mask(name)
        dtype, words = torch_tensors.to_words(weight, name)
        if name not in self.tensors:
            part.room(2 * mask.numel(), "owners", keep=True)
            self.tensors[name], self.owners[name] = weight, torch.zeros(mask.shape, dtype=torch.uint8)
        known_dtype, known = torch_tensors.to_words(self.tensors[name], name)
        owner = self.owners[name]
        if (dtype, weight.shape) != (known_dtype, self.tensors[name].shape):
            raise OutputError(f"{quoted(name)} has a different dtype or shape in each task: use another layout")
        both = np.repeat((mask & (owner > 0)).numpy().reshape(-1), dtype.words_per_element)
        new = np.repeat(mask.numpy().reshape(-1), dtype.words_per_element)
        if not np.array_equal(words[both], known[both]):
            raise OutputError(f"{quoted(name)} has different values in each task: use another layout")
        known[new] = words[new]
        owner[mask & (owner == 0)] = min(number, 255)
        return mask.to(torch.uint8)


FAMILY = Family(NAME, recognise, restore)
