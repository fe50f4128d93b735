"""Bits + prototype -> weights, on words, in blocks that stay in cache (spec section 7).

A byte of a mask selects one of 256 rows of eight all-ones or all-zeros words; the row is ANDed with the
tiled prototype in place. That is several times faster than unpacking bits and multiplying, and it never
looks at a weight as a number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common import bits, kernels
from ..common.bits import Packed
from ..common.words import Words
from ..container.manifest.rows import ZERO_NAMES
from ..errors import PayloadError
from .tile import BLOCK, ScaledTile, Tile

# What is filled at a time where a layer is split: among threads, or on its way into a file. A multiple of BLOCK.
PIECE = 1 << 20
# Fills a part of an entry, which begins at an element that is a multiple of `PIECE`.
Filler = Callable[[Words, int], None]


@cache
def _rows(itemsize: int) -> NDArray[Any]:
    """Row b, column i: all ones where bit i of byte b is one. Shape (256, 8)."""
    flags = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return np.where(flags, np.array(-1, dtype=f"i{itemsize}"), np.array(0, dtype=f"i{itemsize}")).view(f"u{itemsize}")


def _select(packed: Packed, start: int, stop: int, out: Words) -> None:
    """All-ones or all-zeros words for the bits start … stop − 1 (start is a multiple of 8)."""
    whole = (stop - start) // 8
    rows = _rows(out.itemsize)
    first = start // 8
    np.take(rows, packed[first : first + whole], axis=0, out=out[: 8 * whole].reshape(whole, 8), mode="clip")
    if 8 * whole < stop - start:
        out[8 * whole :] = rows[packed[first + whole]][: stop - start - 8 * whole]


def fill(out: Words, tile: Tile, phase: int) -> None:
    """The prototype alone, from `phase` on."""
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        out[start:stop] = tile.slice(phase + start, stop - start)


def fill_zero(out: Words, packed: Packed, tile: Tile, phase: int) -> None:
    """Zero bits stand for zero; one bit for every element."""
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        block = out[start:stop]
        _select(packed, start, stop, block)
        np.bitwise_and(block, tile.slice(phase + start, stop - start), out=block)


def fill_negated(out: Words, packed: Packed, tile: Tile, phase: int) -> None:
    """Zero bits stand for the value with its sign bit flipped, except that +0.0 stays."""
    sign = np.array(1 << (8 * out.itemsize - 1), dtype=out.dtype)
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        block, values = out[start:stop], tile.slice(phase + start, stop - start)
        _select(packed, start, stop, block)
        np.invert(block, out=block)
        np.bitwise_and(block, sign, out=block)
        block[values == 0] = 0
        np.bitwise_xor(block, values, out=block)


def fill_second(out: Words, packed: Packed, tile: Tile, phase: int, second: Tile, second_phase: int) -> None:
    """Zero bits stand for the second prototype's value."""
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        block = out[start:stop]
        values, others = tile.slice(phase + start, stop - start), second.slice(second_phase + start, stop - start)
        _select(packed, start, stop, block)
        np.bitwise_and(block, values ^ others, out=block)
        np.bitwise_xor(block, others, out=block)


def fill_masked(
    out: Words, packed: Packed, zero: str, first: tuple[Tile, int], second: tuple[Tile, int] | None
) -> None:
    """A tiled layer under its mask, whatever a zero bit stands for (spec section 7).

    Args:
        zero: `"zero"`, `"negated"` or `"second"`.
        first: the prototype and the phase.
        second: the second prototype and its phase, for `"second"`.
    """
    if kernels.compiled is not None:
        _fill_compiled(out, packed, ZERO_NAMES.index(zero), first, second or first)
    elif zero == "zero":
        fill_zero(out, packed, *first)
    elif zero == "negated":
        fill_negated(out, packed, *first)
    else:
        assert second is not None
        fill_second(out, packed, *first, *second)


def _fill_compiled(out: Words, packed: Packed, zero: int, first: tuple[Tile, int], second: tuple[Tile, int]) -> None:
    assert kernels.compiled is not None
    scaled = isinstance(first[0], ScaledTile) or isinstance(second[0], ScaledTile)
    start = 0
    while start < len(out):
        count = len(out) - start
        sources: list[object] = []
        if not scaled:
            for tile, phase in (first, second):
                count = min(count, tile.straight((phase + start) % len(tile), count)[1])
            for tile, phase in (first, second):
                at = (phase + start) % len(tile)
                sources += [tile.straight(at, count)[0], len(tile), at]
        if scaled or not count:  # made a block at a time, or read where a long period begins again
            count, sources = min(len(out) - start, BLOCK), []
            for tile, phase in (first, second):
                values = tile.slice(phase + start, count)
                sources += [values, len(values), 0]
        kernels.compiled.fill(out[start : start + count], packed[start // 8 :], out.itemsize, zero, *sources)
        start += count


def scatter(out: Words, packed: Packed, kept: Words) -> None:
    """Kept values at the one bits, in order; all-zero bits elsewhere. There are as many as one bits."""
    if kernels.compiled is not None:
        used = kernels.compiled.scatter(out, packed, out.itemsize, np.ascontiguousarray(kept))
        assert used == len(kept)
        return
    done = 0
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        flags = bits.unpack(packed[start // 8 :], stop - start)
        count = int(np.count_nonzero(flags))
        block = out[start:stop]
        block[:] = 0
        block[flags] = kept[done : done + count]
        done += count


def scattering(packed: Packed, kept: Words) -> Filler:
    """Kept values at the one bits. Where in `kept` each piece begins is counted once."""
    piece = PIECE // 8
    if len(packed) <= piece:
        return lambda out, _: scatter(out, packed, kept)
    counts = [bits.count_ones(packed[start : start + piece]) for start in range(0, len(packed), piece)]
    before = [0, *np.cumsum(counts, dtype=np.int64).tolist()]

    def fill_part(out: Words, start: int) -> None:
        stop = start + len(out)
        last = before[-(-stop // PIECE)]
        scatter(out, packed[start // 8 : bits.byte_length(stop)], kept[before[start // PIECE] : last])

    return fill_part


def kept(values: Words, packed: Packed) -> Words:
    """The inverse of `scatter`: the values at the one bits, in order."""
    out = np.empty(bits.count_ones(packed), dtype=values.dtype)
    done = 0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        found = block[bits.unpack(packed[start // 8 :], len(block))]
        out[done : done + len(found)] = found
        done += len(found)
    return out


def active(start: int, count: int, tile: Tile, phase: int, second: tuple[Tile, int] | None) -> NDArray[np.bool_]:
    """Return flags of the positions with a bit in the mask, those where one and zero differ (section 7).

    Args:
        count: at most `BLOCK`.
        second: the second prototype and its phase, where a zero bit stands for it; otherwise a position
            is idle where the prototype is all-zero bits.
    """
    values = tile.slice(phase + start, count)
    return np.not_equal(values, second[0].slice(second[1] + start, count) if second else 0)


def spread(
    packed: Packed, length: int, count: int, tile: Tile, phase: int, second: tuple[Tile, int] | None = None
) -> Packed:
    """The bits of a mask that has them only at active positions, as one bit for every position, zero elsewhere.

    Args:
        packed, length: the mask.
        count: positions of the layer.
        tile, phase, second: as for `active`.

    Raises:
        PayloadError: the mask has another number of bits than there are active positions.
    """
    out = np.zeros(bits.byte_length(count), dtype=np.uint8)
    done = 0
    for start in range(0, count, BLOCK):
        flags = active(start, min(BLOCK, count - start), tile, phase, second)
        step = int(np.count_nonzero(flags))
        if done + step <= length:
            piece = packed[done // 8 : bits.byte_length(done + step)]
            flags[flags] = bits.unpack(piece, done % 8 + step)[done % 8 :]
            out[start // 8 : start // 8 + bits.byte_length(len(flags))] = bits.pack(flags)
        done += step
    if done != length:
        raise PayloadError(f"the mask has {length} bits for {done} positions that are not idle")
    return out


def gather(
    packed: Packed, count: int, tile: Tile, phase: int, second: tuple[Tile, int] | None = None
) -> tuple[Packed, int]:
    """The inverse of `spread`: the bits of a full mask at active positions, closed up, and how many they are."""
    pieces = [np.empty(0, dtype=np.bool_)]
    out: list[Packed] = []
    for start in range(0, count, BLOCK):
        flags = active(start, min(BLOCK, count - start), tile, phase, second)
        pieces.append(bits.unpack(packed[start // 8 :], len(flags))[flags])
        ready = np.concatenate(pieces)
        whole = len(ready) // 8 * 8
        out.append(bits.pack(ready[:whole]))
        pieces = [ready[whole:]]
    length = 8 * sum(map(len, out)) + len(pieces[0])
    return np.concatenate([*out, bits.pack(pieces[0])]), length
