"""The vectors for block coders 0 to 3: sections 4.4, 4.8 and 6 of the specification.

Those of one line, the invalid ones among them, are in the table beside this module.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from writer.coders import SIZES, D, frame, palette, planes, u
from writer.ids import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, PALETTE, PLANES, RAW, ZSTD_MASK
from writer.writer import Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.files import blocked
from cases.valid import Valid, case, expect, one, same, valid

FLAGS = bytes([1, 0, 0, 1, 1])
FORTY = np.arange(40, dtype="<i8").tobytes()


def planes_row(dtype: D, data: bytes, *methods: int) -> tuple[D, int, bytes, bytes]:
    """Return a block by coder 2 of these elements, each plane by its method, and the elements."""
    return dtype, PLANES, planes(data, SIZES[dtype], methods), data


def palette_row(dtype: D, numbers: Sequence[int], indices: Sequence[int], method: int) -> tuple[D, int, bytes, bytes]:
    """Return a block by coder 3 of these values and indices, and its elements."""
    values = [number.to_bytes(SIZES[dtype], "little") for number in numbers]
    return dtype, PALETTE, palette(values, indices, method), b"".join(values[i] for i in indices)


@valid
def block_of_many_users() -> Valid:
    """A block used by prototypes, a kept layer and tensors, whose order in it is not that of the entries."""
    block = np.array([100, 101, 102, 110, 111, 1, 2, 201, 202, 203, 3], dtype="<i2")
    file = File(masks=[mask("0101"), mask("10011"), mask("111011"), mask("10111")])
    file.blocks = [Block(D.INT16, RAW, block.tobytes()), Block(D.INT8, RAW, b"\x2a")]
    file.prototypes = [Values(3, 0), Values(4, 0, presence=0)]
    file.entries = [tensor("a", (2,)), tiled("w", (6,), 2, 0), tensor("x", (), 1), kept("k", (5,), 1)]
    file.entries += [alias("again", 0), tiled("v", (2, 5), 3, 1), tensor("b", (1, 1))]
    # v is of 0 110 0 111, idle where 0; the mask's bits: 1 0 1 1 1
    rows: list[tuple[str, tuple[int, ...], list[int]]] = [
        ("a", (2,), [1, 2]),
        ("w", (6,), [100, 101, 102, 0, 101, 102]),
        ("k", (5,), [201, 0, 0, 202, 203]),
    ]
    rows += [("again", (2,), [1, 2]), ("v", (2, 5), [0, 110, 0, 0, 0, 110, 0, 111, 0, 110]), ("b", (1, 1), [3])]
    expected = [expect(name, D.INT16, shape, np.array(values, dtype="<i2")) for name, shape, values in rows]
    expected.insert(2, expect("x", D.INT8, (), b"\x2a"))
    return one(file, *expected)


@case("wasteful", "What a sensible writer never does: equal blocks and masks unmerged, unsorted, constants at length.")
def wasteful() -> Valid:
    """Return a file that a writer would make smaller."""
    one, three = b"\x01\x00\x00\x00", b"\x01\x00\x00\x00" * 3
    file = File(masks=[mask("111"), mask("111", GAPS_OF_ONES), mask("000", GAPS_OF_ZEROS)])
    file.masks += [Mask(CONSTANT, 3, 3), mask("111", ZSTD_MASK)]
    blocks = [(PALETTE, palette([one, b"\2\0\0\0"], [0, 0, 0], 1)), (RAW, three)]
    blocks += [(PLANES, planes(three * 2, 4, [1, 0, 1, 0])), (RAW, b""), (RAW, one)]
    file.blocks = [Block(D.INT32, coder, payload) for coder, payload in blocks]
    file.prototypes = [Values(3, 1), Values(1, 4)]
    file.entries = [kept("z", (3,), 0, 2), tensor("a", (3,), 0), kept("m", (3,), 1, 2), kept("e", (3,), 2, 3)]
    file.entries += [tiled("w", (3,), 3, 0), tiled("c", (3,), 4, 1)]
    return same(file, D.INT32, *((name, (3,), bytes(12) if name == "e" else three) for name in "zamewc"))


# Of planes of three elements: a frame, its size, and what is before it, a constant plane and the method of the other.
PLANE = frame(b"abc")
SIZE = u(len(PLANE))
HEAD = b"\2\0\1"
THREE, ORDER = [b"\1\0", b"\2\0", b"\0\1"], [0, 1, 2, 1, 0]
GOOD = palette(THREE, ORDER, 0)
MANY = [number.to_bytes(2, "little") for number in range(300)]


def palette_of(payload: bytes, count: int = 5, dtype: D = D.UINT16) -> File:
    """Return a file of a tensor in a block by coder 3."""
    return blocked(dtype, PALETTE, count, payload)
