"""A state_dict, unwrapped from whatever it was saved in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from .. import torch_tensors
from ..draft import PlainTensor, TiedTensor
from ..errors import UnknownLayoutError

# Where training scripts put the state_dict beside epoch, optimizer and the like.
WRAPPERS = ("state_dict", "model_state_dict", "model")
# What DataParallel and torch.compile put before every name.
PREFIXES = ("module.", "_orig_mod.")
# A counter that torch.optim.swa_utils.AveragedModel has beside its `module`.
_AVERAGED = "n_averaged"


@dataclass
class State:
    """Tensors of a checkpoint by name, in order.

    Attributes:
        tensors: the state_dict.
        dropped: what stood beside the tensors.
        notes: what the user should know of that.
        eps: of the modules with running statistics, by the prefix of their tensors; from a module only.
        under: the key of the checkpoint that it stood under; None where it is the checkpoint itself, or a module.
    """

    tensors: dict[str, torch.Tensor]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    eps: dict[str, float] = field(default_factory=dict)
    under: str | None = None

    def plain(self, name: str, rename: Callable[[str], str] = str) -> PlainTensor | TiedTensor:
        """A tensor as it is, or as another name of an earlier one that has the same memory.

        Args:
            rename: what a tensor shall be called.
        """
        tensor = self.tensors[name]
        first = self._first_name(tensor)
        if first is not None and first != name:
            return TiedTensor(rename(name), rename(first))
        dtype, values = torch_tensors.to_words(tensor, name)
        return PlainTensor(rename(name), dtype, tuple(tensor.shape), values)

    def without(self, names: Iterable[str]) -> State:
        """All but these tensors."""
        left = set(names)
        return replace(self, tensors={name: tensor for name, tensor in self.tensors.items() if name not in left})

    def with_tensors(self, more: Mapping[str, torch.Tensor]) -> State:
        """These tensors, too."""
        return replace(self, tensors=self.tensors | dict(more))

    def mixed_prefix(self) -> str | None:
        """What to say where some names begin with a prefix that wrappers put before all of them."""
        for prefix in PREFIXES:
            having = [name for name in self.tensors if name.startswith(prefix)]
            others = [name for name in self.tensors if not name.startswith(prefix) and name != _AVERAGED]
            if having and others:
                return (
                    f"{len(having)} names begin with {prefix!r} (first: {having[0]!r}) and {len(others)} do not "
                    f"(first: {others[0]!r})"
                )
        return None

    def tied_to(self, name: str) -> str | None:
        """The earlier name of the same memory, shape and strides, if there is one."""
        first = self._first_name(self.tensors[name])
        return None if first == name else first

    def _first_name(self, tensor: torch.Tensor) -> str | None:
        return self._names.get(_identity(tensor)) if tensor.numel() and tensor.layout == torch.strided else None

    def __post_init__(self) -> None:
        self._names: dict[tuple[object, ...], str] = {}
        for name, tensor in self.tensors.items():
            if tensor.numel() and tensor.layout == torch.strided and not tensor.is_meta:
                self._names.setdefault(_identity(tensor), name)


def _identity(tensor: torch.Tensor) -> tuple[object, ...]:
    return (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.is_conj(), tensor.is_neg())


def unwrap(source: object, key: str | None = None) -> State:
    """Find the state_dict in a module, a state_dict or a checkpoint.

    Args:
        key: where in the checkpoint it is; by default under one of `WRAPPERS`, or the checkpoint itself.

    Raises:
        UnknownLayoutError: there is none, or there are several.
    """
    if isinstance(source, torch.nn.Module):
        return _of_module(source)
    if isinstance(source, str | os.PathLike):
        raise UnknownLayoutError(f"this is a path ({os.fspath(source)!r}): pass load_checkpoint(path)")
    if not isinstance(source, Mapping):
        raise UnknownLayoutError(
            f"this is a {type(source).__name__}: pass a module, a state_dict or a checkpoint dictionary instead"
        )
    networks = [name for name, value in source.items() if _is_network(value)]
    if key is not None:
        if key not in networks:
            flat = not networks and any(isinstance(value, torch.Tensor) for value in source.values())
            there = (
                "the checkpoint is one itself: leave --key away" if flat else f"there is one under: {_listed(networks)}"
            )
            raise UnknownLayoutError(f"there is no state_dict under {key!r}; {there}")
        return _nested(source, key)
    wrappers = [name for name in networks if name in WRAPPERS]
    if len(wrappers) == 1:
        return _nested(source, wrappers[0])
    if networks:
        # Never a choice that the file does not make: what is not taken would be lost.
        raise UnknownLayoutError(
            f"the checkpoint holds tensors under {_listed(networks)}: say which is the network (--key NAME, key=)"
        )
    if any(isinstance(value, torch.Tensor) for value in source.values()):
        return _flat(source)
    raise UnknownLayoutError(
        f"there is no state_dict in the checkpoint: it holds {_listed(list(source))}; expected tensors, or one of "
        f"{', '.join(WRAPPERS)}"
    )


def _listed(names: Sequence[object]) -> str:
    return ", ".join(repr(name) for name in names[:6]) + (", …" if len(names) > 6 else "") if names else "nothing"


def _is_network(value: object) -> bool:
    if isinstance(value, torch.nn.Module):
        return True
    return isinstance(value, Mapping) and any(isinstance(item, torch.Tensor) for item in value.values())


def _nested(source: Mapping[Any, object], key: str) -> State:
    inner = source[key]
    assert isinstance(inner, torch.nn.Module | Mapping)  # _is_network() made sure
    state = _of_module(inner) if isinstance(inner, torch.nn.Module) else _flat(inner)
    state.under = key
    state.dropped.extend(str(other) for other in source if other != key)
    others = [name for name, value in source.items() if name != key and _is_network(value)]
    if others:
        state.notes.append(f"there are tensors under {_listed(others)} too: they are left out (--key NAME packs them)")
    return state


def _of_module(module: torch.nn.Module) -> State:
    state = _flat(module.state_dict())
    for name, part in module.named_modules(remove_duplicate=False):
        eps = getattr(part, "eps", None)
        if hasattr(part, "running_var") and isinstance(eps, float | int):
            state.eps[name + "." if name else ""] = float(eps)
    return state


def _flat(source: Mapping[Any, object]) -> State:
    tensors: dict[str, torch.Tensor] = {}
    dropped: list[str] = []
    for key, value in source.items():
        if not isinstance(value, torch.Tensor):
            dropped.append(str(key))
        elif isinstance(key, str):
            tensors[key] = value
        else:
            raise UnknownLayoutError(f"the state_dict has the key {key!r}, which is no string")
    return State(tensors, dropped)
