"""The recipe of a masked layer: what `pemncodec.nn` stores in a state_dict so that packing needs no flag.

Thirteen 64-bit integers: version, distribution, length, seed, stream, scale (float32 bits), keep (float64 bits),
sampler, what a zero bit stands for, factor of the layer (float32 bits, 0 for none), values (1: distinct, 2: trained, 3:
both), period, zeros. Then the share of each further coat (float64 bits), if the mask has several.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.dtypes import float32_bits, float32_of
from ..container.manifest.philox_rows import DISTRIBUTIONS
from ..errors import NetworkError, UnknownLayoutError
from ..generators.philox.generator import Generator

VERSION = 1
LENGTH = 13
_LENGTH_0_1 = 11  # of pemncodec 0.1: no period, no zeros
_SIGNED = struct.Struct("<13q")
_UNSIGNED = struct.Struct("<13Q")

# How a mask follows from the scores; which is a number in state_dicts for ever.
SAMPLERS = ("edge-popup", "bernoulli", "ternary")
_ZEROS = ("zero", "negated")
_DISTINCT, _TRAINED = 1, 2
MOST_COATS = 16
_IDS = {name: number for number, name in DISTRIBUTIONS.items()}


@dataclass(frozen=True)
class Recipe:
    """A prototype that is tiled over the layer from phase 0, and how the mask follows from the scores.

    Attributes:
        generator: makes the prototype. Its patches are those of `Generator.distinct`, or none.
        keep: fraction of the weights with a random value other than zero that edge-popup keeps, in (0, 1]; for
            Bernoulli masks the probability at the start.
        sampler: `"edge-popup"`; `"bernoulli"` (a weight is kept where its score is at least 0); or `"ternary"` (as
            edge-popup, and a kept weight has the sign of its score).
        zero: what a zero bit stands for: `"zero"` or `"negated"`.
        factor: a float32 that multiplies the prototype in this layer, or None.
        trained: whether the values were only the first ones, and the state_dict has the trained ones.
        coats: shares of the kept weights that further masks keep, descending, in (0, 1). A weight is its value times
            the number of masks that keep it.
    """

    generator: Generator
    keep: float
    sampler: str = "edge-popup"
    zero: str = "zero"
    factor: float | None = None
    trained: bool = False
    coats: tuple[float, ...] = ()

    @property
    def keeps(self) -> tuple[float, ...]:
        """The fraction of the weights that each mask keeps: `keep`, and those of further coats."""
        return (self.keep, *(self.keep * share for share in self.coats))

    @property
    def can_be_coated(self) -> bool:
        """Return whether several masks can be added: over constants with signs of their own, all of them fixed."""
        if self.sampler == "ternary":
            return True
        generated = self.generator.distribution == "sign" and not self.generator.zeros and self.factor is None
        return self.sampler == "edge-popup" and self.zero == "zero" and generated and not self.trained

    def active(self, numel: int) -> NDArray[np.bool_] | None:
        """Return the weights, of `numel`, whose random value is not zero, and which the mask is about; None for all."""
        return np.resize(self.generator.values(), numel) != 0 if self.generator.zeros else None

    def to_integers(self) -> list[int]:
        """Signed 64-bit integers: thirteen, and one for each further coat."""
        generator = self.generator
        scale = float32_bits(generator.scale)
        (keep,) = struct.unpack("<Q", struct.pack("<d", self.keep))
        factor = float32_bits(self.factor or 0.0)
        start = (VERSION, _IDS[generator.distribution], generator.length, generator.seed, generator.stream)
        fields = (
            *start,
            scale,
            keep,
            SAMPLERS.index(self.sampler),
            _ZEROS.index(self.zero),
            factor,
            _DISTINCT * bool(generator.patches) + _TRAINED * self.trained,
            generator.period,
            generator.zeros,
        )
        return [*_SIGNED.unpack(_UNSIGNED.pack(*fields)), *map(_float64_bits, self.coats)]

    @classmethod
    def from_integers(cls, integers: Sequence[int], where: str) -> Recipe:
        """The inverse of `to_integers`.

        Raises:
            UnknownLayoutError: these are not the integers of a recipe of this version.
        """
        if len(integers) == _LENGTH_0_1:
            integers = [*integers, 0, 0]
        if not LENGTH <= len(integers) < LENGTH + MOST_COATS:
            raise UnknownLayoutError(
                f"{where} has {len(integers)} numbers, but a recipe has {LENGTH}, and one for each further coat"
            )
        fields = _UNSIGNED.unpack(_SIGNED.pack(*integers[:LENGTH]))
        version, distribution, length, seed, stream, scale, keep, sampler, zero, factor, values, period, zeros = fields
        known = distribution in DISTRIBUTIONS and sampler < len(SAMPLERS) and zero < len(_ZEROS) and values < 4
        if version != VERSION or not known or max(scale, factor) >= 1 << 32:
            raise UnknownLayoutError(f"{where} is a recipe of version {version}: install a newer pemncodec")
        scale_value = float32_of(scale)
        factor_value = float32_of(factor)
        (keep_value,) = struct.unpack("<d", struct.pack("<Q", keep))
        if not 0.0 < keep_value <= 1.0:
            raise UnknownLayoutError(f"{where} keeps a fraction of {keep_value}, outside (0, 1]")
        if not 0 <= factor < 0x7F800000:
            raise UnknownLayoutError(f"{where} has the factor {factor_value}, which is not a number above 0")
        try:
            generator = Generator(
                DISTRIBUTIONS[distribution], length, seed, stream, scale_value, period=period, zeros=zeros
            )
            generator = generator.distinct() if values & _DISTINCT else generator
        except NetworkError as reason:
            raise UnknownLayoutError(f"{where}: {reason}") from None
        coats = tuple(struct.unpack("<d", struct.pack("<q", number))[0] for number in integers[LENGTH:])
        recipe = cls(
            generator,
            keep_value,
            SAMPLERS[sampler],
            _ZEROS[zero],
            factor_value if factor else None,
            bool(values & _TRAINED),
            coats,
        )
        if coats and not (descend(coats) and recipe.can_be_coated):
            raise UnknownLayoutError(f"{where} has further coats that do not descend, or a mask that has none")
        return recipe


def descend(coats: Sequence[float]) -> bool:
    """Return whether the shares of further coats are in (0, 1), each below the one before."""
    return all(0.0 < share < before for before, share in zip((1.0, *coats), coats, strict=False))


def _float64_bits(number: float) -> int:
    """The bits of a float64 as a signed integer."""
    bits: int = struct.unpack("<q", struct.pack("<d", number))[0]
    return bits
