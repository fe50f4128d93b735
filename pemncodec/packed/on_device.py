"""Packed weights -> dense values on any device, by operations of torch. Run on the CPU device only, so far."""

from __future__ import annotations

import torch

from .weight import KEPT, Weight

_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def expanded(weight: Weight) -> torch.Tensor:
    """Return the dense weight, in bits that of the file, on the device of its mask."""
    how, count = weight.meaning, weight.meaning.numel
    kind = _WORDS[weight.stored.dtype.itemsize]
    if not count:
        return torch.empty(how.shape, dtype=weight.stored.dtype, device=weight.bits.device)
    bit = torch.arange(8, dtype=torch.uint8, device=weight.bits.device)
    flags = (weight.bits[:, None] >> bit & 1).view(-1)[:count].to(torch.bool)
    if how.kind == KEPT:
        out = torch.zeros(count, dtype=kind, device=flags.device)
        out.masked_scatter_(flags, weight.stored.view(kind))
    else:
        ones = _tiled(weight.stored, how.phase, count, how.scale).view(kind)
        if how.kind == "second":
            assert weight.others is not None
            zeros = _tiled(weight.others, how.second_phase, count, how.scale).view(kind)
        elif how.kind == "negated":
            sign = 128 if kind is torch.uint8 else torch.iinfo(kind).min
            zeros = torch.where(ones == 0, ones, ones ^ sign)
        else:
            zeros = torch.zeros_like(ones)
        out = torch.where(flags, ones, zeros)
    return out.view(weight.stored.dtype).reshape(how.shape)


def _tiled(values: torch.Tensor, phase: int, count: int, scale: float | None) -> torch.Tensor:
    turned = values.roll(-phase)
    made = turned.repeat(-(-count // len(values)))[:count].contiguous()
    return made if scale is None else made * torch.tensor(scale, dtype=made.dtype, device=made.device)
