"""The cases, by section of the specification: valid vectors and damaged ones together.

A module defines what a vector needs a function for, and the table beside it has the vectors of one line.
"""

from __future__ import annotations

from collections.abc import Iterator

from cases import tables
from cases.rows import Row

# The tables, in the order of the invalid vectors.
INVALID = (
    "file",
    "manifest",
    "masks",
    "blocks",
    "layers",
    "generators",
    "arranged",
    "rans",
    "rotated",
    "grouped",
    "grouped_damaged",
    "delta_keys",
    "delta_masks",
    "delta_bases",
    "delta_blocks",
    "delta_prototypes",
    "delta_nothing",
    "draws",
    "dialects",
    "unfused",
    "draws_damaged",
    "bools",
    "chunks",
    "other_tasks",
)
for name in INVALID:
    tables.register(name)


def all_invalid() -> Iterator[Row]:
    """Yield every invalid vector in its order."""
    for name in INVALID:
        yield from tables.table(name).values()
