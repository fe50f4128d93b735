"""Prototypes that a file names by their seed: their values, which must have the digest of the row (spec section 8)."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from ..common.words import Words
from ..container.manifest.generated import GeneratedRow
from ..container.manifest.generator_table import GENERATORS
from ..errors import NetworkError, PayloadError
from ..generators.base import BaseGenerator, digest


def generator_of(row: GeneratedRow) -> BaseGenerator:
    """Return the recipe that a row of the manifest holds."""
    made: BaseGenerator = import_module(GENERATORS[row.generator].values).of_row(row)
    return made


def generate(row: GeneratedRow, index: int) -> Words:
    """Return the values of prototype `index`, which must have the digest that the file says.

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
            f"prototype {index}: the values made from the seed have the digest {found:08x}, but the file says "
            f"{row.digest:08x}"
        )
    return values.view(np.uint32)
