"""Models whose masks change: another task of the file that they were loaded from, over the same prototypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch

from ..container.opening import memory_errors
from ..errors import NetworkError
from .file import PemnFile
from .tensors import load_entries


@dataclass
class _Loaded:
    """The file that a model was loaded from.

    Attributes:
        file: stays open.
        names: in the model, by those in the file.
        tasks: what each task has of its own, by its name in the model; kept once it was asked for.
    """

    file: PemnFile
    names: Mapping[str, str]
    tasks: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)


_MODELS: WeakKeyDictionary[torch.nn.Module, _Loaded] = WeakKeyDictionary()


def remember(model: torch.nn.Module, file: PemnFile, names: Mapping[str, str]) -> None:
    """Remember the file that a model was loaded from, packed, and the names of its tensors in the model."""
    if file.tasks:
        _MODELS[model] = _Loaded(file, names)


def switch_task(model: torch.nn.Module, task: str) -> None:
    """Give a model another task of the file that `load_model(model, path, layout="packed")` has loaded.

    Masks, and tensors that each task has of its own, are replaced; what tasks share is not read again. A task that was
    used before is there at once. A model that was moved to another dtype keeps it.

    Args:
        model: that very module; a copy of it is not known.
        task: its name.

    Raises:
        NetworkError: the model was not loaded packed, or from a file without tasks.
        NotFoundError: the task is not in the file.
        FormatError: the file is damaged.
    """
    loaded = _MODELS.get(model)
    if loaded is None:
        raise NetworkError(
            "the model was not loaded from a file with tasks: use load_model(model, path, layout='packed', task=...)"
        )
    if task not in loaded.tasks:
        loaded.tasks[task] = _own(loaded, task)
    tensors = loaded.tasks[task]
    state = model.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name in state:
                state[name].copy_(tensor.to(state[name].dtype))  # a packed weight takes over its own dtype only


def _own(loaded: _Loaded, task: str) -> dict[str, torch.Tensor]:
    file = loaded.file.of_task(task)
    rows = file.decoder.manifest.entries
    mine = {name: file.index(name) for name in file if rows[file.index(name)].task and file.alias_of(name) is None}
    with memory_errors():
        found = load_entries(file.decoder, mine, "packed", "cpu", 1)
    return {loaded.names[name]: found[name][0][1] for name in mine if name in loaded.names}
