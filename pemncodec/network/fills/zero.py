"""Zero bits stand for zero; one bit for every element."""
# ruff: noqa: ARG001 (the contract of rules)

from __future__ import annotations

import numpy as np

from ...common.bits import Packed
from ...common.words import Words
from .select import Source, blocks

COMPILED = 0


def fill(out: Words, packed: Packed, first: Source, second: Source | None) -> None:
    """Write the layer."""
    for block, values in blocks(out, packed, first):
        np.bitwise_and(block, values, out=block)
