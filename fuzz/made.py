"""Targets of files made from scratch: each coder of masks and of blocks, generators, layers, and whole networks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import decoder as second
import numpy as np
from writer.coders import D
from writer.writer import Values, tensor, tiled

from . import containers, fields, files, generators
from .decoders import compare
from .harness import Target

MASK_CODERS = ("constant", "raw", "zstd", "gaps-of-ones", "gaps-of-zeros", "rans-bytes", "rans-ones", "rans-zeros")
BLOCK_CODERS = ("raw", "zstd", "planes", "palette", "rotated-planes", "grouped-planes")


def mask_file(rng: Random, coder: int) -> bytes:
    """Layers of one constant prototype under masks of one coder."""
    made = files.Builder(rng)
    made.of_prototypes.append((D.UINT8, b"\7"))
    made.file.prototypes.append(Values(1, 0))
    for number in range(rng.choice([1, 1, 2])):
        values = files.bits_of(rng, files.length_of(rng))
        if coder == 0:
            values = np.full(len(values), rng.randrange(2), dtype=np.bool_)
        made.file.masks.append(files.mask_of(rng, values, coder))
        made.file.entries.append(tiled(f"w{number}", [len(values)], number))
    return made.build().build()


def block_file(rng: Random, coder: int) -> bytes:
    """Tensors of one dtype in one block of one coder."""
    made = files.Builder(rng)
    kind = rng.choice(list(D))
    counts = [files.length_of(rng, 300) for _ in range(rng.choice([1, 1, 2, 3]))]
    data = files.elements(rng, kind, sum(counts))
    made.file.blocks = [files.block_of(rng, kind, data, coder)]
    made.file.entries = [tensor(f"t{number}", [count]) for number, count in enumerate(counts)]
    return made.file.build()


def prototype_file(rng: Random) -> bytes:
    """Prototypes of generators, each shown by a layer under ones, or in part."""
    made = files.Builder(rng)
    file = made.file
    for number in range(rng.choice([1, 1, 2, 3])):
        length = rng.choice([1, 2, 3, 15, 16, 17, 31, 32, 33, 200, rng.randrange(1, 700)])
        row = generators.generator_of(rng, length)
        file.prototypes.append(row)
        made.kinds.append(D.FLOAT32)
        made.values.append(b"")
        assert isinstance(row.length, int)
        length = row.length
        entry = tiled(f"p{number}", [length], 0, number)
        entry.mask = made.add_mask(np.ones(files.active(made, entry, length), np.bool_), 0)
        file.entries.append(entry)
    return made.build().build()


def network_file(rng: Random) -> bytes:
    """Anything."""
    return files.network(rng).build()


def target(name: str, build: Callable[[Random], bytes], about: str, plain: int = 4) -> Target:
    """Of a file that `build` makes; one in `plain` stays as it is."""

    def make(rng: Random) -> bytes:
        data = build(rng)
        if rng.randrange(plain) == 0:
            return data
        parts = fields.split(data)
        if parts.sections and rng.randrange(2):
            at = rng.randrange(len(parts.sections))
            parts.sections[at] = fields.section(parts.sections[at], rng)
            if rng.randrange(12):
                parts.fit(at)
            return parts.build()
        return fields.mutate(parts, rng)

    return Target(name, ".pemn", make, containers.mutate, compare, about)


def _of_coder(build: Callable[[Random, int], bytes], coder: int) -> Callable[[Random], bytes]:
    return lambda rng: build(rng, coder)


TARGETS = [
    *(
        target(f"mask-{name}", _of_coder(mask_file, coder), f"mask coder {coder}")
        for coder, name in enumerate(MASK_CODERS)
    ),
    *(
        target(f"block-{name}", _of_coder(block_file, coder), f"block coder {coder}")
        for coder, name in enumerate(BLOCK_CODERS)
    ),
    target("prototypes", prototype_file, "generators 1 to 4: distributions, periods, zeros, patches, scales", 2),
    target("networks", network_file, "tensors, kept and tiled layers, aliases, tasks"),
]
assert len(MASK_CODERS) == second.FLIPS
assert len(BLOCK_CODERS) == second.XOR
