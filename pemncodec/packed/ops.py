"""The products as operators of torch, so that `torch.compile` and autograd see them as one step each."""

from __future__ import annotations

from typing import Any

import torch

from . import products
from .weight import Meaning, Weight


def linear(x: torch.Tensor, weight: Any, bias: torch.Tensor | None = None) -> Any:
    """Return `x @ W.T`, plus a bias; x has any number of dimensions, of which the last is that of the columns."""
    return multiplied(x, weight, turn=True, bias=bias)


def multiplied(x: torch.Tensor, weight: Any, turn: bool = False, bias: torch.Tensor | None = None) -> Any:
    """Return `x @ W`, or `x @ W.T`, plus a bias."""
    how = weight.meaning
    by_rows = how.transposed == turn  # whether the result has the stored rows' columns
    if (
        weight.dim() != 2
        or x.dtype != weight.dtype
        or x.device != weight.device
        or weight.device.type != "cpu"
        or x.shape[-1:] != ((how.rows if by_rows else how.columns),)
    ):
        dense = weight.dense()
        return _plus(x @ (dense.t() if turn else dense), bias)
    arguments = (weight.stored, weight.others, how.kind, list(how.shape), how.phase, how.second_phase, how.scale)
    if torch.compiler.is_compiling() or (torch.is_grad_enabled() and x.requires_grad) or _is_fake(x):
        return _plus(torch.ops.pemncodec.product(x, weight.bits, *arguments, by_rows), bias)
    within = bias is not None and not by_rows and bias.shape == (how.rows,) and bias.dtype == x.dtype
    if bias is not None and (not within or _is_fake(bias) or (torch.is_grad_enabled() and bias.requires_grad)):
        return _plus(_product(x, weight.weight, by_rows), bias)
    return _product(x, weight.weight, by_rows, bias)


def _plus(made: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return made if bias is None else made + bias


def _is_fake(x: torch.Tensor) -> bool:
    return type(x) is not torch.Tensor and type(x) is not torch.nn.Parameter


def _product(x: torch.Tensor, weight: Weight, by_rows: bool, bias: torch.Tensor | None = None) -> torch.Tensor:
    flat = x.reshape(-1, x.shape[-1])
    made = products.transposed_product(flat, weight) if by_rows else products.product(flat, weight, bias)
    return made.reshape(*x.shape[:-1], made.shape[-1])


@torch.library.custom_op("pemncodec::product", mutates_args=())
def product(
    x: torch.Tensor,
    bits: torch.Tensor,
    values: torch.Tensor,
    others: torch.Tensor | None,
    kind: str,
    shape: list[int],
    phase: int,
    second_phase: int,
    scale: float | None,
    by_rows: bool,
) -> torch.Tensor:
    """Return `x @ W` (by rows) or `x @ W.T` of the stored matrix W."""
    how = Meaning(kind, tuple(shape), phase, second_phase, scale)
    return _product(x.detach(), Weight(how, bits, values, others), by_rows)


@product.register_fake
def _(x: torch.Tensor, *how: Any) -> torch.Tensor:
    shape, by_rows = how[4], how[-1]
    return x.new_empty(*x.shape[:-1], shape[1] if by_rows else shape[0])


def _setup(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:  # noqa: ARG001
    _, bits, values, others, *ctx.how, ctx.by_rows = inputs
    ctx.save_for_backward(bits, values, others)


def _backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    found = torch.ops.pemncodec.product(grad, *ctx.saved_tensors, *ctx.how, not ctx.by_rows)
    return found, *[None] * 9


product.register_autograd(_backward, setup_context=_setup)
