"""Tensors compared bit by bit, without the package."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cache

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from .harness import Wrong


def bits(tensor: torch.Tensor) -> bytes:
    """The elements in row-major order."""
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    if not plain.numel():
        return b""
    # one element may have any stride
    return plain.as_strided((plain.numel(),), (1,)).view(torch.uint8).numpy().tobytes()


def row(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], bytes]:
    """Type, shape and bits."""
    return str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), bits(tensor)


def without_minus(tensor: torch.Tensor) -> torch.Tensor:
    """-0.0 as +0.0: a weight that is pruned by a product keeps its sign, and a file has none there."""
    if not tensor.is_floating_point():
        return tensor
    if tensor.dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        whole = tensor.detach().resolve_conj().contiguous().view(torch.uint8)
        return torch.where(whole == 0x80, 0, whole).view(tensor.dtype)
    if tensor.dtype.itemsize < 2:
        return tensor
    return torch.where(tensor == 0, torch.zeros_like(tensor), tensor)


def same(name: str, expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], zeros: bool) -> None:
    """Raise Wrong, called `name`, unless the tensors that are expected are there, bit for bit.

    Args:
        zeros: whether −0.0 and +0.0 are the same.
    """
    for key, tensor in expected.items():
        if key not in found:
            raise Wrong(f"{name}-missing", f"{key!a} is missing; there are {list(found)!a:.300}")
        pair = [without_minus(one) if zeros else one for one in (tensor, found[key])]
        if row(pair[0]) != row(pair[1]):
            one, two = (row(tensor) for tensor in pair)
            raise Wrong(f"{name}-values", f"{key!a}: {one!a:.300} is expected, {two!a:.300} found")


@cache
def load_lazy_parts() -> None:
    """Let torch import what it needs for meta and fake tensors: that memory is not a case's."""
    meta = torch.ones(2, 2).to("meta")
    with contextlib.suppress(RuntimeError, NotImplementedError):
        bool(((meta == 0) | (meta.abs() == 1)).all())
    with contextlib.suppress(RuntimeError, NotImplementedError):
        meta.sort()
    FakeTensorMode().from_tensor(torch.ones(2)).sum()
