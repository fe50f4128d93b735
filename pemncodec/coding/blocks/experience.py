"""Coders that are not tried for a block, as they lost clearly for those of its kind before.

A network of a hundred thousand small tensors has thousands of blocks of one kind, and nearly all the time goes into
coders that do not win. So what lost clearly for some blocks in a row is tried for one block in many from then on, and
for each block that is of another nature than those before. What is left out depends on the blocks before alone: the
same network gives the same file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

# Blocks in a row that a coder has to lose, and blocks for which it is left out then.
_LOSSES, _LEFT_OUT = 4, 31
# By so much is a loss clear; and by so much other than usual is a block of another nature.
_CLEAR, _OTHER = 0.002, 0.02


class Experience:
    """The results for blocks of one kind, so far."""

    def __init__(self) -> None:
        self._losses: Counter[int] = Counter()
        self._left_out: Counter[int] = Counter()
        self._usual = 0.0

    def hopeless(self) -> set[int]:
        """Return the coders that are not tried for the next block, unless it is a surprise."""
        return {coder for coder, blocks in self._left_out.items() if blocks > 0}

    def is_surprised(self, part: float) -> bool:
        """Return whether a block of which coding leaves this part is of another nature than those before."""
        return abs(part - self._usual) > _OTHER * self._usual

    def note(self, sizes: Mapping[int, int | None], smallest: int, part: float) -> None:
        """Take in a block.

        Args:
            sizes: bytes by coder, of those that were tried; None: surely not the smallest.
            smallest: bytes of the smallest coding.
            part: what that is of the bytes of the block.
        """
        self._usual = part
        for coder in self._left_out:
            self._left_out[coder] -= 1
        for coder, size in sizes.items():
            lost = size is None or size > (1 + _CLEAR) * smallest
            self._losses[coder] = self._losses[coder] + 1 if lost else 0
            self._left_out[coder] = _LEFT_OUT if self._losses[coder] >= _LOSSES else 0
