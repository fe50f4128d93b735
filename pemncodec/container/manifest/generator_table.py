"""The generators: a row each (spec sections 4.5 and 8).

A generator is a module of its rows in this folder, which reads and writes them without numpy, a module in `generators`
that makes the values, and a row here; nothing else names it. A minor version of the format may add rows, and none ever
changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratorKind:
    """A way to make a prototype from a seed.

    Attributes:
        since: minor version of the format that it came with (spec section 3).
        rows: module with `read(cursor, generator, length, what)`, which returns a `GeneratedRow`.
        values: module with `of_row(row)`, which returns a `BaseGenerator`.
    """

    since: int
    rows: str
    values: str


_PHILOX = "pemncodec.container.manifest.philox_rows", "pemncodec.generators.philox.generator"
_PYTORCH = "pemncodec.container.manifest.pytorch_rows", "pemncodec.generators.pytorch.generator"
GENERATOR_PHILOX, GENERATOR_ARRANGED, GENERATOR_PYTORCH, GENERATOR_DIALECTS = 1, 2, 3, 4
GENERATORS: dict[int, GeneratorKind] = {
    GENERATOR_PHILOX: GeneratorKind(0, *_PHILOX),
    GENERATOR_ARRANGED: GeneratorKind(1, *_PHILOX),
    GENERATOR_PYTORCH: GeneratorKind(4, *_PYTORCH),
    GENERATOR_DIALECTS: GeneratorKind(5, *_PYTORCH),
}
