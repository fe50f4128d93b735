"""The vectors for generator 1: section 8 of the specification, with 4.5 and 7."""

from __future__ import annotations

from collections.abc import Mapping

from writer import numbers
from writer.writer import Generator

from cases.content import Array

Patches = Mapping[int, int]
NONE: Patches = {}


def generated(
    distribution: int, seed: int, stream: int, scale: int, length: int, patches: Patches = NONE
) -> tuple[Generator, Array]:
    """Return a generator and its elements as bits."""
    values = numbers.elements(distribution, seed, stream, scale, length, patches)
    return Generator(length, distribution, seed, stream, scale, patches, numbers.digest(values)), values
