"""What to say of vectors that a seed made: distribution, place, scale, and whose rounding it is."""

from __future__ import annotations

from collections.abc import Sequence

from ...container.generators import Drawn
from ..pytorch import PytorchGenerator


def called(name: str, members: int) -> str:
    """The first layer that a vector fills, and how many more."""
    return name if members == 1 else f"{name} and {members - 1} more"


def findings(seed: int, names: Sequence[str], generators: Sequence[PytorchGenerator | None]) -> list[str]:
    """How many vectors the seed made, and a line for each of them."""
    made = [(name, one) for name, one in zip(names, generators, strict=True) if one is not None]
    if not made:
        return []
    kinds = ", ".join(sorted({one.distribution for _, one in made}))
    patches = sum(_patched(one) for _, one in made)
    line = f"torch.manual_seed({seed}) made {len(made)} of {len(generators)} vectors ({kinds})"
    return [line + (f", {patches:,} elements patched" if patches else ""), *(_line(name, one) for name, one in made)]


def _line(name: str, one: PytorchGenerator) -> str:
    line = f"{name}: {one.distribution} from draw {one.offset:,} on, "
    if one.distribution == "uniform":
        line += f"{one.low:.9g} … {one.low + one.scale:.9g}"
    else:
        line += f"scale {one.scale:.9g}"
    machine = Drawn(one.distribution, one.dialect).machine
    line += f", as on {machine}" if machine else ""
    return line + (f", {_patched(one):,} patched" if _patched(one) else "")


def notes(
    seed: int, names: Sequence[str], generators: Sequence[PytorchGenerator | None], found: Sequence[bool]
) -> list[str]:
    """Which vectors the seed did not make, or not so that it would be smaller."""
    rows = list(zip(names, generators, found, strict=True))
    missed = [name for name, _, there in rows if not there]
    larger = [name for name, one, there in rows if there and one is None]
    said = []
    if missed:
        said.append(f"torch.manual_seed({seed}) did not make {len(missed)} of {len(rows)} vectors: {_listed(missed)}")
    if larger:
        said.append(f"values are smaller than torch.manual_seed({seed}) with its patches for {_listed(larger)}")
    return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _patched(one: PytorchGenerator) -> int:
    return len(one.patches) + len(one.steps)
