"""Files of one kind that many cases have, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from writer.coders import SIZES, Bits, D
from writer.ids import RAW
from writer.writer import Block, Drawn, File, Generator, Mask, Values, mask, tensor, tiled

from cases.content import Array, all_ones, choose, tile
from cases.rows import edited, whole
from cases.valid import Expected, Valid, expect, one, same, since


def blobs(*blocks: tuple[D, int, bytes, bytes], minor: int = 0) -> Valid:
    """Return a file of one tensor for each block: dtype, coder, payload, expected elements."""
    file, expected = File(header={"minor": minor}), []
    for i, (dtype, coder, payload, data) in enumerate(blocks):
        shape = (len(data) // SIZES[dtype],)
        file.blocks.append(Block(dtype, coder, payload))
        file.entries.append(tensor(f"t{i}", shape, i))
        expected.append(expect(f"t{i}", dtype, shape, data))
    return one(file, *expected)


def blocked(dtype: D, coder: int, count: int, payload: bytes, minor: int = 0) -> File:
    """Return a file of a tensor in this block."""
    return File(blocks=[Block(dtype, coder, payload)], entries=[tensor("t", (count,))], header={"minor": minor})


def shows(*masks: Mask, minor: int = 0) -> File:
    """Return a file of layers of one prototype element, each of which shows a mask."""
    file = File(masks=[*masks], blocks=[Block(D.INT8, RAW, b"\x05")], prototypes=[Values(1, 0)])
    file.entries = [tiled("w" if minor else f"w{i}", (row.length,), i) for i, row in enumerate(masks)]
    return edited(file, whole(header={"minor": minor}))


def mask_cases(rows: Sequence[tuple[Bits, Mask]], minor: int = 0) -> Valid:
    """Return the case of layers of one prototype element, which show these masks."""
    file = edited(shows(*(coded for _, coded in rows)), whole(header={"minor": minor}))
    layers = [np.where(pattern, 5, 0).astype("<i1") for pattern, _ in rows]
    return same(file, D.INT8, *((f"w{i}", (len(layer),), layer) for i, layer in enumerate(layers)))


def gaps_file(coder: int, *patterns: Bits) -> Valid:
    """Return the case of layers that show these masks, each by the coder."""
    return mask_cases([(pattern, mask(pattern, coder)) for pattern in patterns])


@dataclass
class Builder:
    """A file of tiled layers over blocks of one dtype, and what it holds."""

    dtype: D = D.FLOAT32
    file: File = field(default_factory=File)
    expected: list[Expected] = field(default_factory=list)

    def prototype(self, values: Array) -> int:
        """Add a prototype in a raw block of its own; return its index."""
        self.file.blocks.append(Block(self.dtype, RAW, values.tobytes()))
        self.file.prototypes.append(Values(len(values), len(self.file.blocks) - 1))
        return len(self.file.prototypes) - 1

    def layer(self, shape: Sequence[int], choice: Bits | str, a: Array, b: Array | None = None, **fields: Any) -> None:
        """Add a tiled layer of the fields given that holds a where the choice is one, else b."""
        stored, full = choose(choice, a, b)
        name = f"layer{len(self.expected)}.weight"
        scale = fields.pop("scale", None)
        fields["scale"] = None if scale is None else scale.to_bytes(4, "little")
        self.file.entries.append(tiled(name, shape, len(self.file.masks), **fields))
        self.file.masks.append(mask(stored))
        self.expected.append(expect(name, self.dtype, shape, full))

    def done(self, minor: int = 0) -> Valid:
        """Return the case, when all layers are there."""
        return since(minor, one(self.file, *self.expected))


Made = tuple[Generator | Drawn, Array]  # a prototype that is made, and its elements as bits


def show(*made: Made, minor: int = 0) -> Valid:
    """Return the case of a layer for each prototype that is made; the bits of a mask are all ones."""
    build = Builder()
    for i, (prototype, values) in enumerate(made):
        build.file.prototypes.append(prototype)
        build.layer((len(values),), all_ones(len(values)), values, prototype=i)
    return build.done(minor)


def layered(*rows: Made, minor: int, n: int | None = None, scale: bytes | None = None) -> File:
    """Return a file of a layer for each prototype, as long as that or n elements long, whose mask is all ones."""
    file = File(prototypes=[prototype for prototype, _ in rows], header={"minor": minor})
    for i, (_, made) in enumerate(rows):
        values = made if n is None else tile(made, n)
        ones = int(np.count_nonzero(values))
        file.masks.append(Mask(0, ones, ones))
        file.entries.append(tiled("w" if minor < 3 else f"w{i}", (len(values),), i, i, scale=scale))
    return file


def pattern(n: int) -> Bits:
    """Return a choice of ones and zeros."""
    return np.asarray(np.arange(n) * 5 % 7 < 4)


def seconds(rows: Sequence[Array], n: int, step: int, phase: int, second_phase: int, build: Builder) -> Builder:
    """Add a layer of n elements over each prototype, the one `step` behind as its second one."""
    for i, made in enumerate(rows):
        j = (i + step) % len(rows)
        fields = {"prototype": i, "phase": phase, "zero": 2, "second": j, "second_phase": second_phase}
        build.layer((n,), pattern(n), tile(made, n, phase), tile(rows[j], n, second_phase), **fields)
    return build
