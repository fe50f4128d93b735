"""Masks as PNG: every bit as a pixel where there are few, else the density of cells.

The pixels are one colour on transparent ground, so that they are right on a light and on a dark page.
"""

from __future__ import annotations

import math
import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common import bits
from ...common.bits import Packed

# Bits that are looked at at a time.
_PIECE = 1 << 22
# Most of one side of a density map, as a multiple of the other.
_LONGEST = 4.0
_COLOUR = (0x2B, 0x83, 0xC6)
_LEVELS = 15


@dataclass(frozen=True)
class Picture:
    """A mask as a picture.

    Attributes:
        png: the file.
        width, height: pixels.
        exact: whether each pixel is a bit, in row-major order.
        rows, columns: the matrix that the bits were put in; the last row may not be full.
        peak: density of the densest cell; 1 if it is exact.
    """

    png: bytes
    width: int
    height: int
    exact: bool
    rows: int
    columns: int
    peak: float

    @property
    def uri(self) -> str:
        """A data URI."""
        return "data:image/png;base64," + b64encode(self.png).decode()


def picture(packed: Packed, shape: tuple[int, ...], budget: int) -> Picture:
    """Return the picture of a mask of one bit an element.

    Args:
        packed: the bits.
        shape: of the layer, with one element or more.
        budget: bytes that the pixels may take, before they are compressed.
    """
    count = math.prod(shape)
    rows, columns = matrix(shape)
    if rows * -(-columns // 8) <= budget:
        flags = np.zeros(rows * columns, dtype=np.bool_)
        flags[:count] = bits.unpack(packed, count)
        pixels = np.packbits(flags.reshape(rows, columns), axis=1)
        return Picture(_png(pixels, columns, 1), columns, rows, True, rows, columns, 1.0)
    height, width = _cells(rows, columns, 2 * budget)
    density = densities(packed, count, rows, columns, height, width)
    peak = float(density.max())
    # Rounded up: a cell that keeps anything is never as one that keeps nothing.
    levels = np.ceil(_LEVELS * density / (peak or 1.0)).clip(0, _LEVELS).astype(np.uint8)
    padded = np.zeros((height, 2 * -(-width // 2)), dtype=np.uint8)
    padded[:, :width] = levels
    pairs = (padded[:, ::2] << 4 | padded[:, 1::2]).astype(np.uint8)
    return Picture(_png(pairs, width, 4), width, height, False, rows, columns, peak)


def matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns: the first dimension and the others, or a square for what is one row or column."""
    count = math.prod(shape)
    rows = shape[0] if shape else 1
    if 1 < rows < count:
        return rows, count // rows
    columns = math.isqrt(count - 1) + 1 if count else 1
    return -(-count // columns), columns


def densities(packed: Packed, count: int, rows: int, columns: int, height: int, width: int) -> NDArray[np.float64]:
    """The fraction of ones in cells of a matrix of bits, shape (height, width); the bits are unpacked in pieces."""
    edges = np.arange(width + 1, dtype=np.int64) * columns // width
    ones = np.zeros((height, width), dtype=np.int64)
    for cell in range(height):
        first, last = cell * rows // height, (cell + 1) * rows // height
        step = max(_PIECE // columns, 1)
        for row in range(first, last, step):
            stop = min(row + step, last)
            if columns <= _PIECE:
                flags = np.zeros((stop - row) * columns, dtype=np.uint8)
                found = _between(packed, row * columns, min(stop * columns, count))
                flags[: len(found)] = found
                ones[cell] += np.add.reduceat(flags.reshape(-1, columns).sum(axis=0, dtype=np.int64), edges[:-1])
            else:
                for part in range(width):
                    ones[cell, part] += _ones(packed, row * columns, edges[part], edges[part + 1], count)
    heights = np.diff(np.arange(height + 1, dtype=np.int64) * rows // height)
    areas = heights[:, None] * np.diff(edges)
    full = count - (rows - 1) * columns  # elements of the last row
    areas[-1] -= np.diff(edges.clip(min=full))
    made: NDArray[np.float64] = ones / areas.clip(min=1)
    return made


def _cells(rows: int, columns: int, most: int) -> tuple[int, int]:
    ratio = min(max(rows / columns, 1 / _LONGEST), _LONGEST)
    height = min(rows, max(math.isqrt(int(most * ratio)), 1))
    width = min(columns, max(most // height, 1))
    return min(rows, max(most // width, 1)) if width == columns else height, width


def _between(packed: Packed, start: int, stop: int) -> NDArray[np.uint8]:
    """Bits start … stop − 1, one a byte."""
    if stop <= start:
        return np.empty(0, dtype=np.uint8)
    found = np.unpackbits(packed[start // 8 : bits.byte_length(stop)], bitorder="little")
    return found[start % 8 : start % 8 + stop - start]


def _ones(packed: Packed, row: int, first: int, last: int, count: int) -> int:
    """Ones among elements first … last − 1 of the row that begins at bit `row`."""
    start, stop = row + int(first), min(row + int(last), count)
    pieces = range(start, stop, _PIECE)
    return sum(int(_between(packed, at, min(at + _PIECE, stop)).sum(dtype=np.int64)) for at in pieces)


def _png(packed: NDArray[np.uint8], width: int, depth: int) -> bytes:
    """A PNG file with a palette, from rows of pixels of 1 or 4 bits; palette index 0 is transparent."""
    levels = (1 << depth) - 1
    header = struct.pack(">IIBBBBB", width, len(packed), depth, 3, 0, 0, 0)
    alpha = bytes(255 * level // levels for level in range(levels + 1))
    lines = np.zeros((len(packed), packed.shape[1] + 1), dtype=np.uint8)  # a filter type before each row: none
    lines[:, 1:] = packed
    chunks = (
        (b"IHDR", header),
        (b"PLTE", bytes(_COLOUR) * (levels + 1)),
        (b"tRNS", alpha),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
