"""Functions of torch that packed tensors take over, above autograd."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from ..errors import NetworkError
from . import ops, products
from .expand import expand, scratch
from .operators import OPERATORS
from .resident import resident
from .weight import Weight, is_packed, unpacked

_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_SHORT = (torch.bfloat16, torch.float16)  # which torch multiplies faster than what a mask is expanded to


class _Constant(torch.autograd.Function):
    """The identity, which refuses a gradient of the weight."""

    @staticmethod
    def forward(ctx: Any, made: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return made.view_as(made)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:  # noqa: ARG004
        raise NetworkError(
            "a packed weight is a constant and has no gradient: set requires_grad_(False) on it, or train masks with "
            "the layers of pemncodec.nn"
        )


def _constant(made: Any, weight: Any) -> Any:
    """Return what was made of a weight, whose gradient is refused if it is asked for."""
    asked = torch.is_grad_enabled() and weight.requires_grad  # which is a call of a function of torch, too
    return _Constant.apply(made, weight) if asked else made  # type: ignore[no-untyped-call]


def _linear(func: Callable[..., Any], input: Any, weight: Any, bias: Any = None) -> Any:
    if not is_packed(weight) or is_packed(input) or is_packed(bias):
        return func(*map(unpacked, (input, weight, bias)))
    values = _staying(input, weight)
    if values is not None:
        return _constant(func(input, values, bias), weight)
    made = ops.linear(input, weight, bias)
    if weight.lane is None and not torch.compiler.is_compiling() and _is_plain(input):
        weight.lane = weight.device.type == "cpu" and _lane(weight.weight)
    return _constant(made, weight)


def _staying(input: Any, weight: Any) -> torch.Tensor | None:
    """Return the dense values of a weight, if they stay in memory and nothing is traced."""
    values = getattr(weight, "lane", None)
    found = isinstance(values, torch.Tensor) and _is_plain(input) and not torch.compiler.is_compiling()
    return values if found else None


def _lane(weight: Weight) -> Any:
    """Return what multiplies with the fewest steps: of short floats the dense values, if they are small."""
    is_short = weight.stored.dtype in _SHORT and not weight.meaning.transposed
    return _small(weight) if is_short else products.lane(weight)


def _small(weight: Weight) -> Any:
    """Return the dense values of a small weight, which stay in memory; False if there is no room for them."""
    values = resident(weight, weight.meaning.shape, partial(expand, weight))
    return False if values is None else values


def _is_plain(input: Any) -> bool:
    return type(input) is torch.Tensor or type(input) is torch.nn.Parameter


def _convolution(func: Callable[..., Any], input: Any, weight: Any, *args: Any, **kwargs: Any) -> Any:
    """Expand the weight into memory that all layers share, unless it is needed for a gradient or a trace."""
    values = _staying(input, weight)
    if values is not None:
        return _constant(func(input, values, *args, **kwargs), weight)
    others = [unpacked(one) for one in args]
    named = {name: unpacked(one) for name, one in kwargs.items()}
    if not is_packed(weight):
        return func(unpacked(input), weight, *others, **named)
    traced = torch.compiler.is_compiling() or not _is_plain(input)
    tracked = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    if traced or tracked or weight.device.type != "cpu" or weight.meaning.transposed:
        return _constant(func(input, weight.dense(), *others, **named), weight)
    return func(input, _expanded(weight), *others, **named)


def _expanded(weight: Any) -> torch.Tensor:
    """Return the dense weight: one that stays, if it is small, or else in memory that all layers share."""
    if weight.lane is None:
        weight.lane = _small(weight.weight)
    return _in_scratch(weight) if weight.lane is False else weight.lane


def _in_scratch(weight: Any) -> torch.Tensor:
    found = weight.weight
    return expand(found, scratch(found.meaning.numel, found.stored.dtype).view(found.meaning.shape))


def _detached(func: Callable[..., Any], tensor: Any) -> Any:  # noqa: ARG001
    """Return the same constant. Below autograd torch would import its distributed tensors first, for half a second."""
    return tensor.replaced(tensor.meaning)


def _copied(func: Callable[..., Any], into: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
    """Take over another packed weight, without the import that `_detached` avoids."""
    if is_packed(into) and not (into.requires_grad and torch.is_grad_enabled()):
        made = OPERATORS[torch.ops.aten.copy_.default](into, source)
        if made is not NotImplemented:
            return made
    with torch._C.DisableTorchFunctionSubclass():
        return func(into, source, *args, **kwargs)


def _of_dense(func: Callable[..., Any], tensor: Any, *args: Any, **kwargs: Any) -> Any:
    """Call what looks at memory with the dense weight."""
    return func(unpacked(tensor), *args, **kwargs)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    torch.nn.functional.linear: _linear,
    **{getattr(torch.nn.functional, name): _convolution for name in _CONVOLUTIONS},
    torch.Tensor.detach: _detached,
    torch.Tensor.copy_: _copied,
    **dict.fromkeys((torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__), _of_dense),
}
