"""The recipe of a masked layer: what `pemncodec.nn` stores in a state_dict so that packing needs no flag.

Seven 64-bit integers: version, distribution, length, seed, stream, scale (float32 bits), keep (float64 bits).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from .container.manifest import DISTRIBUTIONS
from .errors import NetworkError, UnknownLayoutError
from .prototypes.generator import Generator

VERSION = 1
LENGTH = 7
_SIGNED = struct.Struct("<7q")
_UNSIGNED = struct.Struct("<7Q")
_IDS = {name: number for number, name in DISTRIBUTIONS.items()}


@dataclass(frozen=True)
class Recipe:
    """A prototype that is tiled over the layer from phase 0, and the fraction of weights that is kept.

    Attributes:
        generator: makes the prototype.
        keep: fraction that edge-popup keeps, in (0, 1].
    """

    generator: Generator
    keep: float

    def to_integers(self) -> list[int]:
        """Seven signed 64-bit integers."""
        generator = self.generator
        (scale,) = struct.unpack("<I", struct.pack("<f", generator.scale))
        (keep,) = struct.unpack("<Q", struct.pack("<d", self.keep))
        fields = (
            VERSION,
            _IDS[generator.distribution],
            generator.length,
            generator.seed,
            generator.stream,
            scale,
            keep,
        )
        return list(_SIGNED.unpack(_UNSIGNED.pack(*fields)))

    @classmethod
    def from_integers(cls, integers: Sequence[int], where: str) -> Recipe:
        """The inverse of `to_integers`.

        Raises:
            UnknownLayoutError: these are not seven integers of a recipe of this version.
        """
        if len(integers) != LENGTH:
            raise UnknownLayoutError(f"{where} has {len(integers)} numbers, and a recipe has {LENGTH}")
        version, distribution, length, seed, stream, scale, keep = _UNSIGNED.unpack(_SIGNED.pack(*integers))
        if version != VERSION or distribution not in DISTRIBUTIONS or scale >= 1 << 32:
            raise UnknownLayoutError(f"{where} is a recipe of version {version}: install a newer pemncodec")
        (scale_value,) = struct.unpack("<f", struct.pack("<I", scale))
        (keep_value,) = struct.unpack("<d", struct.pack("<Q", keep))
        if not 0.0 < keep_value <= 1.0:
            raise UnknownLayoutError(f"{where} keeps a fraction of {keep_value}, outside of (0, 1]")
        try:
            return cls(Generator(DISTRIBUTIONS[distribution], length, seed, stream, scale_value), keep_value)
        except NetworkError as reason:
            raise UnknownLayoutError(f"{where}: {reason}") from None
