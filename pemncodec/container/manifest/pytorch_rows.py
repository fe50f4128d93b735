"""Rows of generators 3 and 4: PyTorch's CPU generator (spec sections 4.5, 8.8 and 8.9)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from ...common.dtypes import float32_of
from ...errors import ManifestError
from ..cursor import Cursor, varint
from .fields import read_scale
from .generated import GeneratedRow
from .generator_table import GENERATOR_DIALECTS, GENERATOR_PYTORCH
from .patches import Patches, read_patches, write_patches

# Elements of a normal are made so many at a time, and there are no fewer.
PYTORCH_BLOCK = 16
MAX_DRAWS = 1 << 40

# How a machine rounds what it draws (spec sections 8.8 and 8.9), and where PyTorch does.
FUSED, SEPARATE, LIBRARY = "fused", "separate", "library"
_MACHINES = {
    ("normal", FUSED): "Linux, x86 with AVX2",
    ("normal", SEPARATE): "Windows, x86 with AVX2, or PyTorch before 1.2",
    ("normal", LIBRARY): "Linux, Arm or x86 without AVX2",
    ("uniform", FUSED): "Linux, x86 with AVX2 or Arm",
    ("uniform", SEPARATE): "Windows, x86 without AVX2, or PyTorch before 1.6",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A distribution of PyTorch's CPU generator, and the dialect that it is in (spec sections 8.8 and 8.9)."""

    distribution: str
    dialect: str = FUSED

    @property
    def machine(self) -> str:
        """The machines on which PyTorch draws so; empty for signs, which are the same everywhere."""
        return _MACHINES.get((self.distribution, self.dialect), "")

    @property
    def has_low(self) -> bool:
        """Return whether the elements begin at a number that is stored."""
        return self.distribution == "uniform"

    @property
    def blocked(self) -> bool:
        """Return whether elements are made sixteen at a time."""
        return self.distribution in ("normal", "signs of normal")


# By generator, by id. A minor version may add to these ids; none ever changes its meaning.
PYTORCH_DISTRIBUTIONS: dict[int, dict[int, Drawn]] = {
    GENERATOR_PYTORCH: {
        1: Drawn("uniform"),
        2: Drawn("normal"),
        3: Drawn("signs of uniform"),
        4: Drawn("signs of normal"),
    },
    GENERATOR_DIALECTS: {
        1: Drawn("uniform"),
        2: Drawn("uniform", SEPARATE),
        3: Drawn("normal"),
        4: Drawn("normal", LIBRARY),
        5: Drawn("normal", SEPARATE),
    },
}


@dataclass(frozen=True, slots=True)
class PytorchRow(GeneratedRow):
    """A prototype that PyTorch's CPU generator made. `id`: that of the generator.

    `low_bits`: 0 but for a uniform. `patches`: bits of generator 3, of generator 4 differences modulo 2^32.
    """

    id: int
    length: int
    distribution: int
    seed: int
    offset: int
    scale_bits: int
    low_bits: int
    patches: Patches
    digest: int

    @property
    def generator(self) -> int:
        return self.id

    @property
    def kind(self) -> Drawn:
        """The distribution and its dialect."""
        return PYTORCH_DISTRIBUTIONS[self.id][self.distribution]

    @property
    def draws(self) -> int:
        return self.offset + self.length + PYTORCH_BLOCK

    @property
    def torch_seed(self) -> int:
        return self.seed

    def write(self) -> bytes:
        fields = struct.pack("<BI", self.distribution, self.seed) + varint(self.offset)
        fields += struct.pack("<I", self.scale_bits)
        fields += struct.pack("<I", self.low_bits) if self.kind.has_low else b""
        patches = write_patches(self.patches, steps=self.id == GENERATOR_DIALECTS)
        return fields + patches + struct.pack("<I", self.digest)

    def described(self) -> dict[str, Any]:
        return {
            "kind": "pytorch",
            "distribution": self.kind.distribution,
            "dialect": self.kind.dialect,
            "machine": self.kind.machine,
            "seed": self.seed,
            "offset": self.offset,
            "scale": float32_of(self.scale_bits),
            "low": float32_of(self.low_bits),
            "patches": len(self.patches),
        }

    def summary(self) -> str:
        kind, low, scale = self.kind, float32_of(self.low_bits), float32_of(self.scale_bits)
        text = f"{self.length:,} values, {kind.distribution}, of torch.manual_seed({self.seed})"
        text += f" from draw {self.offset:,} on, "
        text += f"{low:g} … {low + scale:g}" if kind.has_low else f"scale {scale:g}"
        text += f", as on {kind.machine}" if kind.machine else ""
        return text + (f", {len(self.patches):,} patched" if self.patches else "")


def read(cursor: Cursor, generator: int, length: int, what: str) -> PytorchRow:
    """Return the row whose distribution is next.

    Raises:
        ManifestError: a field is not allowed.
    """
    distribution = cursor.fixed(1, f"distribution of {what}")
    if distribution not in PYTORCH_DISTRIBUTIONS[generator]:
        raise ManifestError(f"{what} has the unknown distribution {distribution}")
    kind = PYTORCH_DISTRIBUTIONS[generator][distribution]
    if kind.blocked and length < PYTORCH_BLOCK:
        raise ManifestError(f"{what} has {length} normal elements, and they are made {PYTORCH_BLOCK} at a time")
    seed = cursor.fixed(4, f"seed of {what}")
    offset = cursor.varint(f"offset of {what}")
    scale_bits = read_scale(cursor, what)
    low_bits = cursor.fixed(4, f"low of {what}") if kind.has_low else 0
    if low_bits & 0x7F800000 == 0x7F800000:
        raise ManifestError(f"{what} does not begin at a finite number")
    patches = read_patches(cursor, length, steps=generator == GENERATOR_DIALECTS, what=what)
    digest = cursor.fixed(4, f"digest of {what}")
    row = PytorchRow(generator, length, distribution, seed, offset, scale_bits, low_bits, patches, digest)
    if row.draws > MAX_DRAWS:
        raise ManifestError(f"{what} needs {row.draws} draws, but at most 2^40 are allowed")
    return row
