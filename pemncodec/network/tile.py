"""A prototype as it fills layers: repeated without end, times a float32 where a layer has a scale (spec section 7)."""

from __future__ import annotations

import numpy as np

from ..common.forks import cached_property
from ..common.words import Words
from ..errors import PayloadError

# 2^15 words of four bytes are 128 KiB: output, prototype and mask of a block fit a 512 KiB L2 cache together.
BLOCK = 1 << 15


class Tile:
    """A prototype that is repeated without end.

    Args:
        values: one period, as words.
    """

    def __init__(self, values: Words) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _around(self) -> tuple[int, Words]:
        """The elements around the end of the period, and the place in the period where they begin.

        A short period as a whole, and the next `BLOCK` elements; of a long one the last `BLOCK` and the first.
        """
        length = len(self.values)
        if length < BLOCK:
            return 0, np.concatenate([self.values, np.resize(self.values, BLOCK)])
        return length - BLOCK, np.concatenate([self.values[-BLOCK:], self.values[:BLOCK]])

    def slice(self, start: int, count: int) -> Words:
        """Elements start … start + count − 1 of the repetition; read-only, count at most `BLOCK`."""
        start %= len(self.values)
        if start + count <= len(self.values):
            return self.values[start : start + count]
        first, around = self._around
        return around[start - first : start - first + count]

    def straight(self, phase: int, count: int) -> tuple[Words, int]:
        """One period, or more, and how many elements can be read from there: from `phase` on, at most `count`.

        Of a short period any number. Where that of a long one is not `count`, it is a multiple of 8, 0 too.
        """
        left = len(self.values) - phase
        if count <= left:
            return self.values, count
        if len(self.values) < BLOCK:
            return self._around[1], count
        return self.values, left // 8 * 8

    @cached_property
    def has_zero(self) -> bool:
        """Return whether any element may be all-zero bits."""
        return not self.values.all()


class ScaledTile(Tile):
    """Float32 elements times a float32, one IEEE multiplication each (spec section 8.4), made slice by slice.

    Only the extremes are looked at beforehand: rounding is monotonic, so if the largest magnitude has a finite
    product all have, and if the smallest above zero has a product above zero none vanishes. A file may scale one
    long prototype a hundred thousand times.

    Args:
        tile: the prototype.
        extremes: from `extremes(tile.values)`.
        scale_bits: bit pattern of the factor, above 0.

    Raises:
        PayloadError: an element or a product is not finite.
    """

    def __init__(self, tile: Tile, extremes: tuple[np.float32, np.float32], scale_bits: int) -> None:
        super().__init__(tile.values)
        self._tile = tile
        self._factor = np.array(scale_bits, dtype=np.uint32).view(np.float32)
        smallest, largest = extremes
        with np.errstate(all="ignore"):
            if not np.isfinite(largest * self._factor):
                raise PayloadError("a scaled prototype is not finite")
            self._vanishes = smallest * self._factor == 0

    def slice(self, start: int, count: int) -> Words:
        """Elements start … start + count − 1 of the scaled repetition; count at most `BLOCK`."""
        with np.errstate(all="ignore"):
            products = self._tile.slice(start, count).view(np.float32) * self._factor
        return products.view(np.uint32)

    @cached_property
    def has_zero(self) -> bool:
        """Return whether any element may be all-zero bits."""
        return bool(self._vanishes) or self._tile.has_zero


def scaled(tile: Tile, scale_bits: int | None) -> Tile:
    """The tile itself, or times a factor; errors as `ScaledTile`."""
    return tile if scale_bits is None else ScaledTile(tile, extremes(tile.values), scale_bits)


def extremes(values: Words) -> tuple[np.float32, np.float32]:
    """The smallest magnitude above zero, and the largest, of float32 words; NaN for the largest if any is NaN."""
    smallest, largest = np.float32(np.inf), np.float32(0)
    for start in range(0, len(values), BLOCK):
        magnitudes = np.abs(values[start : start + BLOCK].view(np.float32))
        smallest = np.minimum(smallest, np.min(magnitudes, initial=np.float32(np.inf), where=magnitudes > 0))
        largest = np.maximum(largest, np.max(magnitudes))
    return smallest, largest
