"""Masked layers from bits and values on a device (spec section 7), on integers with the bits of the elements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from .masks import unpack

_CHUNK = 1 << 21  # elements at a time: bounds the temporaries to some 64 MB. A multiple of 8


@dataclass(frozen=True)
class Source:
    """A prototype that is repeated without end.

    Attributes:
        words: one period, integers.
        phase: where the layer begins in it.
        factor: a float32 that the elements, float32 too, are multiplied by.
    """

    words: torch.Tensor
    phase: int
    factor: float | None

    def slice(self, start: int, stop: int) -> torch.Tensor:
        """Return the values at positions start … stop − 1 of the layer."""
        places = torch.arange(self.phase + start, self.phase + stop, device=self.words.device)
        words = self.words.index_select(0, places.remainder_(len(self.words)))
        return words if self.factor is None else (words.view(torch.float32) * self.factor).view(torch.int32)


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


def kept(packed: torch.Tensor, values: torch.Tensor, count: int) -> torch.Tensor:
    """A kept layer.

    Args:
        packed: the mask, one bit for every element.
        values: the kept values in order, integers, as many as one bits.
        count: elements of the layer.

    Returns:
        Integers like `values`, shape (count,).
    """
    out = torch.zeros(count, dtype=values.dtype, device=values.device)
    if not len(values):
        return out
    done = torch.zeros((), dtype=torch.int64, device=values.device)
    for start, stop in _chunks(count):
        flags = unpack(packed, start, stop)
        numbers = done + torch.cumsum(flags, 0)
        found = values.index_select(0, (numbers - 1).clamp_(0, len(values) - 1))
        out[start:stop] = torch.where(flags, found, 0)
        done = numbers[-1].clone()
    return out


def tiled(
    packed: torch.Tensor, count: int, first: Source, second: Source | None, negated: bool, spread: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """A tiled layer.

    Args:
        packed: its mask.
        count: elements of the layer.
        first: the values where a bit is one.
        second: the values where it is zero, if they are those of a prototype.
        negated: where there is no second prototype, whether a zero bit stands for the negated value, or for zero.
        spread: whether the mask has no bits where one and zero are the same.

    Returns:
        Integers like those of `first`, shape (count,); and for `spread` the number of bits that the mask should have,
        int64, shape ().
    """
    out = torch.empty(count, dtype=first.words.dtype, device=packed.device)
    sign = -1 << 8 * out.itemsize - 1
    used = torch.zeros((), dtype=torch.int64, device=packed.device)
    for start, stop in _chunks(count):
        values = first.slice(start, stop)
        others = None if second is None else second.slice(start, stop)
        if spread:
            flags, used = _spread(packed, values != (0 if others is None else others), used)
        else:
            flags = unpack(packed, start, stop)
        if others is None and negated:
            others = torch.where(values == 0, values, values ^ sign)
        out[start:stop] = torch.where(flags, values, 0) if others is None else torch.where(flags, values, others)
    return out, used


def _spread(packed: torch.Tensor, active: torch.Tensor, used: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The next bits at active positions, and none elsewhere; and how many have been used. A mask may be too short."""
    numbers = used + torch.cumsum(active, 0)
    if not len(packed):
        return torch.zeros_like(active), numbers[-1].clone()
    places = numbers - 1
    found = packed[(places >> 3).clamp_(0, len(packed) - 1)] >> (places & 7).to(torch.uint8)
    return (found & 1).to(torch.bool) & active, numbers[-1].clone()
