"""Files of several tasks of which one is decoded: what only the others use is not, and no base that only they need.

Sections 4.2, 5.4 and 6.2 of the specification.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from writer.coders import D
from writer.delta import XOR
from writer.ids import RAW
from writer.writer import Block, File, tensor

from cases.content import HALF, ONE, TWO, u4
from cases.delta_blocks import Change, entries, noise, xor, xor_holding
from cases.rows import put
from cases.valid import Valid, again, named, same, valid


@valid
def delta_base_apart() -> Valid:
    """A base: two tensors in a block each."""
    blocks = [Block(D.FLOAT32, RAW, u4(ONE, TWO).tobytes()), Block(D.FLOAT32, RAW, u4(HALF).tobytes())]
    file = File(blocks=blocks, entries=[tensor("a", (2,), 0), tensor("b", (1,), 1)])
    return same(file, D.FLOAT32, ("a", (2,), u4(ONE, TWO)), ("b", (1,), u4(HALF)))


@valid
def delta_tasks_of_one_block() -> Valid:
    """Two tasks whose tensors are in one block; each refers to another tensor of the base."""
    old, new = entries("delta_base_apart"), [noise(8, "apart x"), noise(4, "apart y")]
    users: list[Change] = [(1, old[0], new[0]), (2, old[1], new[1])]
    rows = (tensor("t", (2,), task=1), new[0]), (tensor("t", (1,), task=2), new[1])
    return xor_holding("delta_base_apart", xor(D.FLOAT32, 2, users), *rows, tasks=["x", "y"])


@valid
def delta_tasks_without_base() -> Valid:
    """Three tasks, of which one has no entries and one has a block without differences: they need no base."""
    made = delta_tasks_of_one_block()
    file, own = made.file, again("delta_base_apart").networks[""][1]
    file.tasks.append("none")
    file.blocks[0] = Block(D.FLOAT32, XOR, xor(D.FLOAT32, 0, [(0, b"", made.networks["x"][0].data)]))
    file.blocks.append(Block(D.FLOAT32, RAW, own.data))
    file.entries[1] = tensor("t", (1,), 1, task=2)
    networks = {**made.networks, "y": [replace(own, name="t")], "none": []}
    return replace(made, networks=networks, without_base=("y", "none"))


def upon_half(base: File) -> File:
    """Return `delta_tasks_of_one_block` upon another base."""
    file = replace(again("delta_tasks_of_one_block").file, metadata=[])
    return named(file, hashlib.sha256(base.build()).hexdigest())


def half_broken() -> File:
    """Return `delta_base_apart` with a byte too many in the block of its first tensor."""
    file = again("delta_base_apart").file
    put("blocks", 0, payload=bytes(9))(file)
    return file
