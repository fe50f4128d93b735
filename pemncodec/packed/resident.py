"""Dense values of small weights, kept while all of them together fit a cache.

Out of the cache a dense weight is read from memory, and a packed one is faster for few vectors; in it, it is the other
way round (docs/benchmarks.md). So a process keeps as many dense values as a second-level cache holds, of weights that
are small, in the order of their first use; every other weight is read as it is packed. The results are the same in
bits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from weakref import finalize

import torch

from .cached import Cached
from .weight import Weight

# Bytes in a process. The rows of linear layers are there twice, of which a product reads one.
_asked = os.environ.get("PEMNCODEC_RESIDENT", "")
MOST = int(_asked) if _asked.isdecimal() else 1 << 22
_EACH = 1 << 18  # elements of a weight


@dataclass(frozen=True, eq=False)
class _Made:
    """Values, and the weight that they were made of: its bits are those under which it is kept."""

    weight: Weight
    values: torch.Tensor

    def is_of(self, weight: Weight) -> bool:
        mine = self.weight
        return mine.meaning == weight.meaning and mine.stored is weight.stored and mine.others is weight.others


_MADE: Cached[_Made] = Cached()
# Bytes of the values that live, by number. Without a lock, which the collector could find taken by its own thread.
_SIZES: dict[int, int] = {}
_numbers = count()


def resident(weight: Weight, shape: tuple[int, ...], make: Callable[[torch.Tensor], object]) -> torch.Tensor | None:
    """Return values of a weight that stay there as long as its mask, or None if there is no room for them.

    Args:
        weight: on the CPU.
        shape: of the values, which have the dtype of the weight.
        make: writes them.
    """
    made = _MADE.find(weight.bits)
    if made is not None:
        return made.values if made.is_of(weight) else None
    size = weight.stored.element_size() * math.prod(shape)
    if not size or weight.meaning.numel > _EACH or taken() + size > MOST:
        return None
    values = torch.empty(shape, dtype=weight.stored.dtype)
    number = next(_numbers)
    _SIZES[number] = size
    finalize(values, _SIZES.pop, number, None)
    make(values)
    # Without the bits, which would keep themselves.
    held = Weight(weight.meaning, values[:0], weight.stored, weight.others)
    _MADE.put(weight.bits, _Made(held, values))
    return values


def taken() -> int:
    """Return the bytes of all such values."""
    return sum(list(_SIZES.values()))


def release(bits: torch.Tensor) -> None:
    """Forget the values of the weight that has this mask: another one takes its place."""
    _MADE.take(bits)
