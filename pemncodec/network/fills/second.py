"""Zero bits stand for the second prototype's value."""

from __future__ import annotations

import numpy as np

from ...common.bits import Packed
from ...common.words import Words
from .select import Source, blocks

COMPILED = 2


def fill(out: Words, packed: Packed, first: Source, second: Source | None) -> None:
    """Write the layer."""
    assert second is not None
    for block, values, others in blocks(out, packed, first, second):
        np.bitwise_and(block, values ^ others, out=block)
        np.bitwise_xor(block, others, out=block)
