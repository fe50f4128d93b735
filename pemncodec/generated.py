"""Prototypes that a file names by their seed: row of the manifest -> values (spec section 8)."""

from __future__ import annotations

import numpy as np

from .container.manifest import DISTRIBUTIONS, GeneratorRow
from .dtypes import float32_of
from .errors import NetworkError, PayloadError
from .prototypes.generator import Generator, digest
from .words import Words


def generator_of(row: GeneratorRow) -> Generator:
    """The recipe that a row of the manifest holds."""
    scale = float32_of(row.scale_bits)
    return Generator(
        DISTRIBUTIONS[row.distribution],
        row.length,
        row.seed,
        row.stream,
        scale,
        row.patches,
        row.period,
        row.zeros,
    )


def generate(row: GeneratorRow, index: int) -> Words:
    """The values of prototype `index`, which must have the digest that the file says.

    Raises:
        PayloadError: another digest, or an element that is not finite.
    """
    try:
        values = generator_of(row).values()
    except NetworkError as reason:
        raise PayloadError(f"prototype {index}: {reason}") from None
    found = digest(values)
    if found != row.digest:
        raise PayloadError(
            f"prototype {index}: the values made from the seed have the digest {found:08x}, and the file says "
            f"{row.digest:08x}"
        )
    return values.view(np.uint32)
