"""Types that every family of layouts returns: cases that can be packed, inputs that cannot, and their writers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

StateDict = dict[str, torch.Tensor]
Tasks = dict[str, StateDict]  # by task; "" for a single network
Write = Callable[[Path], Path]


@dataclass(frozen=True)
class Case:
    """A checkpoint as its project writes it, beside what the project makes of it."""

    name: str
    options: dict[str, Any]  # keyword arguments of packing: what no reader can know from the file
    checkpoint: Any  # what torch.save is given; None where the layout is not one such file
    write: Write  # into a folder; returns the path to pack
    effective: Tasks  # every tensor of the network, by dense name: +0.0 where masked out
    masks: Callable[[Any], Tasks]  # the project's own rule, from a checkpoint of this layout (or its path): bool
    evaluate: Callable[[Any], Tasks]  # every tensor of the network as the project evaluates it, +0.0 where masked out


@dataclass(frozen=True)
class Bad:
    """An input that cannot be packed with these options: wrong, or more than one network could be meant."""

    name: str
    options: dict[str, Any]
    write: Write
    reason: str  # short, in words of the layout
    checkpoint: Any = None  # what torch.save is given; None where the layout is not one such file


def saved(checkpoint: Any, file: str = "checkpoint.pt") -> Write:
    """Writes one file with torch.save."""

    def write(folder: Path) -> Path:
        torch.save(checkpoint, folder / file)
        return folder / file

    return write


def saved_safetensors(tensors: StateDict, file: str = "model.safetensors") -> Write:
    """Writes one .safetensors file, with the metadata that PyTorch's writers give it."""

    def write(folder: Path) -> Path:
        save_file(tensors, folder / file, metadata={"format": "pt"})
        return folder / file

    return write


def torch_case(
    name: str,
    options: dict[str, Any],
    checkpoint: Any,
    effective: Tasks,
    masks: Callable[[Any], Tasks],
    evaluate: Callable[[Any], Tasks],
    file: str = "checkpoint.pt",
) -> Case:
    """A case that is one file of torch.save."""
    return Case(name, options, checkpoint, saved(checkpoint, file), effective, masks, evaluate)


def torch_bad(name: str, options: dict[str, Any], checkpoint: Any, reason: str) -> Bad:
    """A bad input that is one file of torch.save."""
    return Bad(name, options, saved(checkpoint), reason, checkpoint)


def masked(weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The weight where the mask keeps it, else +0.0."""
    return torch.where(mask.bool(), weight, torch.zeros((), dtype=weight.dtype))


def replaced_end(name: str, end: str, by: str) -> str:
    """The name with another end."""
    assert name.endswith(end), name
    return name[: len(name) - len(end)] + by
