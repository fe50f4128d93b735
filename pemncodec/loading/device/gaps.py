"""Gap bytes to bits (spec sections 5 and 5.3), without a list of positions.

With every byte goes how far it leads: its own value, and at the end of a gap the low bits and one more. The sums of
these are the positions.
"""

from __future__ import annotations

import torch

from ...coding.masks.rans_gaps import CodedGaps
from ...common.bits import byte_length
from ...common.torch_tensors import integers

_CHUNK = 1 << 20  # bytes at a time: bounds the int64 temporaries
# Bytes on the device, about, that `to_bits` takes for a while, beside the bits.
COST = 100 * _CHUNK


def to_bits(
    stream: torch.Tensor, coded: CodedGaps, length: int, count: int, bit: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mask that gaps give.

    Args:
        stream: the gap bytes, decoded, uint8, shape (coded.high.count,).
        coded: what else was stored.
        length: bits of the mask.
        count: positions that there have to be.
        bit: what stands at the positions.

    Returns:
        Bits in bytes, uint8, shape (ceil(length / 8),); and whether the gaps are `count` positions in the mask, bool,
        shape (): if not, the bits mean nothing.
    """
    device = stream.device
    size = byte_length(length)
    packed = torch.zeros(size + 1, dtype=torch.uint8, device=device)  # the last byte takes what is no position
    powers = torch.tensor([1 << bit for bit in range(8)], dtype=torch.uint8, device=device)
    low = torch.cat([integers(coded.low).to(device), torch.zeros(5, dtype=torch.uint8, device=device)])
    seen, place, total = torch.zeros(3, dtype=torch.int64, device=device)
    for begin in range(0, len(stream), _CHUNK):
        high = stream[begin : begin + _CHUNK].to(torch.int64)
        ends = high < 255
        numbers = seen + torch.cumsum(ends, 0)
        steps = (high << coded.low_bits) + ends
        if coded.low_bits:
            steps += _low_bits(low, coded.low_bits, (numbers - 1).clamp_(0, max(count - 1, 0))) * ends
        places = place + torch.cumsum(steps, 0)  # one more than the position, where a gap ends
        inside = ends & (places > 0) & (places <= length)
        where = places - 1
        packed.scatter_add_(0, torch.where(inside, where >> 3, size), powers[where & 7] * inside)
        seen, place, total = numbers[-1].clone(), places[-1].clone(), total + high.sum()
    # The sums cannot have overflowed where the high parts alone stay in the mask.
    good = (seen == count) & (place <= length) & (total <= length >> coded.low_bits)
    if len(stream):
        good &= stream[-1] != 255
    packed = packed[:size]
    return (packed if bit else _inverted(packed, length)), good


def _low_bits(low: torch.Tensor, count: int, numbers: torch.Tensor) -> torch.Tensor:
    """The `count` stored bits of the gaps of these numbers. At most 31, so they lie in five bytes."""
    first = numbers * count
    found = torch.zeros_like(first)
    for byte in range(5):
        found |= low[(first >> 3) + byte].to(torch.int64) << 8 * byte
    return (found >> (first & 7)) & ((1 << count) - 1)


def _inverted(packed: torch.Tensor, length: int) -> torch.Tensor:
    packed = packed.bitwise_not()
    if length % 8:
        packed[-1] &= (1 << length % 8) - 1
    return packed
