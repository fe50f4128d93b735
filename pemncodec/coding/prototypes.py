"""Prototypes that a file names by their seed: row of the manifest <-> generator, and its values (spec section 8)."""

from __future__ import annotations

import numpy as np

from ..common.dtypes import float32_bits, float32_of
from ..common.words import Words
from ..container.manifest.generated import (
    DISTRIBUTIONS,
    GENERATOR_DIALECTS,
    GENERATOR_PYTORCH,
    PYTORCH_DISTRIBUTIONS,
    Drawn,
    GeneratedRow,
    GeneratorRow,
    PytorchRow,
)
from ..container.manifest.patches import Patches
from ..errors import NetworkError, PayloadError
from ..generators.philox.generator import Generator, digest
from ..generators.pytorch.generator import PytorchGenerator

AnyGenerator = Generator | PytorchGenerator
_IDS = {name: number for number, name in DISTRIBUTIONS.items()}
_DRAWN_IDS = {
    generator: {drawn: number for number, drawn in distributions.items()}
    for generator, distributions in PYTORCH_DISTRIBUTIONS.items()
}


def generator_of(row: GeneratedRow) -> AnyGenerator:
    """The recipe that a row of the manifest holds."""
    scale = float32_of(row.scale_bits)
    if isinstance(row, PytorchRow):
        name, low = row.kind.distribution, float32_of(row.low_bits)
        if row.generator == GENERATOR_PYTORCH:
            return PytorchGenerator(name, row.length, row.seed, row.offset, scale, low, row.patches)
        dialect = row.kind.dialect
        return PytorchGenerator(name, row.length, row.seed, row.offset, scale, low, dialect=dialect, steps=row.patches)
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


def row_of(generator: AnyGenerator) -> GeneratedRow:
    """The row of the manifest that says a recipe."""
    if isinstance(generator, PytorchGenerator):
        number = GENERATOR_DIALECTS if generator.in_dialect else GENERATOR_PYTORCH
        return PytorchRow(
            generator=number,
            length=generator.length,
            distribution=_DRAWN_IDS[number][Drawn(generator.distribution, generator.dialect)],
            seed=generator.seed,
            offset=generator.offset,
            scale_bits=float32_bits(generator.scale),
            low_bits=float32_bits(generator.low),
            patches=Patches(generator.steps or generator.patches),
            digest=generator.digest(),
        )
    return GeneratorRow(
        length=generator.length,
        distribution=_IDS[generator.distribution],
        seed=generator.seed,
        stream=generator.stream,
        scale_bits=float32_bits(generator.scale),
        patches=Patches(generator.patches),
        digest=generator.digest(),
        period=generator.period,
        zeros=generator.zeros,
    )


def generate(row: GeneratedRow, index: int) -> Words:
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
