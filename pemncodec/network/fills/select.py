"""Bits as words of all ones or all zeros.

A byte of a mask selects one of 256 rows of eight such words; the row is ANDed with the tiled prototype in place. That
is several times faster than unpacking bits and multiplying, and it never looks at a weight as a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.bits import Packed
from ...common.words import Words
from ..tile import BLOCK, Tile

Source = tuple[Tile, int]  # a prototype, and where in it the layer begins


@cache
def _rows(itemsize: int) -> NDArray[Any]:
    """Return row b, column i: all ones where bit i of byte b is one. Shape (256, 8)."""
    flags = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return np.where(flags, np.array(-1, dtype=f"i{itemsize}"), np.array(0, dtype=f"i{itemsize}")).view(f"u{itemsize}")


def select(packed: Packed, start: int, stop: int, out: Words) -> None:
    """Write all-ones or all-zeros words for the bits start … stop − 1 (start is a multiple of 8)."""
    whole = (stop - start) // 8
    rows = _rows(out.itemsize)
    first = start // 8
    np.take(rows, packed[first : first + whole], axis=0, out=out[: 8 * whole].reshape(whole, 8), mode="clip")
    if 8 * whole < stop - start:
        out[8 * whole :] = rows[packed[first + whole]][: stop - start - 8 * whole]


def blocks(out: Words, packed: Packed, *sources: Source) -> Iterator[tuple[Words, ...]]:
    """Yield a block of the output, in which the bits are selected, and the values of each prototype for it."""
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        select(packed, start, stop, out[start:stop])
        yield out[start:stop], *(tile.slice(phase + start, stop - start) for tile, phase in sources)
