"""Operations on packed tensors below autograd: what does not expand them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ..errors import NetworkError
from . import ops
from .cached import Cached
from .resident import release
from .weight import INNER, is_packed

_ATEN = torch.ops.aten
_MOVED: Cached[dict[Any, torch.Tensor]] = Cached()


def _alias(tensor: Any, *_: Any, **__: Any) -> Any:
    """Return the same weight: it is a constant, so that a copy can share its memory."""
    return tensor.replaced(tensor.meaning)


def _turned(tensor: Any, *dims: Any) -> Any:
    """Return the transposed matrix."""
    if tensor.dim() != 2 or not _swaps(dims):
        return NotImplemented
    return tensor.replaced(replace(tensor.meaning, transposed=not tensor.meaning.transposed))


def _swaps(dims: tuple[Any, ...]) -> bool:
    """Return whether dimensions of a matrix change places: `t()`, `transpose(0, 1)`, `permute([1, 0])`."""
    flat = dims[0] if len(dims) == 1 and isinstance(dims[0], list | tuple) else dims
    places = [dim % 2 for dim in flat]
    return not places or places == [1, 0] or (len(dims) == 2 and places == [0, 1])


def _mm(a: Any, b: Any) -> Any:
    if is_packed(a) and is_packed(b):
        return NotImplemented
    if is_packed(b):
        return ops.multiplied(a, b)
    return ops.multiplied(b.t(), _turned(a)).t()


def _addmm(bias: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    if is_packed(bias):
        return NotImplemented
    made = _mm(a, b)
    return made if made is NotImplemented else beta * bias + alpha * made


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    if is_packed(x) or is_packed(bias):
        return NotImplemented
    return ops.linear(x, weight, bias)


def _to_copy(tensor: Any, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Any:
    """Return the weight in another floating dtype, or on another device; prototypes are moved once."""
    if dtype is not None and dtype != tensor.dtype:
        if not (dtype.is_floating_point and tensor.dtype.is_floating_point):
            return NotImplemented
        tensor = _converted(tensor, dtype)
    if device is None or torch.device(device) == tensor.device:
        return _alias(tensor)
    bits, *inner = tensor.weight.tensors  # checked: its bits leave the file
    moved = [one if one is None else _once(one, device) for one in inner]
    return tensor.replaced(tensor.meaning, bits.to(device), *moved)


def _converted(tensor: Any, dtype: torch.dtype) -> Any:
    scale = tensor.meaning.scale

    def convert(values: torch.Tensor) -> torch.Tensor:
        return _once(values if scale is None else values * torch.tensor(scale, dtype=values.dtype), dtype)

    others = None if tensor.others is None else convert(tensor.others)
    meaning = replace(tensor.meaning, scale=None, recipe="", second_recipe="")
    return tensor.replaced(
        meaning, tensor.bits, convert(tensor.stored), others, tensor.presence, tensor.others_presence
    )


def _once(values: torch.Tensor, where: Any) -> torch.Tensor:
    """Return a prototype in another dtype or on another device: the same tensor for all weights that share it."""
    made = _MOVED.get(values, dict)
    if where not in made:
        made[where] = values.to(where)
    return made[where]


def _copy(into: Any, source: Any, *_: Any) -> Any:
    """Take over another packed weight. Values that are not packed cannot be written into one."""
    if not is_packed(into):
        return NotImplemented
    if not is_packed(source) or source.shape != into.shape or source.dtype != into.dtype:
        raise NetworkError(
            "values cannot be copied into a packed weight, which is a constant: load with assign=True to replace it"
        )
    release(into.bits)
    for name in ("meaning", *INNER):
        setattr(into, name, getattr(source, name))
    into.lane = None
    return into


OPERATORS: dict[Any, Callable[..., Any]] = {
    _ATEN.detach.default: _alias,
    _ATEN.alias.default: _alias,
    _ATEN.clone.default: _alias,
    _ATEN.contiguous.default: _alias,
    _ATEN.lift_fresh.default: _alias,
    _ATEN.t.default: _turned,
    _ATEN.transpose.int: _turned,
    _ATEN.permute.default: _turned,
    _ATEN.mm.default: _mm,
    _ATEN.addmm.default: _addmm,
    _ATEN.linear.default: _linear,
    _ATEN._to_copy.default: _to_copy,
    _ATEN.copy_.default: _copy,
}
