"""A family of checkpoints: how they are recognised, and how they are restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch

from ..common import torch_tensors
from ..common.dtypes import BY_NAME
from ..errors import OutputError, UnknownLayoutError
from ..errors.quoting import quoted
from ..nn.recipe import Recipe
from .draft import Draft
from .options import Keep, PackOptions
from .state import State, unwrap


class Checkpoint:
    """The object that a user wants to pack, and the state_dict in it.

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
                f"{mixed}: a wrapper prefixes all names or none; if this is one network, use --mixed-prefixes"
            )
        return state

    @property
    def opened(self) -> State | None:
        """The tensors, if a family has asked for them."""
        return self.__dict__.get("state")


class Contents(Protocol):
    """The contents of a file, for a family that writes its layout again; of one task, or of a file with one network."""

    @property
    def details(self) -> Mapping[str, Any]:
        """`Draft.original`."""

    @property
    def rule(self) -> str:
        """The mask rule."""

    @property
    def fractions(self) -> Keep | None:
        """The fractions kept that the rule was given."""

    @property
    def threshold(self) -> float | None:
        """The number that the rule was given."""

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
        """Return whether a tensor is a masked layer."""

    def dense(self, name: str) -> torch.Tensor:
        """The effective values."""

    def filled(self, name: str) -> torch.Tensor:
        """Of a masked layer: the values before masking; zero where they were not stored.

        Raises:
            OutputError: a zero bit stands for another value than zero, here and in `mask` and `scores`; or there is no
                mask.
        """

    def mask(self, name: str, dtype: torch.dtype = torch.bool) -> torch.Tensor:
        """Of a masked layer: which weights are kept, 0 and 1 in its shape."""

    def flags(self, name: str, dtype: torch.dtype = torch.bool) -> torch.Tensor:
        """As `mask`, whatever a zero bit stands for."""

    def recipe(self, name: str, keep: float, sampler: str) -> Recipe:
        """Of a masked layer that a generator fills: its recipe, with what is not in the file.

        Raises:
            OutputError: no generator fills it, or no recipe expresses how.
        """

    def scores(self, name: str) -> torch.Tensor:
        """Of a masked layer: 1 where it is kept, 0 where not, 0.5 where its value is zero anyway; float32."""

    def room(self, count: int, what: str, *, keep: bool = False) -> None:
        """Refuse to make `count` more bytes than the caller allows; `keep` counts them with what is made already.

        Raises:
            LimitError: it is more. Everything else here counts what it makes.
        """


Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Beside:
    """A state_dict, and what stood beside it in the checkpoint.

    Attributes:
        tensors: the state_dict.
        others: by key of the checkpoint.
    """

    tensors: Tensors
    others: Mapping[Any, Any]


@dataclass(frozen=True)
class Family:
    """A kind of checkpoint.

    Attributes:
        name: as in `--family` and in the metadata.
        recognise: a draft of the checkpoint if it is of this family, else None. Raises CheckpointError if it is, but
            broken, or its masks do not follow.
        restore: writes the layout again: a state_dict, one with something `Beside` it, an `OutputFolder`, or what else
            was saved.
        folders: whether it looks at folders (`Folder`); only such families are asked about one.
    """

    name: str
    recognise: Callable[[Checkpoint, PackOptions], Draft | None]
    restore: Callable[[Contents], Any]
    folders: bool = False


def put(tensors: dict[Any, Any], key: Any, value: Any) -> None:
    """Add to a dictionary that is written.

    Raises:
        OutputError: the key already exists: one of the two would be lost.
    """
    if key in tensors:
        raise OutputError(f"two tensors would be named {quoted(key)}: use another layout")
    tensors[key] = value


def beside(weight: str, what: str) -> str:
    """`X.<what>` for `X.weight`.

    Raises:
        OutputError: the tensor has another name, which this family cannot express.
    """
    if weight != "weight" and not weight.endswith(".weight"):
        raise OutputError(f"{quoted(weight)} is masked, and this family masks X.weight only: use another layout")
    return weight[: -len("weight")] + what


def torch_type(details: Mapping[str, Any], key: str, otherwise: torch.dtype) -> torch.dtype:
    """The torch type that a detail names; `metadata.DETAILS` has checked that there is one."""
    return torch_tensors.torch_dtype(BY_NAME[details[key]]) if key in details else otherwise


def restored(
    contents: Contents,
    names: Callable[[str], Sequence[str]],
    values: Callable[[Contents, str], Sequence[torch.Tensor]],
    plain: Callable[[str], str] = str,
) -> Tensors:
    """A state_dict in which a masked layer becomes one or more tensors, and all else stays as it is.

    Args:
        names: under which keys a masked layer is saved.
        values: what stands there. Tied tensors are tied again.
        plain: under which key another tensor is saved.

    Raises:
        OutputError: two tensors would have one key.
    """
    tensors: Tensors = {}
    made: dict[str, Sequence[torch.Tensor]] = {}
    for name in contents.names:
        owner = contents.tied_to(name) or name
        masked = contents.masked(owner)
        if owner not in made:
            made[owner] = values(contents, owner) if masked else [contents.dense(owner)]
        for key, tensor in zip(names(name) if masked else [plain(name)], made[owner], strict=True):
            put(tensors, key, tensor)
    return tensors
