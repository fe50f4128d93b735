"""`pemncodec.network.fill`, block by block, against whole arrays: np.unpackbits, np.resize, np.where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pemncodec.common import bits
from pemncodec.errors import PayloadError
from pemncodec.network import fill
from pemncodec.network import tile as tiles
from pemncodec.network.fills import negated, zero
from pemncodec.network.fills import second as second_value
from pemncodec.network.tile import BLOCK, Tile

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

Array = NDArray[Any]
ITEMSIZES = (1, 2, 4, 8)
LENGTHS = (0, 1, 7, 8, 9, 300, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 13)
PERIODS = (1, 2, 7, 301, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5)
SIGN = {1: 0x80, 2: 0x8000, 4: 0x80000000, 8: 1 << 63}


def values(itemsize: int, count: int, seed: int, zeros: float = 0.1) -> Array:
    """Random words, among them all-zero bits and the sign bit alone."""
    rng = np.random.default_rng([itemsize, count, seed])
    out = np.frombuffer(rng.bytes(count * itemsize), dtype=f"u{itemsize}").copy()
    kind = rng.random(count)
    out[kind < zeros] = 0
    out[kind > 1 - zeros / 2] = SIGN[itemsize]
    return out


def mask(count: int, seed: int) -> tuple[Array, NDArray[np.uint8]]:
    """Flags, and the same as bits in bytes."""
    flags = np.random.default_rng([count, seed]).random(count) < 0.4
    return flags, np.packbits(flags, bitorder="little")


def tiled(period: Array, phase: int, count: int) -> Array:
    """The repetition of `period` from `phase` on."""
    return np.resize(period, phase + count)[phase:]


def phases(period: int) -> list[int]:
    return sorted({0, 1 % period, period // 2, period - 1})


def cases() -> list[tuple[int, int, int]]:
    """Item size, length, period: all for four bytes, the corners for the others."""
    every = [(4, n, p) for n in LENGTHS for p in PERIODS]
    return every + [
        (s, n, p) for s in (1, 2, 8) for n in (9, BLOCK, 2 * BLOCK + 13) for p in (1, 7, BLOCK - 1, 3 * BLOCK + 5)
    ]


@pytest.mark.parametrize(("itemsize", "count", "period"), cases())
def test_against_whole_arrays(itemsize: int, count: int, period: int) -> None:
    first, other = values(itemsize, period, 1), values(itemsize, 1 + period // 3, 2)
    flags, packed = mask(count, 3)
    unpacked = np.unpackbits(packed, count=count, bitorder="little").astype(np.bool_)
    for phase in phases(period):
        tile, pair = Tile(first), (Tile(other), phase % len(other))
        a, b = tiled(first, phase, count), tiled(other, phase % len(other), count)
        flipped = np.where(a == 0, a, a ^ first.dtype.type(SIGN[itemsize]))
        out = values(itemsize, count, 4)  # what was there before does not show
        fill.fill(out, tile, phase)
        assert np.array_equal(out, a)
        zero.fill(out, packed, (tile, phase), None)
        assert np.array_equal(out, np.where(unpacked, a, np.zeros_like(a)))
        negated.fill(out, packed, (tile, phase), None)
        assert np.array_equal(out, np.where(unpacked, a, flipped))
        second_value.fill(out, packed, (tile, phase), pair)
        assert np.array_equal(out, np.where(unpacked, a, b))
        for rule, expected in (("zero", np.zeros_like(a)), ("negated", flipped), ("second", b)):
            fill.fill_masked(out, packed, rule, (tile, phase), pair if rule == "second" else None)
            assert np.array_equal(out, np.where(unpacked, a, expected)), rule
        size = min(count, BLOCK)
        assert np.array_equal(fill.active(0, size, tile, phase, None), (a != 0)[:size])
        assert np.array_equal(fill.active(count - size, size, tile, phase, pair), (a != b)[count - size :])
        assert np.array_equal(tile.values, first)  # read, not written
    assert np.array_equal(flags, unpacked)


@pytest.mark.parametrize("itemsize", ITEMSIZES)
@pytest.mark.parametrize("period", [3, 4001, BLOCK + 1, 400_000])
def test_large_layers(itemsize: int, period: int) -> None:
    """From 2^18 elements on they are written past the cache, where they are aligned; and here a part that is not."""
    count = (1 << 18) + 13
    first, (flags, packed) = values(itemsize, period, 1), mask(count, 3)
    for before in (0, 1, 4):
        memory = values(itemsize, count + before + 3, 4)
        untouched = memory.copy()
        fill.fill_masked(memory[before : before + count], packed, "zero", (Tile(first), period - 1), None)
        expected = np.where(flags, tiled(first, period - 1, count), np.zeros(1, dtype=first.dtype))
        assert np.array_equal(memory[before : before + count], expected)
        assert np.array_equal(memory[:before], untouched[:before])
        assert np.array_equal(memory[before + count :], untouched[before + count :])


@pytest.mark.parametrize("itemsize", ITEMSIZES)
@pytest.mark.parametrize("count", LENGTHS)
def test_scatter(itemsize: int, count: int) -> None:
    flags, packed = mask(count, 5)
    kept = values(itemsize, int(flags.sum()), 6)
    out = values(itemsize, count, 7)
    fill.scatter(out, packed, kept)
    expected = np.zeros(count, dtype=kept.dtype)
    expected[flags] = kept
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("constant", [False, True])
def test_constant_masks(constant: bool) -> None:
    count = BLOCK + 3
    packed, first = bits.constant(count, constant), values(4, 11, 8)
    assert int(packed[-1]) == (0b111 if constant else 0)
    out = np.empty(count, dtype=np.uint32)
    zero.fill(out, packed, (Tile(first), 5), None)
    assert np.array_equal(out, tiled(first, 5, count) if constant else np.zeros(count))
    fill.scatter(out, packed, np.arange(count * constant, dtype=np.uint32))
    assert np.array_equal(out, np.arange(count) if constant else np.zeros(count))


def test_slices_of_a_tile() -> None:
    """Any start, also far beyond the period; the values are not changed by it."""
    for period in PERIODS:
        first = values(2, period, 9)
        tile = Tile(first)
        assert len(tile) == period
        long = np.resize(first, 2 * period + 2 * BLOCK)
        for start in (0, period - 1, period, period + 1):
            for count in (0, 1, BLOCK - 1, BLOCK):
                assert np.array_equal(tile.slice(start, count), long[start : start + count])
                assert np.array_equal(tile.slice(start + 10**6 * period, count), long[start : start + count])


@pytest.mark.parametrize("itemsize", ITEMSIZES)
def test_has_zero(itemsize: int) -> None:
    first = np.full(70_000, SIGN[itemsize], dtype=f"u{itemsize}")  # −0.0 is not all-zero bits
    assert not Tile(first).has_zero
    first[69_999] = 0
    assert Tile(first).has_zero


# --- idle positions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_spread_and_gather(count: int, density: float) -> None:
    rng = np.random.default_rng(count)
    where = rng.random(count) < density
    own = rng.random(int(where.sum())) < 0.5
    expected = np.zeros(count, dtype=np.bool_)
    expected[where] = own
    tile = Tile(np.concatenate([[1], where]).astype(np.uint16))
    spread = fill.spread(np.packbits(own, bitorder="little"), len(own), count, tile, 1)
    assert spread.tobytes() == np.packbits(expected, bitorder="little").tobytes()
    anything = expected | (~where & (rng.random(count) < 0.5))  # bits at idle positions are dropped
    gathered, length = fill.gather(np.packbits(anything, bitorder="little"), count, tile, 1)
    assert gathered.tobytes() == np.packbits(own, bitorder="little").tobytes()
    assert length == len(own)


@pytest.mark.parametrize("more", [-1, 1, 8])
def test_mask_of_another_length(more: int) -> None:
    where = np.arange(BLOCK + 40) % 3 > 0
    length = int(where.sum()) + more
    tile = Tile(where.astype(np.uint8))
    with pytest.raises(PayloadError, match=f"the mask has {length} bits for {length - more} positions that are not"):
        fill.spread(bits.constant(length, True), length, len(where), tile, 0)


# --- scale ------------------------------------------------------------------------------------------------------


def bits_of(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def scaled(first: Array, factor: float, count: int, phase: int = 0) -> Array:
    """Elements of a scaled tile, as a layer gets them."""
    out = np.empty(count, dtype=np.uint32)
    fill.fill(out, tiles.scaled(Tile(first), bits_of(factor)), phase)
    return out


FACTORS = (1.0, 0.5, 1 / 3, 2.0**-126, 2.0**-149, 1e-40, 1.1754942e-38, 16777215.0, 1.5e38)


@pytest.mark.parametrize("factor", FACTORS)
def test_scaled_is_one_rounded_product(factor: float) -> None:
    """Also where operands or products are subnormal. A double holds the exact product, and is rounded once."""
    rng = np.random.default_rng(10)
    exponents = [0, 0, 1, 2, 20, 64, 100, 126, 127]
    first = rng.integers(0, 1 << 23, 5000) | rng.choice(exponents, 5000) << 23 | rng.integers(0, 2, 5000) << 31
    first[:6] = 0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x00800000
    period = first.astype(np.uint32)
    products = period.view(np.float32).astype(np.float64) * float(np.float32(factor))
    expected = products.astype(np.float32).view(np.uint32)
    assert np.array_equal(scaled(period, factor, 5000), expected)
    assert np.array_equal(scaled(period, factor, 2 * BLOCK + 9, 4999), tiled(expected, 4999, 2 * BLOCK + 9))
    subnormal = (expected & 0x7FFFFFFF != 0) & (expected & 0x7F800000 == 0)
    assert np.count_nonzero(subnormal) > 100 or factor > 1
    tile = tiles.scaled(Tile(period), bits_of(factor))
    active = fill.active(3, BLOCK, tile, 0, None)
    assert np.array_equal(active, tiled(expected, 3, BLOCK) != 0)
    assert tile.has_zero
    assert len(tile) == 5000


def test_products_that_vanish() -> None:
    """A position whose product underflows to +0.0 is idle; one at −0.0 is not, for its bits are not all zero."""
    first = np.array([bits_of(v) for v in (1.0, 2.0**-100, -(2.0**-100), -1.0)], dtype=np.uint32)
    assert not Tile(first).has_zero
    for factor, zeros in ((1.0, [0, 0, 0, 0]), (2.0**-49, [0, 0, 0, 0]), (2.0**-60, [0, 1, 0, 0])):
        tile = tiles.scaled(Tile(first), bits_of(factor))
        assert fill.active(0, 8, tile, 0, None).tolist() == [not zero for zero in zeros * 2]
        assert tile.has_zero or not any(zeros)  # it may say so in vain, but never miss one
        assert scaled(first, factor, 4)[2] != 0
    assert not tiles.scaled(Tile(first), bits_of(2.0**-49)).has_zero


def test_no_scale_is_the_tile_itself() -> None:
    tile = Tile(np.array([0x7FC00000, 1], dtype=np.uint32))
    assert tiles.scaled(tile, None) is tile


@pytest.mark.parametrize("word", [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7F000000, 0xFF000000])
def test_scaled_must_stay_finite(word: int) -> None:
    """Infinity and NaN before, overflow after; also when it is the last of many."""
    for count in (1, 70_000):
        first = np.full(count, 0x3F800000, dtype=np.uint32)
        first[-1] = word
        with pytest.raises(PayloadError, match="a scaled prototype is not finite"):
            tiles.scaled(Tile(first), bits_of(2))
    assert scaled(np.array([0x7EFFFFFF], dtype=np.uint32), 2, 1)[0] == 0x7F7FFFFF
    with pytest.raises(PayloadError, match="a scaled prototype is not finite"):  # not even where it would vanish
        tiles.scaled(Tile(np.array([0x7F800000], dtype=np.uint32)), bits_of(2.0**-149))
