"""The vectors for bool tensors that are stored as masks: entries of kind 4, section 4.6 of the specification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from writer.coders import Bits, D, bits, pack
from writer.delta import FLIPS, XOR, coded_mask, differ, flips, xor_payload
from writer.ids import CONSTANT, RAW, RAW_MASK
from writer.writer import PAGE, Block, File, Mask, Values, alias, bools, kept, mask, tensor, tiled

from cases.content import u4
from cases.delta_masks import EVERY
from cases.rans import some_bits
from cases.valid import Expected, Valid, demand, expect, one, since, upon, valid

OLD, NEW = bits("110100101"), bits("110101100")
OTHER = np.array([True, False] * 20)


def content(pattern: Bits | str) -> bytes:
    """Return the elements of a bool tensor."""
    return bits(pattern).astype(np.uint8).tobytes()


def flagged(name: str, shape: Sequence[int], pattern: Bits | str) -> Expected:
    """Return the bool tensor that a decoder makes of a mask."""
    return expect(name, D.BOOL, shape, content(pattern))


def of_masks(*rows: tuple[Sequence[int], Mask, Bits | str]) -> Valid:
    """Return the case of bool tensors and nothing else: shape, mask, and the bits that it holds."""
    file = File(masks=[coded for _, coded, _ in rows])
    file.entries = [bools(f"b{i}", shape, i) for i, (shape, _, _) in enumerate(rows)]
    return since(6, one(file, *(flagged(f"b{i}", shape, row) for i, (shape, _, row) in enumerate(rows))))


def nine(*masks: Mask) -> File:
    """Return a file of a bool tensor of nine elements."""
    return since(6, one(File(masks=[*(masks or [mask(OLD)])], entries=[bools("b", (3, 3), 0)]))).file


def by_each(density: int) -> list[tuple[Sequence[int], Mask, Bits]]:
    """Return rows of `of_masks`, the same bits by every coder that can say them."""
    pattern = some_bits(331, density)
    coders = [how for how in EVERY if how[0] != CONSTANT]
    return [((331,), coded_mask(pattern, *how), pattern) for how in coders]


@valid
def bools_among_others() -> Valid:
    """Bool tensors in a mask and in a block, a layer and a presence of the same mask, aliases; references in order."""
    file = File(masks=[mask("1011"), mask("0110"), Mask(CONSTANT, 4, 4), mask("110")])
    file.blocks = [Block(D.FLOAT32, RAW, u4(1, 2, 3, 4, 5).tobytes()), Block(D.BOOL, RAW, b"\1\0")]
    file.prototypes = [Values(4, 0, presence=0)]
    rows = [
        (bools("first", (2, 2), 2), flagged("first", (2, 2), "1111")),
        (tiled("tiled", (4,), 3), expect("tiled", D.FLOAT32, (4,), u4(1, 0, 2, 0))),
        (bools("presence", (4,), 0), flagged("presence", (4,), "1011")),
        (tensor("plain", (2,), 1), flagged("plain", (2,), "10")),
        (alias("tied", 0), flagged("tied", (2, 2), "1111")),
        (kept("kept", (4,), 1), expect("kept", D.FLOAT32, (4,), u4(0, 4, 5, 0))),
        (bools("of the kept layer", (4, 1), 1), flagged("of the kept layer", (4, 1), "0110")),
        (bools("of the tiled layer", (1, 3), 3), flagged("of the tiled layer", (1, 3), "110")),
    ]
    file.entries = [entry for entry, _ in rows]
    # In the order of the references: the presence, the kept layer, the tiled layer, and the first bool tensor.
    order = {0: 0, 1: 1, 3: 2, 2: 3}
    file.masks = [file.masks[index] for index in order]
    for entry in file.entries:
        entry.mask = order[entry.mask] if isinstance(entry.mask, int) else entry.mask
    return since(6, one(file, *(expected for _, expected in rows)))


@valid
def bools_of_tasks() -> Valid:
    """Bool tensors of two tasks and of both, of the same names and of one mask."""
    file = File(tasks=["a", "b"], masks=[mask("101"), mask("01")])
    file.entries = [bools("x", (3,), 0, 1), bools("x", (2,), 1, 2), bools("y", (3, 1), 0), alias("z", 1, 2)]
    both = flagged("y", (3, 1), "101")
    networks = {
        "a": [flagged("x", (3,), "101"), both],
        "b": [flagged("x", (2,), "01"), both, flagged("z", (2,), "01")],
    }
    return since(6, Valid(file, networks))


@valid
def bools_base() -> Valid:
    """A base: a bool tensor in a mask, one in a block, and an alias of the first."""
    file = File(masks=[mask(OLD)], blocks=[Block(D.BOOL, RAW, content(OTHER))])
    file.entries = [bools("x", (9,), 0), tensor("y", (40,)), alias("z", 0)]
    return since(6, one(file, flagged("x", (9,), OLD), flagged("y", (40,), OTHER), flagged("z", (9,), OLD)))


@valid
def bools_flips() -> Valid:
    """A bool tensor whose mask is flips of that of the base."""
    file = File(masks=[flips(OLD, NEW, 0, *EVERY[1])], entries=[bools("x", (3, 3), 0)])
    return since(6, upon("bools_base", one(file, flagged("x", (3, 3), NEW))))


@valid
def bools_xor() -> Valid:
    """Bool tensors of a block by coder 6: differences from one in a mask, and from an alias of it."""
    first, second = differ(content(NEW), content(OLD)), bytes(9)
    block = Block(D.BOOL, XOR, xor_payload((1, 3), RAW, first + second))
    file = File(blocks=[block], entries=[tensor("x", (9,)), tensor("z", (3, 3))])
    return since(6, upon("bools_base", one(file, flagged("x", (9,), NEW), flagged("z", (3, 3), OLD))))


@valid
def bools_long() -> Valid:
    """A bool tensor of more than a page of bits."""
    pattern = some_bits(530_001, 128)
    demand(len(pack(pattern)) > PAGE, "one page is enough")
    return of_masks(((530_001,), coded_mask(pattern, RAW_MASK), pattern))


def flip_of(index: int) -> Valid:
    """Return a delta of a bool tensor whose mask is flips of this mask of the base."""
    file = File(masks=[flips(OLD, NEW, index, *EVERY[1])], entries=[bools("x", (9,), 0)])
    demand(file.masks[0].coder == FLIPS, "not by flips")
    return since(6, upon("bools_base", one(file)))


def xor_of(reference: int, differences: bytes) -> Valid:
    """Return a delta of a bool tensor of a block that refers to this."""
    block = Block(D.BOOL, XOR, xor_payload((reference,), RAW, differences))
    file = File(blocks=[block], entries=[tensor("x", (len(differences),))])
    return since(6, upon("bools_base", one(file)))
