"""The smallest magnitudes of a tensor, found a chunk at a time: no copy of it is made, and nothing is sorted.

Magnitudes are compared as integers (*keys*): the bits of a float without its sign are in the order of its magnitude.
The key at the cut is found digit by digit, 16 bits each, by counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...common import bits
from ...common.bits import Packed

Keys = NDArray[np.unsignedinteger]

_DIGIT = 16
# So few are compared at once instead: a table of digits has 2^16 counts. At most bits.PIECE.
_FEW = 1 << 16
# Bits without the sign, and the key of infinity, above which is NaN.
_FLOATS = {
    torch.float16: (torch.int16, 0x7C00),
    torch.bfloat16: (torch.int16, 0x7F80),
    torch.float32: (torch.int32, 0x7F800000),
    torch.float64: (torch.int64, 0x7FF0000000000000),
}


@dataclass(frozen=True)
class Largest:
    """All elements but the smallest ones.

    Attributes:
        packed: bits in bytes; one for every element.
        tied: the elements of the one magnitude that is on both sides of the cut, as bits in bytes; None if there is
            none.
    """

    packed: Packed
    tied: Packed | None = None


class Magnitudes:
    """The magnitudes of a real tensor, as keys.

    Args:
        tensor: floating point or integers, any shape, any device.
        active: bool, shape (n,): which elements take part (all by default).
    """

    def __init__(self, tensor: torch.Tensor, active: NDArray[np.bool_] | None = None) -> None:
        if tensor.is_floating_point() and tensor.dtype not in _FLOATS:
            tensor = tensor.to(torch.float32)  # the float8s, exactly
        self._flat = tensor.detach().reshape(-1)
        self._active = active
        self._integers: torch.dtype | None
        self._infinity: int | None
        self._integers, self._infinity = _FLOATS.get(tensor.dtype, (None, None))
        self._type = np.dtype(f"u{tensor.element_size() if tensor.is_floating_point() else 8}").type
        self._length = len(self._flat)
        self._all: Keys | None = None  # of few elements

    def __len__(self) -> int:
        return self._length

    def chunks(self) -> Iterator[Keys]:
        """The keys of the elements that take part: uint16, uint32 or uint64."""
        for start in range(0, len(self), bits.PIECE):
            keys = self._keys(start)
            yield keys if self._active is None else keys[self._active[start : start + bits.PIECE]]

    def _keys(self, start: int) -> Keys:
        if self._length > bits.PIECE:
            return self._made(start)
        if self._all is None:
            self._all = self._made(0)
        return self._all

    def _made(self, start: int) -> Keys:
        piece = self._flat[start : start + bits.PIECE]
        if self._integers is None:
            # torch's abs leaves the least integer negative: it is the smallest, as in the published code
            return piece.cpu().abs().to(torch.int64).numpy().view(np.uint64) ^ np.uint64(1 << 63)
        # in numpy: torch would wake its threads for every chunk
        words: Keys = piece.view(self._integers).cpu().numpy().view(self._type)
        keys: Keys = words & self._type((1 << 8 * words.itemsize - 1) - 1)
        return keys

    def have_nan(self) -> bool:
        """Return whether any is NaN."""
        if self._infinity is None:
            return False
        return any(len(keys) and int(keys.max()) > self._infinity for keys in self.chunks())

    def without_smallest(self, drop: int) -> Largest:
        """All that take part but the `drop` smallest, 1 ≤ drop ≤ their number; of equal ones the first are dropped."""
        cut, left, equal = self._cut(drop - 1)
        tie = left < equal

        def at_cut(where: slice) -> NDArray[np.bool_]:
            same: NDArray[np.bool_] = self._keys(where.start) == cut
            return same if self._active is None else same & self._active[where]

        def kept(where: slice) -> NDArray[np.bool_]:
            nonlocal left
            keys = self._keys(where.start)
            flags = keys > cut
            if self._active is not None:
                flags &= self._active[where]
            if tie:
                equal_here = np.flatnonzero(at_cut(where))
                flags[equal_here[left:]] = True
                left -= min(left, len(equal_here))
            return flags

        packed = bits.pack_pieces(len(self), kept)
        return Largest(packed, bits.pack_pieces(len(self), at_cut) if tie else None)

    def _cut(self, rank: int) -> tuple[np.unsignedinteger, int, int]:
        """The key of this rank; how many of those that equal it are at this rank or below; how many there are."""
        if len(self) <= _FEW:
            keys = next(self.chunks())
            key = np.partition(keys, rank)[rank]
            return key, rank - int(np.count_nonzero(keys < key)) + 1, int(np.count_nonzero(keys == key))
        width = 8 * np.dtype(self._type).itemsize
        prefix, shift, equal = 0, width, 0
        while shift:
            before, shift = shift, shift - _DIGIT
            counts = np.zeros(1 << _DIGIT, dtype=np.int64)
            for keys in self.chunks():
                if before < width:
                    keys = keys[keys >> self._type(before) == prefix]
                digits = (keys >> self._type(shift)).astype(np.uint16)  # its low bits
                counts += np.bincount(digits, minlength=1 << _DIGIT)
            ends = np.cumsum(counts)
            digit = int(np.searchsorted(ends, rank, side="right"))
            equal = int(counts[digit])
            rank -= int(ends[digit]) - equal
            prefix = prefix << _DIGIT | digit
        return self._type(prefix), rank + 1, equal
