"""Lines about vectors that a seed made: distribution, place, scale, and whose rounding it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...common.dtypes import FLOAT32
from ...container.manifest.pytorch_rows import Drawn
from ...generators.pytorch.generator import PytorchGenerator
from ..sharing.vector import Vector
from .search import PROBE_WINDOW
from .target import Found


@dataclass(frozen=True)
class Origin:
    """A vector by the name of its layer, what was found of it, and its generator if that is smaller than values."""

    name: str
    found: Found | None
    generator: PytorchGenerator | None


def called(name: str, members: int) -> str:
    """The first layer that a vector fills, and how many more."""
    return name if members == 1 else f"{name} and {members - 1} more"


def nothing(vectors: Sequence[Vector]) -> str:
    """The reason why no seed could have made the values."""
    if not vectors:
        return "no masked layer has values that a seed of PyTorch could have made"
    if all(vector.dtype != FLOAT32 for vector in vectors):
        return "no masked layer has float32 values, the only ones whose seed can be found"
    return "no masked layer has so many different float32 values that a seed would be smaller"


def no_seed(tried: int) -> str:
    """A note that no seed was found, and how far the search went."""
    return (
        f"none of the seeds 0 … {tried - 1}, nor a common one, made these weights within its first "
        f"{PROBE_WINDOW:,} draws; --torch-seed searches more of one seed"
    )


def findings(seed: int, rows: Sequence[Origin]) -> list[str]:
    """Return the number of vectors that the seed made, and a line for each of them."""
    made = [(row, row.generator) for row in rows if row.generator is not None]
    if not made:
        return []
    kinds = ", ".join(sorted({one.distribution for _, one in made}))
    patches = sum(_patched(one) for _, one in made)
    line = f"torch.manual_seed({seed}) made {len(made)} of {len(rows)} vectors ({kinds})"
    return [line + (f", {patches:,} elements patched" if patches else ""), *(_line(row, one) for row, one in made)]


def _line(row: Origin, one: PytorchGenerator) -> str:
    line = f"{row.name}: {one.distribution} from draw {one.offset:,} on, "
    if one.distribution == "uniform":
        line += f"{one.low:.9g} … {one.low + one.scale:.9g}"
    else:
        line += f"scale {one.scale:.9g}"
    machine = Drawn(one.distribution, one.dialect).machine if row.found is not None and row.found.sure else ""
    line += f", as on {machine}" if machine else ""
    return line + (f", {_patched(one):,} patched" if _patched(one) else "")


def notes(seed: int, rows: Sequence[Origin], window: int) -> list[str]:
    """Return a line about vectors that the seed did not make, or whose values are smaller."""
    missed = [row.name for row in rows if row.found is None]
    larger = [row.name for row in rows if row.found is not None and row.generator is None]
    said = []
    if missed:
        which = f"{len(missed)} of {len(rows)} vectors: {_listed(missed)}"
        said.append(f"torch.manual_seed({seed}) did not make {which} (in its first {window:,} draws)")
    if larger:
        said.append(f"values are smaller than torch.manual_seed({seed}) with its patches for {_listed(larger)}")
    return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _patched(one: PytorchGenerator) -> int:
    return len(one.patches) + len(one.steps)
