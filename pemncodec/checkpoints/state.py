"""A state_dict, unwrapped from whatever it was saved in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .. import torch_tensors
from ..draft import PlainTensor, TiedTensor
from ..errors import UnknownLayoutError

# Where training scripts put the state_dict beside epoch, optimizer and the like.
WRAPPERS = ("state_dict", "model_state_dict", "model")


@dataclass
class State:
    """Tensors of a checkpoint by name, in order.

    Attributes:
        tensors: the state_dict.
        dropped: what stood beside the tensors.
    """

    tensors: dict[str, torch.Tensor]
    dropped: list[str] = field(default_factory=list)

    def plain(self, name: str) -> PlainTensor | TiedTensor:
        """A tensor as it is, or as another name of an earlier one that has the same memory."""
        tensor = self.tensors[name]
        first = self._first_name(tensor)
        if first is not None and first != name:
            return TiedTensor(name, first)
        dtype, values = torch_tensors.to_words(tensor, name)
        return PlainTensor(name, dtype, tuple(tensor.shape), values)

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


def unwrap(source: object) -> State:
    """Find the state_dict in a module, a state_dict or a checkpoint.

    Raises:
        UnknownLayoutError: there is none, or there are several.
    """
    if isinstance(source, torch.nn.Module):
        return _flat(source.state_dict())
    if not isinstance(source, Mapping):
        raise UnknownLayoutError(
            f"this is a {type(source).__name__}: pass a module, a state_dict or a checkpoint dictionary instead"
        )
    if any(isinstance(value, torch.Tensor) for value in source.values()):
        return _flat(source)
    nested = [key for key in WRAPPERS if _is_state_dict(source.get(key))]
    if len(nested) > 1:
        raise UnknownLayoutError(f"the checkpoint holds several networks ({', '.join(nested)}): pass one of them alone")
    if not nested:
        keys = ", ".join(repr(key) for key in list(source)[:6]) or "nothing"
        raise UnknownLayoutError(
            f"there is no state_dict in the checkpoint: it holds {keys}; expected tensors, or one of "
            f"{', '.join(WRAPPERS)}"
        )
    inner = source[nested[0]]
    if isinstance(inner, torch.nn.Module):
        inner = inner.state_dict()
    state = _flat(inner)
    state.dropped.extend(str(key) for key in source if key != nested[0])
    return state


def _is_state_dict(value: object) -> bool:
    if isinstance(value, torch.nn.Module):
        return True
    return isinstance(value, Mapping) and any(isinstance(item, torch.Tensor) for item in value.values())


def _flat(source: Mapping[Any, object]) -> State:
    tensors: dict[str, torch.Tensor] = {}
    dropped: list[str] = []
    for key, value in source.items():
        if isinstance(value, torch.Tensor):
            if str(key) in tensors:
                raise UnknownLayoutError(f"two keys of the state_dict read {str(key)!r}")
            tensors[str(key)] = value
        else:
            dropped.append(str(key))
    return State(tensors, dropped)
