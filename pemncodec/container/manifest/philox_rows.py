"""Rows of generators 1 and 2: Philox, plain and arranged (spec sections 4.5 and 8.1 to 8.7)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from ...common.dtypes import float32_of
from ...errors import ManifestError
from ..cursor import Cursor, varint
from .fields import read_scale
from .generated import GeneratedRow
from .generator_table import GENERATOR_ARRANGED, GENERATOR_PHILOX
from .patches import Patches, read_patches, write_patches

# A minor version may add to these ids; none ever changes its meaning.
DISTRIBUTIONS: dict[int, str] = {1: "sign", 2: "uniform", 3: "normal"}


@dataclass(frozen=True, slots=True)
class PhiloxRow(GeneratedRow):
    """A prototype that Philox makes. `scale_bits`: float32 bit pattern.

    `period` and `zeros` say how it is arranged (section 8.7); `length` and 0 for not at all.
    """

    length: int
    distribution: int
    seed: int
    stream: int
    scale_bits: int
    patches: Patches
    digest: int
    period: int
    zeros: int

    @property
    def generator(self) -> int:
        return GENERATOR_ARRANGED if self.period < self.length or self.zeros else GENERATOR_PHILOX

    def write(self) -> bytes:
        fields = struct.pack("<BQQI", self.distribution, self.seed, self.stream, self.scale_bits)
        if self.generator == GENERATOR_ARRANGED:
            fields += varint(self.period) + varint(self.zeros)
        return fields + write_patches(self.patches, steps=False) + struct.pack("<I", self.digest)

    def described(self) -> dict[str, Any]:
        return {
            "kind": "generator",
            "distribution": DISTRIBUTIONS[self.distribution],
            "seed": self.seed,
            "stream": self.stream,
            "scale": float32_of(self.scale_bits),
            "patches": len(self.patches),
            "period": self.period,
            "zeros": self.zeros,
        }

    def summary(self) -> str:
        text = f"{self.length:,} {DISTRIBUTIONS[self.distribution]} values from seed {self.seed}"
        text += f", stream {self.stream}, scale {float32_of(self.scale_bits):.6g}"
        if self.period < self.length:
            text += f", {self.period:,} of them repeated and permuted"
        if self.zeros:
            text += f", {self.zeros:,} of the {self.period:,} zero"
        return text + (f", {len(self.patches)} patched" if self.patches else "")


def read(cursor: Cursor, generator: int, length: int, what: str) -> PhiloxRow:
    """Return the row whose distribution is next.

    Raises:
        ManifestError: a field is not allowed.
    """
    distribution = cursor.fixed(1, f"distribution of {what}")
    if distribution not in DISTRIBUTIONS:
        raise ManifestError(f"{what} has the unknown distribution {distribution}")
    seed = cursor.fixed(8, f"seed of {what}")
    stream = cursor.fixed(8, f"stream of {what}")
    scale_bits = read_scale(cursor, what)
    period, zeros = length, 0
    if generator == GENERATOR_ARRANGED:
        period, zeros = cursor.varint(f"period of {what}"), cursor.varint(f"zeros of {what}")
        if not 1 <= period <= length:
            raise ManifestError(f"{what} has a period of {period} in {length} elements")
        if zeros >= period or (period == length and zeros == 0):
            raise ManifestError(f"{what} has {zeros} zeros in a period of {period}, and {length} elements")
    patches = read_patches(cursor, period, steps=False, what=what)
    digest = cursor.fixed(4, f"digest of {what}")
    return PhiloxRow(length, distribution, seed, stream, scale_bits, patches, digest, period, zeros)
