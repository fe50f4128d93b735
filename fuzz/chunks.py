"""Targets of chunks: masks of coder 9 and blocks of coder 7, decoded whole and in parts."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from writer.chunks import chunked, chunked_block
from writer.coders import D
from writer.writer import Values, kept, tensor, tiled

from pemncodec.errors import BaseFileError, FormatError
from pemncodec.loading.file import PemnFile

from . import files
from .decoders import compare, limit_of
from .harness import ACCEPTED, Wrong
from .made import target
from .values import bits

_LENGTHS = (9, 15, 16, 17, 31, 33, 64, 65, 100, 200, 600)


def mask_file(rng: Random) -> bytes:
    """A layer of one constant prototype, or a kept layer, under a mask in chunks."""
    made = files.Builder(rng)
    values = files.bits_of(rng, rng.choice(_LENGTHS))
    ways = [(1,), (2,), (3,), (4,), (5, rng.randrange(1, 256), 1), (6, 1, 90, 1), (7, 0, 140, 1)]
    coded = chunked(values, rng.randrange(3, 6), rng.sample(ways, rng.randrange(1, 4)))
    made.file.masks.append(coded)
    if rng.randrange(2):
        made.of_prototypes.append((D.UINT8, b"\7"))
        made.file.prototypes.append(Values(1, 0))
        made.file.entries.append(tiled("w", [len(values)], 0))
    else:
        made.of_entries.append((D.UINT8, files.elements(rng, D.UINT8, int(values.sum()))))
        made.file.entries.append(kept("w", [len(values)], 0))
    return made.build().build()


def block_file(rng: Random) -> bytes:
    """Tensors of one dtype in one block in chunks."""
    made = files.Builder(rng)
    kind = rng.choice(list(D))
    counts = [rng.choice(_LENGTHS) for _ in range(rng.choice([1, 1, 2, 3]))]
    ways = [(0,), (1,), (2, rng.randrange(6)), (3, rng.randrange(6)), (4, rng.randrange(6)), (5, rng.randrange(40))]
    data = files.elements(rng, kind, sum(counts))
    made.file.blocks = [chunked_block(kind, data, rng.randrange(3, 6), rng.sample(ways, rng.randrange(1, 4)))]
    made.file.entries = [tensor(f"t{number}", [count]) for number, count in enumerate(counts)]
    return made.file.build()


def compare_parts(data: bytes) -> str:
    """As `compare`; and the parts of what decodes are those of the whole."""
    found = compare(data)
    if found != ACCEPTED:
        _read(data, Random(len(data)))  # errors of its own are right, others are not
        return found
    try:
        if not _read(data, Random(len(data))):
            raise Wrong("parts-values", "a part is not that of the whole")
    except (FormatError, BaseFileError) as reason:
        raise Wrong("parts-refused", f"a part of a valid file: {reason!a:.200}") from None
    return found


def _read(data: bytes, rng: Random) -> bool:
    """Read tensors in parts, and return whether they are those of the whole; errors where that is accepted only."""
    try:
        with PemnFile(data, max_bytes=limit_of(data)) as file:
            wholes = {name: file.get_tensor(name) for name in file} if not file.tasks else {}
    except FormatError:
        wholes = None
    try:
        with PemnFile(data, max_bytes=limit_of(data)) as file:
            for name in () if file.tasks else file:
                cut = file.get_slice(name)
                count = cut.get_shape()[0] if cut.get_shape() else 0
                for _ in range(4):
                    start, stop = sorted(rng.randrange(count + 1) for _ in range(2))
                    part = cut[start:stop]
                    if wholes is not None and bits(part) != bits(wholes[name][start:stop]):
                        return False
    except FormatError:
        if wholes is not None:
            raise
    return True


TARGETS = [
    replace(target("mask-chunks", mask_file, "mask coder 9, and parts of its layers"), check=compare_parts),
    replace(target("block-chunks", block_file, "block coder 7, and parts of its tensors"), check=compare_parts),
]
