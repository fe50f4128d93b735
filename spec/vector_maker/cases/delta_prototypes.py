"""The valid vectors for block coder 6, xor, of prototypes: section 6.2 of the specification, with 4.5.

Those of one line are in the table beside this module.
"""

from __future__ import annotations

import numpy as np
from writer.coders import D, bits
from writer.delta import XOR
from writer.ids import CONSTANT, RAW, ZSTD
from writer.numbers import NORMAL, UNIFORM
from writer.writer import Block, File, Mask, Values, kept, mask, tensor, tiled

from cases.arranged import arranged
from cases.content import HALF, MINUS, NAN, ONE, Array, all_ones, keep, tile, times, u4
from cases.delta_blocks import entries, noise, xor, xor_holding
from cases.delta_masks import flips_of
from cases.files import Builder
from cases.generators import generated
from cases.valid import Valid, demand, expect, one, upon, valid

PRESENCE = "110101011"
FULL = u4(ONE, 0, MINUS, NAN, 5, HALF, 0, 0xFF800000, 9)
PARTIAL = keep(PRESENCE, u4(ONE, 0, 0x7F800001, MINUS, HALF, 3))
GENERATED = generated(NORMAL, 60, 1, HALF, 9, {2: NAN, 8: 0})
ARRANGED = arranged(UNIFORM, 61, 2, ONE, 9, 5, 2, {1: MINUS})
# What the prototypes of the base hold.
HELD = (FULL, PARTIAL, GENERATED[1], ARRANGED[1], np.array([1, 0x8000, 0, 0x7FFF], dtype="<u2"))


@valid
def delta_base_prototypes() -> Valid:
    """A base: prototypes of nine float32, whole, partial, and made by either generator; one of four int16."""
    build = Builder(file=File(masks=[mask(PRESENCE)]))
    stored = FULL.tobytes() + PARTIAL[bits(PRESENCE)].tobytes()
    build.file.blocks = [Block(D.FLOAT32, RAW, stored), Block(D.INT16, RAW, HELD[4].tobytes())]
    build.file.prototypes = [Values(9, 0), Values(9, 0, presence=0), GENERATED[0], ARRANGED[0], Values(4, 1)]
    for i, values in enumerate(HELD):
        build.dtype = D.FLOAT32 if i < 4 else D.INT16
        build.layer((len(values),), all_ones(len(values)), values, prototype=i)
    return build.done(1)


@valid
def delta_base_longer_prototypes() -> Valid:
    """A base: layers of five float32 in prototypes of nine, of which one is made, and one stores two elements."""
    build = Builder(file=File(masks=[mask("010000010")], prototypes=[GENERATED[0], Values(9, 0, presence=0)]))
    build.file.blocks = [Block(D.FLOAT32, RAW, u4(HALF, MINUS).tobytes())]
    build.layer((5,), "10110", tile(GENERATED[1], 5, 3), phase=3)
    build.layer((5,), "11010", keep("010000010", u4(HALF, MINUS))[:5], prototype=1)
    return build.done()


# References; of partial ones the presence, and the coder of that as flips of the presence in the base, or none.
ROWS: tuple[tuple[D, int, str, int | None], ...] = (
    *((D.FLOAT32, reference, "", None) for reference in (1, 2, 3, 4, 0)),
    *((D.FLOAT32, 1, "011011101", None), (D.FLOAT32, 2, "111010011", 1), (D.FLOAT32, 3, "100000001", 3)),
    *((D.FLOAT32, 4, PRESENCE, 0), (D.FLOAT32, 0, "011111111", 5), (D.INT16, 5, "", None)),
    *((D.FLOAT32, 2, "001010100", 0), (D.INT16, 0, "", None)),
)


def prototypes(coders: tuple[int, ...]) -> Valid:
    """Return a delta of these prototypes, in blocks by these coders in turn, and of a layer that shows each."""
    file, shown = File(), []
    parts: dict[tuple[D, int], list[tuple[int, Array, Array]]] = {}
    for i, (dtype, reference, presence, coder) in enumerate(ROWS):
        n, kind = (9, "<u4") if dtype == D.FLOAT32 else (4, "<u2")
        new = np.frombuffer(noise(n * np.dtype(kind).itemsize, f"prototype {i}"), kind)
        choice = bits(presence) if presence else all_ones(n)
        if presence:
            file.masks.append(mask(presence) if coder is None else flips_of(PRESENCE, presence, 0, coder))
        key = dtype, coders[i % 2]
        old = HELD[reference - 1][choice] if reference else new
        parts.setdefault(key, []).append((reference, old, new[choice]))
        file.prototypes.append(Values(n, list(parts).index(key), len(file.masks) - 1 if presence else None))
        shown.append(expect(f"w{i}", dtype, (n,), keep(choice, new[choice])))
        file.entries.append(tiled(f"w{i}", (n,), 0, i))
    for entry, made in zip(file.entries, shown, strict=True):
        active = int(np.count_nonzero(np.frombuffer(made.data, "<u4" if made.dtype == D.FLOAT32 else "<u2")))
        entry.mask = len(file.masks)
        file.masks.append(Mask(CONSTANT, active, active))
    file.blocks = [Block(dtype, XOR, xor(dtype, coder, users)) for (dtype, coder), users in parts.items()]
    return upon("delta_base_prototypes", one(file, *shown))


@valid
def delta_prototypes_and_entries() -> Valid:
    """A block of prototypes, kept layers and tensors: the references of prototypes come first."""
    new = [np.frombuffer(noise(36, f"mixed {i}"), "<u4") for i in range(4)]
    choice = bits("110000111")
    users = [(4, ARRANGED[1], new[0]), (1, FULL[choice], new[1][choice])]
    users += [(2, PARTIAL, new[2]), (3, GENERATED[1][choice], new[3][choice])]  # what the second entry shows is partial
    partial = keep(choice, new[1][choice])
    active = [int(np.count_nonzero(values)) for values in (new[0], partial)]
    return xor_holding(
        "delta_base_prototypes",
        xor(D.FLOAT32, ZSTD, users),
        (tensor("t", (9,)), new[2]),
        (tiled("a", (9,), 1, 0), new[0]),
        (kept("k", (3, 3), 0), keep(choice, new[3][choice])),
        (tiled("b", (9,), 2, 1), partial),
        masks=[flips_of(PRESENCE, "110000111", 0, 4), *(Mask(CONSTANT, n, n) for n in active)],
        prototypes=[Values(9, 0), Values(9, 0, presence=0)],
    )


@valid
def delta_prototypes_scaled() -> Valid:
    """A generated prototype of the base, its last bits changed, in scaled layers and as a second prototype."""
    old = GENERATED[1]
    new = old ^ np.where(np.arange(9) == 2, old ^ np.uint32(ONE), np.arange(9, dtype="<u4"))
    build = Builder()
    build.file.blocks = [Block(D.FLOAT32, XOR, xor(D.FLOAT32, 4, [(3, old, new)]))]
    build.file.prototypes = [Values(9, 0)]
    other = build.prototype(u4(ONE, 0, MINUS))
    choice = np.arange(20) % 3 != 1
    build.layer((4, 5), choice, times(tile(new, 20, 4), 0x3E99999A), phase=4, scale=0x3E99999A)
    a, b = tile(u4(ONE, 0, MINUS), 20, 1), tile(new, 20, 8)
    build.layer((20,), choice, a, b, prototype=other, phase=1, zero=2, second=0, second_phase=8)
    return upon("delta_base_prototypes", build.done())


@valid
def delta_of_delta_prototypes() -> Valid:
    """Prototypes and tensors xor prototypes that are xor, and the layers of those."""
    olds = entries("delta_prototypes_0_5")
    new = {i: np.frombuffer(noise(36, f"again {i}"), "<u4") for i in (0, 6, 11)}  # whole; partial, shown as a whole
    demand(all(values.all() for values in new.values()), "an idle position")
    users = [(reference, olds[i], values) for reference, (i, values) in zip((1, 7, 12), new.items(), strict=True)]
    return xor_holding(
        "delta_prototypes_0_5",
        xor(D.FLOAT32, 1, [*users, (8, olds[7], FULL)]),
        *((tiled(f"w{i}", (9,), j, j), values) for j, (i, values) in enumerate(new.items())),
        (tensor("t", (3, 3)), FULL),
        masks=[Mask(CONSTANT, 9, 9)] * 3,
        prototypes=[Values(9, 0)] * 3,
    )
