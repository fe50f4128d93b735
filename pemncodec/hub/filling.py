"""The weights of a `.pemn` file in a model, under the names that the model has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.utils import parametrize, prune

from ..coding.delta.base_files import BaseFiles
from ..errors import PemnError
from ..loading.file import PemnFile
from ..loading.load_model import load_model
from ..loading.original import load_original


def filled(
    model: torch.nn.Module,
    path: Path,
    *,
    layout: Literal["dense", "packed"],
    task: str | None,
    base: BaseFiles,
    verify: bool,
    max_bytes: int,
    threads: int | None,
) -> None:
    """Give a model the tensors of a file, with their dtypes.

    A model that is pruned or masked already has scores and masks under names of their own. If the file restores exactly
    these names, the model gets them. With `layout="packed"` its weights become plain ones.

    Raises:
        MismatchError: the names or shapes differ.
        FormatError, NotFoundError, BaseFileError, FileAccessError: as `load_file`.
    """
    own = model.state_dict().keys()
    with PemnFile(path, task=task, base=base, max_bytes=max_bytes) as file:
        unknown = [name for name in file if name not in own]
    if unknown and layout == "dense":
        state = _original(path, own, task=task, base=base, max_bytes=max_bytes)
        if state is not None:
            model.load_state_dict(state, assign=True)
            return
    if unknown and layout == "packed":
        _make_plain(model, unknown)
    load_model(
        model,
        path,
        assign=True,
        layout=layout,
        verify=verify,
        task=task,
        max_bytes=max_bytes,
        base=base,
        threads=threads,
    )


def _original(path: Path, own: Collection[str], **options: Any) -> dict[str, torch.Tensor] | None:
    """Return the state_dict that was packed, if it has the names of the model; else None."""
    if not any(".parametrizations." in f".{name}" or name.endswith("_orig") for name in own):
        return None
    try:
        found = load_original(path, **options)
    except PemnError:  # the error about the names says more
        return None
    return found if isinstance(found, dict) and found.keys() == set(own) else None


def _make_plain(model: torch.nn.Module, names: Iterable[str]) -> None:
    """Remove pruning and parametrizations of these weights, where there are any."""
    modules = dict(model.named_modules())
    for name in names:
        path, _, last = name.rpartition(".")
        module = modules.get(path)
        if module is None:
            continue
        if parametrize.is_parametrized(module, last):
            parametrize.remove_parametrizations(module, last)
        elif f"{last}_orig" in dict(module.named_parameters(recurse=False)) and prune.is_pruned(module):
            prune.remove(module, last)
