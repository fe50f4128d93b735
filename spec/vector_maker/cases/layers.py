"""The vectors for sections 4.2, 4.5, 4.6 and 7 of the specification: prototypes, layers, aliases and tasks."""

from __future__ import annotations

import numpy as np
from writer.coders import SIZES, D
from writer.ids import RAW
from writer.writer import Block, File, Values, kept, mask, tiled

from cases.content import u4
from cases.files import Builder
from cases.valid import Valid, expect, one, valid

DOUBLE = b"\0\0\0\x40"


@valid
def maskable_dtypes() -> Valid:
    """Tiled and kept layers of every maskable dtype, one prototype element of each all-zero bits."""
    file, expected = File(masks=[mask("110"), mask("1011")]), []
    maskable = [d for d in D if d not in (D.BOOL, D.COMPLEX128, D.FLOAT8_E8M0FNU, D.FLOAT4_E2M1FN_X2)]
    for i, dtype in enumerate(maskable):
        size = SIZES[dtype]
        zero, a, c = bytes(size), bytes([i + 1]) * size, bytes([0x80 | i]) * size
        more = [bytes(size - 1) + b"\x11", bytes([0x7F]) * size]
        file.blocks.append(Block(dtype, RAW, b"".join([a, zero, c, *more])))
        file.prototypes.append(Values(3, i))
        file.entries += [kept(f"k{i}", (3,), 0, i), tiled(f"w{i}", (6,), 1, i)]
        expected.append(expect(f"k{i}", dtype, (3,), b"".join([*more, zero])))
        expected.append(expect(f"w{i}", dtype, (6,), b"".join([a, zero, zero, a, zero, c])))
    return one(file, *expected)


@valid
def zero_negated() -> Valid:
    """Zero = negated in every dtype that allows it: +0.0 is idle, -0.0 becomes +0.0, NaN changes its sign."""
    build = Builder()
    for build.dtype in (D.FLOAT16, D.BFLOAT16, D.FLOAT32, D.FLOAT64):
        top = 8 * SIZES[build.dtype] - 1
        values = np.array([1, 0, 1 << top, (1 << top) - 1, 0x3C00 << top - 15], dtype=f"<u{SIZES[build.dtype]}")
        build.layer((3, 4), "101100111000", prototype=build.prototype(values), phase=3, zero=1)
    return build.done()


def eight(values: list[int], choice: str, zero: int = 0, scale: bytes | None = None) -> File:
    """Return a file of a layer of eight elements over a prototype."""
    file = File(masks=[mask(choice)], blocks=[Block(D.FLOAT32, RAW, u4(*values).tobytes())])
    file.prototypes, file.entries = [Values(len(values), 0)], [tiled("w", (8,), 0, zero=zero, scale=scale)]
    return file
