"""Work for the child processes of tests; without torch, so that a spawned child starts fast."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

import pemncodec

Expected = Mapping[str, bytes]


def wrong_reads(files: Sequence[pemncodec.PemnFile], expected: Sequence[Expected], seed: int, reads: int) -> int:
    """Return how many of `reads` reads of random tensors of open files fail or give other bits than expected."""
    choose, wrong = random.Random(seed), 0
    for _ in range(reads):
        number = choose.randrange(len(files))
        name = choose.choice(list(expected[number]))
        try:
            wrong += files[number].get_numpy(name).tobytes() != expected[number][name]
        except pemncodec.PemnError:
            wrong += 1
    return wrong


def first_numbers(file: pemncodec.PemnFile, name: str) -> NDArray[np.generic]:
    """The first numbers of a tensor."""
    return file.get_numpy(name).reshape(-1)[:4]
