"""Prototypes that a seed makes, in the manifest: ids of spec section 4.5, and the rows."""

from __future__ import annotations

from dataclasses import dataclass

from .patches import Patches

# A minor version may add to these ids; none ever changes its meaning.
GENERATOR_PHILOX, GENERATOR_ARRANGED, GENERATOR_PYTORCH, GENERATOR_DIALECTS = 1, 2, 3, 4
GENERATOR_MINOR = {GENERATOR_PHILOX: 0, GENERATOR_ARRANGED: 1, GENERATOR_PYTORCH: 4, GENERATOR_DIALECTS: 5}
DISTRIBUTIONS: dict[int, str] = {1: "sign", 2: "uniform", 3: "normal"}
# Elements of a normal are made so many at a time, and there are no fewer.
PYTORCH_BLOCK = 16
MAX_DRAWS = 1 << 40


@dataclass(frozen=True, slots=True)
class GeneratorRow:
    """A prototype that is made from a seed (spec section 8). `scale_bits`: float32 bit pattern.

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
        """The generator's id."""
        return GENERATOR_ARRANGED if self.period < self.length or self.zeros else GENERATOR_PHILOX


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


# By generator, by id.
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
class PytorchRow:
    """A prototype that PyTorch's CPU generator made (spec sections 8.8 and 8.9).

    `low_bits`: 0 but for a uniform. `patches`: bits of generator 3, of generator 4 differences modulo 2^32.
    """

    generator: int
    length: int
    distribution: int
    seed: int
    offset: int
    scale_bits: int
    low_bits: int
    patches: Patches
    digest: int

    @property
    def kind(self) -> Drawn:
        """The distribution and its dialect."""
        return PYTORCH_DISTRIBUTIONS[self.generator][self.distribution]

    @property
    def draws(self) -> int:
        """The number of draws of its seed that are made for it, from the beginning."""
        return self.offset + self.length + PYTORCH_BLOCK


GeneratedRow = GeneratorRow | PytorchRow
