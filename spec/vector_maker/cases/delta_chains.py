"""The valid vectors for deltas of deltas, for deltas with tasks, and for deltas without a change: section 6.2."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np
from writer.coders import SIZES, D, bits
from writer.delta import FLIPS, XOR, coded_block, coded_mask, differ, flips, flips_payload, kept_values, xor_payload
from writer.ids import CONSTANT, RAW
from writer.writer import ALIAS, TILED, Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.content import choose, keep, tile, u4
from cases.delta_blocks import CODERS, Kept, User, Xor, data_of, flipped, kept_layers, noise, tensors
from cases.delta_masks import EVERY, changed, masks_of, shown
from cases.delta_prototypes import FULL
from cases.valid import Valid, again, case, demand, expect, held, one, upon, valid


@valid
def delta_of_delta() -> Valid:
    """Upon a delta: flips of flips, xor of xor, of a kept layer there too, of an alias, of what is no xor there."""
    base = "delta_kept_among_others"
    _, b, plain, c, d, e, f = (data_of(tensor) for tensor in held(base))
    rows = [
        Kept(*flipped("100100110", "100101110", 0, *EVERY[7]), 2, b),
        Kept(*flipped("010100000", "111000001", 1, *EVERY[2]), 5, d),
        Kept(mask("110011001"), "110011001", 7, f),
        Kept(*flipped("010100000", "010100000", 1, *EVERY[0]), 6, e),
        Kept(mask("001010000"), "001010000", 4, c),
        Kept(mask("1"), "1", 3, plain),
    ]
    return kept_layers(base, *((D.FLOAT32, coder, rows) for coder in (0, 2, 5)))


@valid
def delta_of_delta_of_delta() -> Valid:
    """The fourth file of a chain, of tensors xor kept layers that are xor."""
    base = "delta_of_delta"
    rows = [
        User(old.shape, i + 1, data_of(old), noise(len(old.data), f"{base} {i}")) for i, old in enumerate(held(base))
    ]
    return tensors(base, Xor(D.FLOAT32, 4, rows[::2], 1), Xor(D.FLOAT32, 3, rows[::-2], 1))


@valid
def delta_of_delta_flips() -> Valid:
    """Flips of masks that are flips, and of those that are not; no blocks by coder 6 in any file of the chain."""
    base = masks_of("delta_flips_beside_others")
    rows = []
    for i, old in enumerate(base):
        new = changed(old, 9, 50 + i)
        rows.append((new, flips(old, new, i, *EVERY[i % 7 + 1])))
    return shown("delta_flips_beside_others", *rows)


@valid
def delta_of_delta_prototypes() -> Valid:
    """Prototypes and tensors xor prototypes that are xor, and the layers of those."""
    base = "delta_prototypes_0_5"
    olds = [data_of(tensor) for tensor in held(base)]
    file, expected = File(), []
    differences = b""
    for i in (0, 6, 11):  # whole; partial, of which the layers show all elements
        new = noise(36, f"again {i}")
        differences += differ(olds[i], new)
        file.prototypes.append(Values(9, 0))
        file.masks.append(Mask(CONSTANT, 9, 9))
        file.entries.append(tiled(f"w{i}", (9,), len(file.masks) - 1, len(file.prototypes) - 1))
        expected.append(expect(f"w{i}", D.FLOAT32, (9,), new))
        demand(0 not in np.frombuffer(new, "<u4"), "an idle position")
    file.entries.append(tensor("t", (3, 3)))
    expected.append(expect("t", D.FLOAT32, (3, 3), FULL))
    differences += differ(olds[7], FULL.tobytes())
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1, 7, 12, 8), 1, coded_block(D.FLOAT32, differences, 1)))]
    return upon(base, one(file, *expected))


case("delta_upon_unused_key", "Upon a file with a pemn.base that is no delta, so that no third file is needed.")(
    lambda: tensors(
        "base_key_unused",
        Xor(D.FLOAT32, RAW, [User((6,), 1, data_of(held("base_key_unused")[0]), noise(24, "unused"))]),
    )
)


@valid
def delta_other_metadata() -> Valid:
    """Metadata before and behind pemn.base, in the base's as well as in the delta's, which is its own."""
    case = tensors("metadata_unicode", Xor(D.UINT8, RAW, [User((2,), 0, b"", b"ab")]))
    case.file.metadata = [("a", "before"), *case.file.metadata, ("pemn.base2", "0"), ("z", "")]
    return case


@valid
def delta_both_coders() -> Valid:
    """Both coders: a mask as flips of one whose layer is not referred to, an xor of a layer whose mask is not."""
    t, k = (data_of(tensor) for tensor in held("delta_base_kept")[:2])
    users = [Kept(*flipped("110010101", "000010101", 1, *EVERY[1]), 2, k), Kept(mask("000000011"), "000000011", 1, t)]
    return kept_layers("delta_base_kept", (D.FLOAT32, RAW, users))


def same(base: str) -> Valid:
    """A vector of before as a delta upon itself: flips and differences of nothing, by every coder in turn."""
    case = again(base)
    file = case.file
    for i, row in enumerate(file.masks):
        if not isinstance(row.length, int) or not isinstance(row.ones, int):
            raise TypeError("a mask that is not as its row says")
        none = coded_mask(np.zeros(row.length, np.bool_), *EVERY[i % len(EVERY)])
        file.masks[i] = Mask(FLIPS, row.length, row.ones, flips_payload(i, none))
    for i, block in enumerate(file.blocks):
        references, count = [], 0
        for number, prototype in enumerate(file.prototypes, 1):
            if isinstance(prototype, Values) and prototype.block == i:
                references.append(number)
                stored = prototype.length if prototype.presence is None else ones_of(file, prototype.presence)
                count += int(stored)
        for number, entry in enumerate(file.entries, 1):
            if entry.kind not in (TILED, ALIAS) and entry.block == i:
                references.append(number)
                count += ones_of(file, entry.mask) if entry.kind == 1 else prod(int(dim) for dim in entry.dims)
        dtype, coder = D(int(block.dtype)), i % (6 if count else 5)
        coded = coded_block(dtype, bytes(count * SIZES[dtype]), coder, i)
        file.blocks[i] = Block(dtype, XOR, xor_payload(references, coder, coded))
    return upon(base, case)


def ones_of(file: File, index: int | bytes) -> int:
    """The ones of a mask by its index."""
    demand(isinstance(index, int), "no index")
    return int(file.masks[int(index)].ones)


SAME = [
    "aliases",
    "block_of_many_users",
    "every_dtype",
    "grouped_users",
    "kept_layers",
    "maskable_dtypes",
    "masks_shared",
    "partial_prototypes",
    "rans_users",
    "shapes",
    "tasks",
    "tasks_apart",
    "zero_second",
]


for name in SAME:
    case(
        f"delta_same_{name}",
        "The vector of this name without delta_same_ as a delta upon itself, without a difference.",
    )(partial(same, name))


@valid
def delta_tasks() -> Valid:
    """Tasks of its own; of every task, and of none, users that refer to entries of other tasks, and of none."""
    base = "tasks"
    french = {tensor.name: data_of(tensor) for tensor in held(base, "französisch")}
    german = {tensor.name: data_of(tensor) for tensor in held(base, "de")}
    new = [noise(4 * n, f"tasks {n} {i}") for i, n in enumerate((3, 2, 1, 6, 1))]
    pattern = "011101"
    choice = bits(pattern)
    values = noise(16, "tasks kept")
    file = File(tasks=["x", "de", "y"], masks=[flips(bits("001101"), choice, 1, *EVERY[3]), mask("0110")])
    file.prototypes = [Values(3, 0)]
    file.entries = [
        tensor("a", (2,), task=1),  # the head of one task
        tiled("w", (4,), 1, 0, 1, task=2),
        tensor("a", (), task=3),  # the tied of another
        tensor("all", (6,)),  # the layer of one task
        kept("k", (6,), 0, task=2),  # the layer of the other
        tensor("b", (1, 1), task=3),  # an alias of one task
        alias("c", 2, task=3),
        alias("c", 3, task=1),
    ]
    differences = differ(u4(0x3F800000, 0x40000000, 0x3F000000).tobytes(), new[0])
    differences += differ(french["head"], new[1]) + differ(german["tied"], new[2]) + differ(french["w"], new[3])
    differences += differ(kept_values(german["w"], 4, choice), values) + differ(german["common again"], new[4])
    coded = coded_block(D.FLOAT32, differences, 5)
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1, 4, 6, 3, 1, 7), 5, coded))]
    prototype = np.frombuffer(new[0], "<u4")
    common = expect("all", D.FLOAT32, (6,), new[3])
    tasks = {
        "x": [expect("a", D.FLOAT32, (2,), new[1]), common, expect("c", D.FLOAT32, (6,), new[3])],
        "de": [
            expect("w", D.FLOAT32, (4,), choose("0110", tile(prototype, 4, 1))[1]),
            common,
            expect("k", D.FLOAT32, (6,), keep(choice, np.frombuffer(values, "<u4"))),
        ],
        "y": [
            expect("a", D.FLOAT32, (), new[2]),
            common,
            expect("b", D.FLOAT32, (1, 1), new[4]),
            expect("c", D.FLOAT32, (), new[2]),
        ],
    }
    return upon(base, Valid(file, tasks))


@valid
def delta_tasks_from_none() -> Valid:
    """Tasks upon a file without tasks; each has a block of its own."""
    t, k, w, _ = (data_of(tensor) for tensor in held("delta_base_kept"))
    file = File(tasks=[str(coder) for coder in CODERS])
    networks = {}
    for coder in CODERS:
        new = noise(36, f"task {coder}")
        reference, old = ((1, t), (2, k), (3, w), (4, k))[coder % 4]
        coded = coded_block(D.FLOAT32, differ(old, new), coder)
        file.blocks.append(Block(D.FLOAT32, XOR, xor_payload((reference,), coder, coded)))
        file.entries.append(tensor("t", (9,), coder, task=coder + 1))
        networks[str(coder)] = [expect("t", D.FLOAT32, (9,), new)]
    return upon("delta_base_kept", Valid(file, networks))


@valid
def delta_tasks_to_none() -> Valid:
    """No tasks upon a file with tasks."""
    french = {tensor.name: data_of(tensor) for tensor in held("tasks", "französisch")}
    german = {tensor.name: data_of(tensor) for tensor in held("tasks", "de")}
    users = [User((2, 3), 1, german["w"], noise(24, "one")), User((6,), 3, french["w"], noise(24, "two"))]
    users += [User((2,), 5, french["tied"], french["head"]), User((1,), 10, french["common too"], noise(4, "three"))]
    return tensors("tasks", Xor(D.FLOAT32, 2, users))
