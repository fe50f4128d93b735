"""The vectors for block coders 4 and 5, rotated and grouped planes: what both have of section 6 of the specification.

With 3, 4.4, 4.7, 4.8 and 7. Those of one line are in the table beside this module, among them the invalid ones of
rotated planes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from writer.coders import SIZES, D, frame, palette, planes, rotated
from writer.delta import coded_block
from writer.grouped import GROUPED_PLANES, fitted, grouped, parts
from writer.ids import PALETTE, PLANES, RAW, ROTATED_PLANES, ZSTD
from writer.writer import Block, File, Values, kept, mask, tensor, tiled

from cases import content
from cases.content import HALF, MINUS, ONE, TWO, u4
from cases.files import blobs, blocked, holding
from cases.valid import Valid, demand, since, valid

Row = tuple[D, int, bytes, bytes]  # dtype, coder, payload, elements
WIDTHS = {1: D.UINT8, 2: D.FLOAT16, 4: D.FLOAT32, 8: D.FLOAT64, 16: D.COMPLEX128}
MANTISSA = {D.FLOAT16: 10, D.BFLOAT16: 7, D.FLOAT32: 23, D.FLOAT64: 52}  # bits
COMPLEX = {D.FLOAT16: D.COMPLEX32, D.FLOAT32: D.COMPLEX64, D.FLOAT64: D.COMPLEX128}
# Vectors of before whose blocks are coded again.
AGAIN = ["shapes", "block_of_many_users", "kept_layers", "masks_shared", "partial_prototypes", "maskable_dtypes"]
AGAIN += ["idle_zeros", "zero_negated", "zero_second", "scaled", "scaled_zero", "tasks"]


def numbers(size: int, *values: int) -> bytes:
    """Return elements of `size` bytes from their numbers."""
    return b"".join(value.to_bytes(size, "little") for value in values)


def coded(data: bytes, size: int, methods: Sequence[int]) -> bytes:
    """Return the payload of coder 4, each plane by its method."""
    turned = rotated(data, size)
    for j, method in enumerate(methods):
        demand(method != 2 or len(set(turned[j::size])) <= 1, "a plane by method 2 is not constant")
    demand(len(methods) == size, "not as many planes as bytes")
    return planes(turned, size, methods)


@dataclass
class Turned:
    """A coder of rotated elements: its name, its id, the minor version that it came with."""

    name: str
    coder: int
    minor: int

    def noise(self, count: int, seed: str) -> bytes:
        """Return bytes that look random."""
        return content.noise(count, f"{self.name} {seed}")

    def block(self, dtype: D, data: bytes, *hows: Any, shift: int = 0) -> Row:
        """Return a block of these elements; its planes, or byte strings, are coded as told, or by methods in turn."""
        code = coded if self.coder == ROTATED_PLANES else grouped
        payload = code(data, SIZES[dtype], hows) if hows else coded_block(dtype, data, self.coder, shift)
        return dtype, self.coder, payload, data

    def by_hand(self, dtype: D, payload: str, data: bytes) -> Row:
        """Return a block of these elements, whose payload was written by hand."""
        return dtype, self.coder, bytes.fromhex(payload), data

    def of(self, *blocks: Row) -> Valid:
        """Return the case of tensors of these blocks."""
        return since(self.minor, blobs(*blocks))

    def again(self, made: Valid, *hows: Any, shift: int = 0) -> Valid:
        """Return a case whose blocks are raw, coded by this coder instead, but those of no elements by coder 5."""
        for i, old in enumerate(made.file.blocks):
            assert isinstance(old.dtype, D)
            demand(old.coder == RAW, "a block of another coder")
            if old.payload or self.coder == ROTATED_PLANES:
                made.file.blocks[i] = Block(*self.block(old.dtype, old.payload, *hows, shift=i + shift)[:3])
        return since(self.minor, made)

    def file(self, payload: bytes, count: int = 3, dtype: D = D.INT16) -> File:
        """Return a file of a tensor in a block of this payload."""
        return blocked(dtype, self.coder, count, payload, self.minor)

    def layer(self, values: list[int], bits: str, scale: bytes | None = None) -> File:
        """Return a file of a tiled layer of eight elements over a prototype."""
        file = File(masks=[mask(bits)], prototypes=[Values(len(values), 0)], header={"minor": self.minor})
        hows = [0] * 4 if self.coder == ROTATED_PLANES else []
        file.blocks = [Block(*self.block(D.FLOAT32, u4(*values).tobytes(), *hows, shift=1)[:3])]
        file.entries = [tiled("w", (8,), 0, scale=scale)]
        return file


ROTATED, GROUPED = Turned("rotated", ROTATED_PLANES, 1), Turned("grouped", GROUPED_PLANES, 2)


def both_signs(coder: Turned, dtype: D) -> bytes:
    """Return noise with the highest bit set and not, or of 0 and 1 if it is of bools."""
    size = SIZES[dtype]
    data = coder.noise(9 * size, dtype.name)
    demand(dtype == D.BOOL or len({b >> 7 for b in data[size - 1 :: size]}) == 2, "all highest bits are equal")
    return bytes(b & 1 for b in data) if dtype == D.BOOL else data


def special(coder: Turned) -> Iterator[Row]:
    """Yield blocks of special floats of every kind."""
    for dtype, mantissa in MANTISSA.items():
        size, quiet = SIZES[dtype], 1 << mantissa - 1
        top, some = 1 << 8 * size - 1, 0x5A5A5A5A5A5A5A5A % quiet
        infinity = top - (1 << mantissa)
        nans = (1, some, quiet, quiet | some) if coder is ROTATED else (1, quiet, 5 << mantissa - 3)
        values = [0, 1, 2 * quiet - 1, 2 * quiet, infinity - 1, infinity, *(infinity | nan for nan in nans), top - 1]
        data = numbers(size, *values, *(top | value for value in values))
        yield coder.block(dtype, data)
        yield coder.block(dtype, data, *([1] * size if coder is ROTATED else map(fitted, parts(data, size))))
        if dtype in COMPLEX:  # each value with the one after it, and the other way round
            pairs = data + data[size:] + data[:size]
            yield coder.block(COMPLEX[dtype], pairs, shift=0 if coder is ROTATED else 2)


def beside(last: Turned) -> Iterator[Row]:
    """Yield blocks of the same elements by every coder up to this one."""
    indices = [2, 0, 1, 1, 2, 0, 2]
    for size, dtype in WIDTHS.items():
        values = [last.noise(size, f"{size} {i}") for i in range(3)]
        values.sort(key=lambda value: int.from_bytes(value, "little"))
        data = b"".join(values[i] for i in indices)
        yield from ((dtype, RAW, data, data), (dtype, ZSTD, frame(data), data))
        yield dtype, PLANES, planes(data, size, [0, 1] * (size // 2) or [0]), data
        yield dtype, PALETTE, palette(values, indices, 0), data
        yield from (coder.block(dtype, data) for coder in (ROTATED, GROUPED) if coder.coder <= last.coder)


@valid
def rotated_exponents() -> Valid:
    """Signed values of one exponent, so that the last plane is constant; of one sign, so that the lowest bit is."""
    rows = []
    for dtype, mantissa in ((D.FLOAT32, 23), (D.BFLOAT16, 7)):
        size = SIZES[dtype]
        raw = int.from_bytes(ROTATED.noise(40 * size, dtype.name), "little")
        parts = [raw >> 8 * size * i for i in range(40)]
        values = [(p & 1) << 8 * size - 1 | 0x7B << mantissa | p >> 1 & (1 << mantissa) - 1 for p in parts]
        data = numbers(size, *values)
        demand(len(set(data[size - 1 :: size])) > 1, "the last plane is constant before it is rotated")
        rows.append(ROTATED.block(dtype, data, *[0] * (size - 1), 2))
        rows.append(ROTATED.block(dtype, numbers(size, *(value | 1 << 8 * size - 1 for value in values)), *[1] * size))
    return ROTATED.of(*rows)


def users() -> Valid:
    """Return a raw block of a prototype, a partial one, kept layers and tensors, with elements -0.0, NaN and +0.0."""
    nan, far = 0xFFC12345, 0xC0400000
    p = [far if i == 11 else 0 for i in range(15)]  # its bits are for 1, 6 and 11; 4, 9 and 14 are +0.0
    return holding(
        D.FLOAT32,
        u4(ONE, MINUS, nan, far, 0, HALF, nan, MINUS, 0, MINUS, TWO),
        (tensor("a", ()), u4(HALF)),
        (kept("k", (5,), 1), u4(nan, 0, 0, MINUS, 0)),
        (tiled("w", (7,), 2, 0, 1), u4(MINUS, nan, 0, MINUS, 0, ONE, MINUS)),  # of -0.0 NaN 1.0 ...
        (tensor("none", (0,)), b""),
        (tiled("n", (5,), 3, 0, zero=1), u4(ONE, 0, nan, ONE, MINUS)),  # a zero bit of -0.0 gives +0.0
        (tensor("b", (3, 1)), u4(0, MINUS, TWO)),
        (tiled("p", (15,), 4, 1), u4(*p)),
        masks=[mask("01001"), mask("10010"), mask("1101011"), mask("10111"), mask("001")],
        prototypes=[Values(3, 0), Values(5, 0, presence=0)],
    )


LONG = np.arange(-600, 600, dtype="<i2").tobytes()
LOW, HIGH = (rotated(LONG, 2)[j::2] for j in range(2))
