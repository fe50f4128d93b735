"""The vectors for what a delta is made upon: another delta, tasks, itself, and a broken base; and for limits.

Those of one line are in the table beside this module. Sections 4.7, 6.2 and 9 of the specification.
"""

from __future__ import annotations

import hashlib
from functools import cache
from math import prod

import numpy as np
from writer.coders import SIZES, D, bits
from writer.delta import FLIPS, XOR, coded_mask, flips_payload, kept_values, xor_payload
from writer.ids import CONSTANT, RAW
from writer.writer import ALIAS, KEPT, TILED, Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases import tables
from cases.content import HALF, ONE, TWO, choose, keep, tile, u4
from cases.delta_blocks import CODERS, Change, User, Xor, entries, noise, xor, xor_holding, xors
from cases.delta_masks import EVERY, flips_of
from cases.rows import Row
from cases.valid import Valid, again, expect, named, upon, valid


@valid
def delta_other_metadata() -> Valid:
    """Metadata before and behind pemn.base, in the base's as well as in the delta's, which is its own."""
    case = xors("metadata_unicode", Xor(D.UINT8, RAW, [User((2,), 0, b"ab")]))
    case.file.metadata = [("a", "before"), *case.file.metadata, ("pemn.base2", "0"), ("z", "")]
    return case


def upon_itself(base: str) -> Valid:
    """Return a vector of before as a delta upon itself: flips and differences of nothing, by every coder in turn."""
    case = again(base)
    file = case.file
    ones = [int(row.ones) for row in file.masks]
    for i, row in enumerate(file.masks):
        none = coded_mask(np.zeros(int(row.length), np.bool_), *EVERY[i % len(EVERY)])
        file.masks[i] = Mask(FLIPS, row.length, row.ones, flips_payload(i, none))
    for i, block in enumerate(file.blocks):
        users = []
        for number, prototype in enumerate(file.prototypes, 1):
            if isinstance(prototype, Values) and prototype.block == i:
                stored = prototype.length if prototype.presence is None else ones[int(prototype.presence)]
                users.append((number, int(stored)))
        for number, entry in enumerate(file.entries, 1):
            if entry.kind not in (TILED, ALIAS) and entry.block == i:
                stored = ones[int(entry.mask)] if entry.kind == KEPT else prod(map(int, entry.dims))
                users.append((number, stored))
        dtype = D(int(block.dtype))
        nothing = [(number, bytes(SIZES[dtype] * count), bytes(SIZES[dtype] * count)) for number, count in users]
        coder = i % (6 if any(count for _, count in users) else 5)
        file.blocks[i] = Block(dtype, XOR, xor(dtype, coder, nothing, i))
    return upon(base, case)


@valid
def delta_tasks() -> Valid:
    """Tasks of its own; of every task, and of none, users that refer to entries of other tasks, and of none."""
    olds = entries("tasks")
    new = [noise(4 * n, f"tasks {n} {i}") for i, n in enumerate((3, 2, 1, 6, 1))]
    choice, values = bits("011101"), np.frombuffer(noise(16, "tasks kept"), "<u4")
    users: list[Change] = [
        (1, u4(ONE, TWO, HALF), new[0]),
        (4, olds[3], new[1]),
        (6, olds[5], new[2]),
        (3, olds[2], new[3]),
    ]
    users += [(1, kept_values(olds[0], 4, choice), values), (7, olds[6], new[4])]
    return xor_holding(
        "tasks",
        xor(D.FLOAT32, 5, users),
        (tensor("a", (2,), task=1), new[1]),  # the head of one task
        (tiled("w", (4,), 1, 0, 1, task=2), choose("0110", tile(np.frombuffer(new[0], "<u4"), 4, 1))[1]),
        (tensor("a", (), task=3), new[2]),  # the tied of another
        (tensor("all", (6,)), new[3]),  # the layer of one task
        (kept("k", (6,), 0, task=2), keep(choice, values)),  # the layer of the other
        (tensor("b", (1, 1), task=3), new[4]),  # an alias of one task
        (alias("c", 2, task=3), new[2], ()),
        (alias("c", 3, task=1), new[3], (6,)),
        tasks=["x", "de", "y"],
        masks=[flips_of("001101", "011101", 1, 3), mask("0110")],
        prototypes=[Values(3, 0)],
    )


@valid
def delta_tasks_from_none() -> Valid:
    """Tasks upon a file without tasks; each has a block of its own."""
    file, networks = File(), {}
    for coder in CODERS:
        new, reference = noise(36, f"task {coder}"), coder % 4 + 1
        users = [(reference, entries("delta_base_kept")[reference - 1], new)]
        file.tasks.append(str(coder))
        file.blocks.append(Block(D.FLOAT32, XOR, xor(D.FLOAT32, coder, users)))
        file.entries.append(tensor("t", (9,), coder, task=coder + 1))
        networks[str(coder)] = [expect("t", D.FLOAT32, (9,), new)]
    return upon("delta_base_kept", Valid(file, networks))


# Bases that are invalid vectors, and limits.


@cache
def invalid_vectors() -> dict[str, Row]:
    """Return the invalid vectors of before that are bases here."""
    return tables.table("file") | tables.table("manifest") | tables.table("masks") | tables.table("arranged")


def upon_invalid(name: str, row: Row, file: File) -> Row:
    """Return a file as a delta upon an invalid vector, whose error class it gets."""
    named(file, hashlib.sha256(row.bytes()).hexdigest()).header = {"minor": 3}
    reason = f"6.2: the base is the invalid vector {row.name}"
    return Row(f"delta_upon_{name}", row.error, reason, file, row.max_bytes, base=f"{row.name}.pemn")


def upon_broken(name: str, base: str, file: File) -> list[Row]:
    """Return one row, a file as a delta upon the invalid vector of this name."""
    return [upon_invalid(name, invalid_vectors()[base], file)]


def upon_upon(base: str) -> Row:
    """Return a delta upon a delta upon an invalid vector."""
    row = invalid_vectors()[base]
    return upon_invalid(f"upon_{base}", upon_invalid(base, row, one_xor(D.FLOAT32, 3)), one_xor(D.FLOAT32, 3))


def one_xor(dtype: D, count: int) -> File:
    """Return a tensor that refers to entry 0, without differences."""
    file = File(blocks=[Block(dtype, XOR, xor_payload((1,), RAW, bytes(SIZES[dtype] * count)))])
    file.entries = [tensor("t", (count,))]
    return file


def one_flips(length: int, ones: int) -> File:
    """Return a kept layer whose mask is mask 0 of the base."""
    file = File(masks=[Mask(FLIPS, length, ones, flips_payload(0, Mask(CONSTANT, length, 0)))])
    file.blocks, file.entries = [Block(D.UINT8, RAW, bytes(ones))], [kept("k", (length,), 0)]
    return file


def one_prototype(count: int) -> File:
    """Return a prototype that refers to prototype 0, without differences, and a layer of no elements."""
    file = File(blocks=[Block(D.FLOAT32, XOR, xor_payload((1,), RAW, bytes(4 * count)))], prototypes=[Values(count, 0)])
    file.masks, file.entries = [Mask(CONSTANT, 0, 0)], [tiled("w", (0,), 0)]
    return file


def unchanged(base: str, index: int) -> Valid:
    """Return a delta of a tensor that is an entry of the base."""
    old = entries(base)[index]
    return xors(base, Xor(D.FLOAT32, RAW, [User((len(old) // 4,), index + 1, old)]))
