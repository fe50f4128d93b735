"""What a family of checkpoints is: how it is recognised, and how it is written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch

from ..draft import Draft
from ..errors import UnknownLayoutError
from ..options import Fractions, PackOptions
from ..recipe import Recipe
from .state import State, unwrap


class Checkpoint:
    """What a user wants to pack: the object, and the state_dict in it.

    Args:
        raw: a module, a state_dict, a checkpoint dictionary, or whatever `load_checkpoint` returned.
        options: under which key the state_dict is, and whether prefixes may be mixed.
    """

    def __init__(self, raw: object, options: PackOptions) -> None:
        self.raw = raw
        self._options = options

    @cached_property
    def state(self) -> State:
        """The tensors.

        Raises:
            UnknownLayoutError: there is no state_dict, or there are several; or some names have the prefix of a
                wrapper.
        """
        state = unwrap(self.raw, self._options.key)
        mixed = state.mixed_prefix()
        if mixed is not None and not self._options.mixed_prefixes:
            raise UnknownLayoutError(
                f"{mixed}: wrappers put it before all or none. If this is one network, say so (--mixed-prefixes)"
            )
        return state

    @property
    def opened(self) -> State | None:
        """The tensors, if a family has asked for them."""
        return self.__dict__.get("state")


class Contents(Protocol):
    """What a file holds, for a family that writes its layout again; of one task, or of a file with one network."""

    @property
    def details(self) -> Mapping[str, Any]:
        """`Draft.original`."""

    @property
    def rule(self) -> str:
        """The mask rule."""

    @property
    def keep(self) -> Fractions | None:
        """The fraction kept that the rule was given."""

    @property
    def names(self) -> Sequence[str]:
        """All tensors, in the order of the state_dict."""

    @property
    def tasks(self) -> Sequence[str]:
        """Names of the tasks."""

    def of(self, task: str) -> Contents:
        """The contents of one task."""

    def only_of(self, task: str) -> Sequence[str]:
        """The names whose tensors belong to this task alone."""

    def tied_to(self, name: str) -> str | None:
        """The tensor that this one is another name of."""

    def masked(self, name: str) -> bool:
        """Whether a tensor is a masked layer."""

    def dense(self, name: str) -> torch.Tensor:
        """The effective values."""

    def filled(self, name: str) -> torch.Tensor:
        """Of a masked layer: the values before masking; zero where they were not stored."""

    def mask(self, name: str) -> torch.Tensor:
        """Of a masked layer: which weights are kept; bool, in its shape."""

    def recipe(self, name: str, keep: float, sampler: str) -> Recipe:
        """Of a masked layer that a generator fills: its recipe, with what is not in the file."""

    def scores(self, name: str) -> torch.Tensor:
        """Of a masked layer: 1 where it is kept, 0 where not, 0.5 where its value is zero anyway; float32."""


Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Family:
    """A layout in which checkpoints are saved.

    Attributes:
        name: as `--family` and the metadata say it.
        recognise: a draft of the checkpoint if it is of this family, else None. Raises CheckpointError if it is, but
            broken, or its masks do not follow.
        restore: writes the layout again: a state_dict, an `OutputFolder`, or what else was saved.
        folders: whether it looks at folders (`Folder`); only such families are asked about one.
    """

    name: str
    recognise: Callable[[Checkpoint, PackOptions], Draft | None]
    restore: Callable[[Contents], Any]
    folders: bool = False


def restored(
    contents: Contents, names: Callable[[str], Sequence[str]], values: Callable[[Contents, str], Sequence[torch.Tensor]]
) -> Tensors:
    """A state_dict in which a masked layer becomes one or more tensors, and all else stays as it is.

    Args:
        names: under which keys a masked layer is saved.
        values: what stands there. Tied tensors are tied again.
    """
    tensors: Tensors = {}
    made: dict[str, Sequence[torch.Tensor]] = {}
    for name in contents.names:
        owner = contents.tied_to(name) or name
        if owner not in made:
            made[owner] = values(contents, owner) if contents.masked(owner) else [contents.dense(owner)]
        keys = names(name) if contents.masked(owner) else [name]
        tensors.update(zip(keys, made[owner], strict=True))
    return tensors
