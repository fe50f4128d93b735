"""Files of one kind that many cases have, and what they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from writer.coders import SIZES, Bits, D
from writer.ids import RAW
from writer.writer import Block, Drawn, File, Generator, Mask, Values, mask, tensor, tiled

from cases.content import Array, all_ones, choose, negated, tile, times
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


def holding(dtype: D, data: bytes | Array, *rows: tuple[Any, ...], tasks: Sequence[str] = (), **tables: Any) -> Valid:
    """Return a file of one raw block, and of entries with what they hold and, if that is an alias, its shape."""
    block = Block(dtype, RAW, data if isinstance(data, bytes) else data.tobytes())
    file = File(tasks=[*tasks], blocks=[block], entries=[entry for entry, *_ in rows], **tables)
    networks: dict[str, list[Expected]] = {}
    for number, task in enumerate(tasks, 1) if tasks else [(0, "")]:
        own = [row for row in rows if row[0].task in (0, number)]
        networks[task] = [expect(row[0].name, dtype, row[2] if len(row) > 2 else row[0].dims, row[1]) for row in own]
    return Valid(file, networks)


def blocked(dtype: D, coder: int, count: int, payload: bytes, minor: int = 0) -> File:
    """Return a file of a tensor in this block."""
    return File(blocks=[Block(dtype, coder, payload)], entries=[tensor("t", (count,))], header={"minor": minor})


def shows(*masks: Mask, minor: int = 0, name: str = "w") -> File:
    """Return a file of layers of one prototype element, each of which shows a mask."""
    rows = [tiled(name.format(i), (row.length,), i) for i, row in enumerate(masks)]
    file = File(masks=[*masks], blocks=[Block(D.INT8, RAW, b"\x05")], prototypes=[Values(1, 0)], entries=rows)
    file.header = {"minor": minor}
    return file


def mask_cases(rows: Sequence[tuple[Bits, Mask]], minor: int = 0) -> Valid:
    """Return the case of layers of one prototype element, which show these masks."""
    file = shows(*(coded for _, coded in rows), minor=minor, name="w{}")
    layers = [np.where(pattern, 5, 0).astype("<i1") for pattern, _ in rows]
    return same(file, D.INT8, *((f"w{i}", (len(layer),), layer) for i, layer in enumerate(layers)))


def gaps_file(coder: int, *patterns: Bits) -> Valid:
    """Return the case of layers that show these masks, each by the coder."""
    return mask_cases([(pattern, mask(pattern, coder)) for pattern in patterns])


Made = tuple[Generator | Drawn, Array]  # a prototype that is made, and its elements as bits


@dataclass
class Builder:
    """A file of tiled layers over prototypes, those of values of one dtype, and what it holds."""

    dtype: D = D.FLOAT32
    file: File = field(default_factory=File)
    expected: list[Expected] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)  # of the prototypes

    def prototype(self, added: Array | Made) -> int:
        """Add a prototype that is made, or one in a raw block of its own; return its index."""
        prototype, values = added if isinstance(added, tuple) else (Values(len(added), len(self.file.blocks)), added)
        if isinstance(prototype, Values):
            self.file.blocks.append(Block(self.dtype, RAW, values.tobytes()))
        self.file.prototypes.append(prototype)
        self.values.append(values)
        return len(self.file.prototypes) - 1

    def made(self, n: int, fields: dict[str, int]) -> tuple[Array, Array | None]:
        """Return what a layer of these fields holds at a one and, unless that is +0.0, at a zero (section 7)."""
        get, zero = fields.get, fields.get("zero", 0)
        a = tile(self.values[get("prototype", 0)], n, get("phase", 0))
        b = tile(self.values[get("second", 0)], n, get("second_phase", 0)) if zero == 2 else None
        if fields.get("scale") is not None:
            a, b = times(a, fields["scale"]), None if b is None else times(b, fields["scale"])
        return a, negated(a) if zero == 1 else b

    def layer(
        self, shape: Sequence[int], choice: Bits | str, a: Array | None = None, b: Array | None = None, **fields: Any
    ) -> None:
        """Add a tiled layer of the fields given that holds a, if it is given, where the choice is one, else b."""
        if a is None:
            a, b = self.made(math.prod(shape), fields)
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


def layer(shape: Sequence[int], choice: Bits | str, **fields: Any) -> dict[str, Any]:
    """Return what `Builder.layer` takes."""
    return {"shape": shape, "choice": choice, **fields}


def over(prototypes: Sequence[Array | Made], *layers: dict[str, Any], dtype: D = D.FLOAT32, minor: int = 0) -> Valid:
    """Return the case of layers over prototypes."""
    build = Builder(dtype)
    for prototype in prototypes:
        build.prototype(prototype)
    for fields in layers:
        build.layer(**fields)
    return build.done(minor)


def show(*made: Made, minor: int = 0) -> Valid:
    """Return the case of a layer for each prototype that is made; the bits of a mask are all ones."""
    layers = (layer((len(row),), all_ones(len(row)), prototype=i) for i, (_, row) in enumerate(made))
    return over(made, *layers, minor=minor)


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
