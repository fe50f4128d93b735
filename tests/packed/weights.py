"""Packed weights of any kind, and the dense ones that they stand for, made from plain arrays."""

from __future__ import annotations

import math

import numpy as np
import torch

from pemncodec import PackedTensor
from pemncodec.packed.weight import Meaning

KINDS = ("zero", "negated", "second", "kept")


def weight(
    shape: tuple[int, ...],
    kind: str = "zero",
    *,
    keep: float = 0.5,
    period: int = 0,
    dtype: torch.dtype = torch.float32,
    scale: float | None = None,
    seed: int = 0,
) -> tuple[PackedTensor, torch.Tensor]:
    """A packed weight, and the same one dense: whole arrays by the rules of spec section 7."""
    rng = np.random.default_rng(seed)
    count = math.prod(shape)
    flags = rng.random(count) < keep
    values = torch.from_numpy(rng.standard_normal(int(flags.sum()) if kind == "kept" else period or count)).to(dtype)
    others = torch.from_numpy(rng.standard_normal(37)).to(dtype) if kind == "second" else None
    phase = 0 if kind == "kept" else 5 % len(values)
    meaning = Meaning(kind, shape, phase, 11 if others is not None else 0, scale)
    packed = PackedTensor(meaning, torch.from_numpy(np.packbits(flags, bitorder="little")), values, others)
    bits = torch.from_numpy(flags)
    if kind == "kept":
        dense = torch.zeros(count, dtype=dtype)
        dense[bits] = values
        return packed, dense.reshape(shape)
    at = torch.arange(count)
    one = values[(phase + at) % len(values)]
    zero = torch.zeros_like(one)
    if kind == "negated":
        zero = torch.where(one == 0, one, -one)
    elif others is not None:
        zero = others[(11 + at) % len(others)]
    if scale is not None:
        factor = torch.tensor(scale, dtype=dtype)
        one, zero = one * factor, zero * factor
    return packed, torch.where(bits, one, zero).reshape(shape)
