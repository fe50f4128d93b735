"""The valid vectors for block coder 6, xor, of prototypes: section 6.2 of the specification, with 4.5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from writer.coders import D, bits
from writer.delta import XOR, coded_block, coded_mask, differ, flips, kept_values, xor_payload
from writer.ids import CONSTANT, PLANES, RAW, ZSTD
from writer.numbers import NORMAL, UNIFORM
from writer.writer import Block, File, Mask, Values, kept, mask, tensor, tiled

from cases.arranged import arranged
from cases.content import HALF, MINUS, ONE, Array, keep, tile, times, u4
from cases.delta_blocks import noise
from cases.delta_masks import EVERY
from cases.files import Builder
from cases.generators import generated
from cases.valid import Valid, expect, one, upon, valid

PRESENCE = "110101011"
FULL = u4(ONE, 0, MINUS, 0x7FC12345, 5, HALF, 0, 0xFF800000, 9)
PARTIAL = keep(PRESENCE, u4(ONE, 0, 0x7F800001, MINUS, HALF, 3))
GENERATED = generated(NORMAL, 60, 1, HALF, 9, {2: 0x7FC12345, 8: 0})
ARRANGED = arranged(UNIFORM, 61, 2, ONE, 9, 5, 2, {1: MINUS})
SMALL = np.array([1, 0x8000, 0, 0x7FFF], dtype="<u2")
# What the prototypes of the base hold.
HELD = (FULL, PARTIAL, GENERATED[1], ARRANGED[1], SMALL)


@valid
def delta_base_prototypes() -> Valid:
    """A base: prototypes of nine float32, whole, partial, and made by either generator; one of four int16."""
    build = Builder()
    build.file.masks.append(mask(PRESENCE))
    stored = kept_values(PARTIAL.tobytes(), 4, bits(PRESENCE))
    build.file.blocks = [Block(D.FLOAT32, RAW, FULL.tobytes() + stored), Block(D.INT16, RAW, SMALL.tobytes())]
    build.file.prototypes = [Values(9, 0), Values(9, 0, presence=0), GENERATED[0], ARRANGED[0], Values(4, 1)]
    for i, values in enumerate(HELD):
        build.dtype = D.FLOAT32 if i < 4 else D.INT16
        build.layer((len(values),), np.ones(len(values), np.bool_), values, prototype=i)
    case = build.done()
    case.file.header = {"minor": 1}
    return case


@valid
def delta_base_longer_prototypes() -> Valid:
    """A base: layers of five float32 in prototypes of nine, of which one is made, and one stores two elements."""
    build = Builder()
    build.file.masks.append(mask("010000010"))
    partial = keep("010000010", u4(HALF, MINUS))
    build.file.blocks = [Block(D.FLOAT32, RAW, u4(HALF, MINUS).tobytes())]
    build.file.prototypes = [GENERATED[0], Values(9, 0, presence=0)]
    build.layer((5,), "10110", tile(GENERATED[1], 5, 3), phase=3)
    build.layer((5,), "11010", tile(partial, 5), prototype=1)
    return build.done()


@dataclass
class Row:
    """A prototype of a block of coder 6: reference, and its presence with the mask of that if it is partial."""

    dtype: D
    reference: int
    presence: str | None = None
    coded: Mask | None = None


def presence(reference: int, pattern: str, *how: int) -> Row:
    """A partial prototype whose presence is coded as flips of that in the base, or as it is."""
    if how:
        return Row(D.FLOAT32, reference, pattern, flips(bits(PRESENCE), bits(pattern), 0, *how))
    return Row(D.FLOAT32, reference, pattern, mask(pattern))


def prototypes(rows: list[Row], coders: tuple[int, ...]) -> Valid:
    """A delta of these prototypes, in blocks by these coders in turn, and of a layer that shows each."""
    file, layers, expected = File(), [], []
    parts: dict[tuple[D, int], tuple[list[int], list[bytes]]] = {}
    for i, row in enumerate(rows):
        coder = coders[i % len(coders)]
        references, differences = parts.setdefault((row.dtype, coder), ([], []))
        size, n = (4, 9) if row.dtype == D.FLOAT32 else (2, 4)
        values = noise(size * n, f"prototype {i}")
        old = HELD[row.reference - 1].tobytes() if row.reference else bytes(len(values))
        if row.presence is not None and row.coded is not None:
            choice = bits(row.presence)
            old, values = kept_values(old, size, choice), kept_values(values, size, choice)
            made: Array = keep(choice, np.frombuffer(values, f"<u{size}"))
            file.masks.append(row.coded)
        else:
            made = np.frombuffer(values, f"<u{size}")
        references.append(row.reference)
        differences.append(differ(old, values))
        block = list(parts).index((row.dtype, coder))
        file.prototypes.append(Values(n, block, None if row.presence is None else len(file.masks) - 1))
        layers.append(np.flatnonzero(made))
        expected.append(expect(f"w{i}", row.dtype, (n,), made))
    for i, active in enumerate(layers):
        file.masks.append(Mask(CONSTANT, len(active), len(active)))
        file.entries.append(tiled(f"w{i}", expected[i].shape, len(file.masks) - 1, i))
    for (dtype, coder), (references, differences) in parts.items():
        coded = coded_block(dtype, b"".join(differences), coder)
        file.blocks.append(Block(dtype, XOR, xor_payload(references, coder, coded)))
    return upon("delta_base_prototypes", one(file, *expected))


for pair in ((0, 5), (1, 4), (2, 3)):

    def each(coders: tuple[int, ...] = pair) -> Valid:
        """Prototypes xor one that is whole, partial or generated; partial ones under changed masks; int16."""
        rows = [Row(D.FLOAT32, reference) for reference in (1, 2, 3, 4, 0)]
        rows += [presence(1, "011011101"), presence(2, "111010011", *EVERY[1]), presence(3, "100000001", *EVERY[3])]
        rows += [presence(4, PRESENCE, *EVERY[0]), presence(0, "011111111", *EVERY[5]), Row(D.INT16, 5)]
        return prototypes([*rows, presence(2, "001010100", *EVERY[0]), Row(D.INT16, 0)], coders)

    each.__name__ = f"delta_prototypes_{pair[0]}_{pair[1]}"
    valid(each)


@valid
def delta_prototypes_of_nothing() -> Valid:
    """Partial prototypes that store nothing, with a reference and without: a block of no elements."""
    file = File(masks=[coded_mask(bits("0" * 9), 0), flips(bits(PRESENCE), bits("0" * 9), 0, *EVERY[1])])
    file.prototypes = [Values(9, 0, presence=i % 2) for i in range(4)]
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1, 2, 0, 4), PLANES, coded_block(D.FLOAT32, b"", PLANES)))]
    file.masks.append(mask(""))
    file.entries = [tiled(f"w{i}", (9,), 2, i) for i in range(4)]
    return upon("delta_base_prototypes", one(file, *(expect(f"w{i}", D.FLOAT32, (9,), bytes(36)) for i in range(4))))


@valid
def delta_prototypes_and_entries() -> Valid:
    """A block of prototypes, kept layers and tensors: the references of prototypes come first."""
    new = [np.frombuffer(noise(36, f"mixed {i}"), "<u4") for i in range(4)]
    choice = bits("110000111")
    file = File(masks=[flips(bits(PRESENCE), choice, 0, *EVERY[4])])
    file.prototypes = [Values(9, 0), Values(9, 0, presence=0)]
    file.entries = [tensor("t", (9,)), tiled("a", (9,), 1, 0), kept("k", (3, 3), 0), tiled("b", (9,), 2, 1)]
    rows = [(4, differ(ARRANGED[1].tobytes(), new[0].tobytes()))]
    partial = kept_values(new[1].tobytes(), 4, choice)
    rows.append((1, differ(kept_values(FULL.tobytes(), 4, choice), partial)))
    rows.append((2, differ(PARTIAL.tobytes(), new[2].tobytes())))  # what the second entry shows is partial
    values = kept_values(new[3].tobytes(), 4, choice)
    rows.append((3, differ(kept_values(GENERATED[1].tobytes(), 4, choice), values)))
    differences = coded_block(D.FLOAT32, b"".join(difference for _, difference in rows), ZSTD)
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((r for r, _ in rows), ZSTD, differences))]
    shown = keep(choice, np.frombuffer(partial, "<u4"))
    for values_of in (new[0], shown):
        active = int(np.count_nonzero(values_of))
        file.masks.append(Mask(CONSTANT, active, active))
    case = one(
        file,
        expect("t", D.FLOAT32, (9,), new[2]),
        expect("a", D.FLOAT32, (9,), new[0]),
        expect("k", D.FLOAT32, (3, 3), keep(choice, np.frombuffer(values, "<u4"))),
        expect("b", D.FLOAT32, (9,), shown),
    )
    return upon("delta_base_prototypes", case)


@valid
def delta_prototypes_scaled() -> Valid:
    """A generated prototype of the base, its last bits changed, in scaled layers and as a second prototype."""
    old = GENERATED[1].copy()
    new = old ^ np.where(np.arange(9) == 2, old ^ np.uint32(ONE), np.arange(9, dtype="<u4"))
    build = Builder()
    coded = coded_block(D.FLOAT32, differ(old.tobytes(), new.tobytes()), 4)
    build.file.blocks = [Block(D.FLOAT32, XOR, xor_payload((3,), 4, coded))]
    build.file.prototypes = [Values(9, 0)]
    other = build.prototype(u4(ONE, 0, MINUS))
    choice = np.arange(20) % 3 != 1
    build.layer((4, 5), choice, times(tile(new, 20, 4), 0x3E99999A), phase=4, scale=0x3E99999A)
    a, b = tile(u4(ONE, 0, MINUS), 20, 1), tile(new, 20, 8)
    build.layer((20,), choice, a, b, prototype=other, phase=1, zero=2, second=0, second_phase=8)
    return upon("delta_base_prototypes", build.done())
