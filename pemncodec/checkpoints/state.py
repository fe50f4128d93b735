"""A state_dict, unwrapped from whatever it was saved in."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..common import torch_tensors
from ..errors import UnknownLayoutError
from ..errors.quoting import quoted
from .containers import Flat, Holding, Key, flatten
from .draft import PlainTensor
from .names import PREFIXES

# Where training scripts put the state_dict beside epoch, optimizer and the like.
WRAPPERS = ("state_dict", "model_state_dict", "model")
# Where scripts put masks beside it, by the names of its tensors.
MASKS = ("mask_dict", "masks_dict", "masks", "mask")
# Where they put the masks of several tasks.
TASK_MASKS = ("per_task_masks", "previous_masks")
# The checkpoint itself, for `key`.
WHOLE = "."
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
        flat: how its containers were nested.
        beside: what else the checkpoint holds, by its key.
    """

    tensors: dict[str, torch.Tensor]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    eps: dict[str, float] = field(default_factory=dict)
    under: Key | None = None
    flat: Flat = field(default_factory=Flat)
    beside: Mapping[Any, object] = field(default_factory=dict)

    def plain(self, name: str, rename: Callable[[str], str] = str) -> PlainTensor:
        """A tensor without a mask.

        Args:
            rename: the new name of a tensor.
        """
        tensor = self.tensors[name]
        dtype, values = torch_tensors.to_words(tensor, name)
        return PlainTensor(rename(name), dtype, tuple(tensor.shape), values, memory=memory_of(tensor), source=name)

    def without(self, names: Iterable[str]) -> State:
        """All but these tensors."""
        left = set(names)
        return replace(self, tensors={name: tensor for name, tensor in self.tensors.items() if name not in left})

    def with_tensors(self, more: Mapping[str, torch.Tensor]) -> State:
        """The state with these tensors added."""
        return replace(self, tensors=self.tensors | dict(more))

    def mixed_prefix(self) -> str | None:
        """Return a message if some names begin with a prefix that wrappers put before all of them."""
        for prefix in PREFIXES:
            having = [name for name in self.tensors if name.startswith(prefix)]
            others = [name for name in self.tensors if not name.startswith(prefix) and name != _AVERAGED]
            if having and others:
                return (
                    f"{len(having)} names begin with {prefix!r} (first: {quoted(having[0])}) and {len(others)} do not "
                    f"(first: {quoted(others[0])})"
                )
        return None

    @property
    def nesting(self) -> dict[str, Any]:
        """The entries of `Draft.original` about containers."""
        flat = self.flat
        return {"under": self.under, "groups": flat.groups, "integers": flat.integers, "arrays": flat.arrays}


def memory_of(tensor: torch.Tensor) -> Hashable:
    """Equal for tensors that are the same memory, seen in the same way; None for empty ones.

    It says nothing about what a tensor means: two layers may share their values and not their mask.
    """
    if not tensor.numel():
        return None
    return (
        str(tensor.device),
        tensor.data_ptr(),
        tensor.dtype,
        tuple(tensor.shape),
        tensor.stride(),
        tensor.is_conj(),
        tensor.is_neg(),
    )


def unwrap(source: object, key: str | int | None = None) -> State:
    """Find the state_dict in a module, a state_dict or a checkpoint.

    Args:
        key: where in the checkpoint it is; by default under one of `WRAPPERS`, or the checkpoint itself; `"."`: the
            checkpoint itself, whatever it holds. An integer key may be given as text.

    Raises:
        UnknownLayoutError: there is none, or there are several.
        UnsupportedTensorError: something in it holds values and is no plain tensor.
    """
    if isinstance(source, torch.nn.Module):
        return _of_module(source)
    if isinstance(source, str | os.PathLike):
        raise UnknownLayoutError(
            f"this is a path ({quoted(os.fspath(source))}): use pack_file, or pass load_checkpoint(path)"
        )
    if not isinstance(source, Mapping):
        raise UnknownLayoutError(
            f"this is a {type(source).__name__}: pass a module, a state_dict or a checkpoint dictionary instead"
        )
    holding = Holding(source)
    networks = [name for name, value in source.items() if holding.is_network(value)]
    if key is not None:
        return _under(source, key, networks)
    wrappers = [name for name in networks if name in WRAPPERS]
    if len(wrappers) == 1:
        return _nested(source, wrappers[0])
    masks = [name for name in networks if name in (*MASKS, *TASK_MASKS)]
    others = [name for name in networks if name not in masks]
    direct = any(holding(value) for name, value in source.items() if name not in networks)
    if others:
        # Nothing is guessed: tensors that are not chosen would be lost.
        whole = f", or {WHOLE} for all of them as one network" if direct or len(others) > 1 else ""
        raise UnknownLayoutError(
            f"the checkpoint holds tensors under {_listed(others)}: choose the network (--key NAME, key={whole})"
        )
    if direct:
        own = {name: value for name, value in source.items() if name not in masks}
        return _flat(own, beside={name: source[name] for name in masks})
    if masks:
        raise UnknownLayoutError(
            f"the checkpoint holds masks under {_listed(masks)}, but not the network that they belong to"
        )
    raise UnknownLayoutError(
        f"the checkpoint has no state_dict: it holds {_listed(list(source))}; expected tensors, or one of "
        f"{', '.join(WRAPPERS)}"
    )


def _under(source: Mapping[Any, object], key: str | int, networks: Sequence[Any]) -> State:
    if key == WHOLE and WHOLE not in networks:
        return _flat(source)
    found = next((name for name in networks if name == key or (isinstance(name, int) and str(name) == key)), None)
    if found is not None:
        return _nested(source, found)
    flat = not networks and Holding(source)(source)
    there = "the checkpoint is one itself: omit --key" if flat else f"there is one under: {_listed(networks)}"
    raise UnknownLayoutError(f"there is no state_dict under {quoted(key)}: {there}")


def _listed(names: Sequence[object]) -> str:
    if not names:
        return "nothing"
    return ", ".join(str(name) if isinstance(name, int) else quoted(name) for name in names[:6]) + (
        ", …" if len(names) > 6 else ""
    )


def _nested(source: Mapping[Any, object], key: Key) -> State:
    inner = source[key]
    assert isinstance(inner, torch.nn.Module | Mapping)  # is_network() made sure
    beside = {other: value for other, value in source.items() if other != key}
    state = _of_module(inner) if isinstance(inner, torch.nn.Module) else _flat(inner)
    state.under, state.beside = key, beside
    state.dropped.extend(str(other) for other in beside)
    holding = Holding(source)
    others = [name for name, value in beside.items() if holding.is_network(value)]
    if others:
        state.notes.append(f"tensors under {_listed(others)} are left out (--key NAME packs them)")
    return state


def _of_module(module: torch.nn.Module) -> State:
    state = _flat(module.state_dict())
    for name, part in module.named_modules(remove_duplicate=False):
        eps = getattr(part, "eps", None)
        if hasattr(part, "running_var") and isinstance(eps, float | int):
            state.eps[name + "." if name else ""] = float(eps)
    return state


def _flat(source: Mapping[Any, object], beside: Mapping[Any, object] | None = None) -> State:
    flat = flatten(source)
    return State(flat.tensors, list(flat.dropped), flat=flat, beside=beside or {})
