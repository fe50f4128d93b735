"""Bits + prototype or kept values -> weights, on words, in blocks that stay in cache (spec section 7)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from ..common import bits, kernels
from ..common.bits import Packed
from ..common.words import Words
from ..container.manifest.zero_table import ZERO_RULES, zero_id
from ..errors import NetworkError, PayloadError
from .tile import BLOCK, ScaledTile, Tile

# What is filled at a time where a layer is split: among threads, or on its way into a file. A multiple of BLOCK.
PIECE = 1 << 20
# Fills a part of an entry, which begins at an element that is a multiple of `PIECE`.
Filler = Callable[[Words, int], None]


def fill(out: Words, tile: Tile, phase: int) -> None:
    """The prototype alone, from `phase` on."""
    for start in range(0, len(out), BLOCK):
        stop = min(start + BLOCK, len(out))
        out[start:stop] = tile.slice(phase + start, stop - start)


def fill_masked(
    out: Words, packed: Packed, zero: str, first: tuple[Tile, int], second: tuple[Tile, int] | None
) -> None:
    """A tiled layer under its mask, whatever a zero bit stands for (spec section 7).

    Args:
        zero: the name of a rule: `"zero"`, `"negated"` or `"second"`.
        first: the prototype and the phase.
        second: the second prototype and its phase, for `"second"`.
    """
    number = zero_id(zero)
    if number is None:
        raise NetworkError(f"zero is {zero!r}, which is unknown")
    rule = import_module(ZERO_RULES[number].module)
    if kernels.compiled is not None and rule.COMPILED is not None:
        _fill_compiled(out, packed, rule.COMPILED, first, second or first)
    else:
        rule.fill(out, packed, first, second)


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
