"""Zero bits stand for the value with its sign bit flipped, except that +0.0 stays."""
# ruff: noqa: ARG001 (the contract of rules)

from __future__ import annotations

import numpy as np

from ...common.bits import Packed
from ...common.words import Words
from .select import Source, blocks

COMPILED = 1


def fill(out: Words, packed: Packed, first: Source, second: Source | None) -> None:
    """Write the layer."""
    sign = np.array(1 << (8 * out.itemsize - 1), dtype=out.dtype)
    for block, values in blocks(out, packed, first):
        np.invert(block, out=block)
        np.bitwise_and(block, sign, out=block)
        block[values == 0] = 0
        np.bitwise_xor(block, values, out=block)
