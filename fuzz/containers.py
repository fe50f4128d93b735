"""Target `container`: the vectors of the specification, field by field and section by section."""

from __future__ import annotations

from functools import cache
from random import Random

import decoder as second

from . import SPEC, fields
from .decoders import compare
from .draws import noise
from .harness import Target

MOST = 1200  # bytes of a vector that is mutated: more small files in the same time


@cache
def vectors() -> list[bytes]:
    """Small valid vectors that need no base."""
    paths = sorted((SPEC / "vectors" / "valid").glob("*.pemn"))
    found = [path.read_bytes() for path in paths if path.stat().st_size <= MOST]
    return [data for data in found if second.read_file(data)[0].base is None]


def make(rng: Random) -> bytes:
    """A vector, mutated."""
    return fields.mutate(fields.split(rng.choice(vectors())), rng)


def mutate(data: bytes, rng: Random) -> bytes:
    """Any file, mutated: in its fields if it has any."""
    try:
        return fields.mutate(fields.split(data), rng)
    except Exception:  # what is no valid file has no fields
        return noise(data, rng) if rng.randrange(4) == 0 else make(rng)


TARGET = Target("container", ".pemn", make, mutate, compare, "whole files: fields and sections of the vectors")
