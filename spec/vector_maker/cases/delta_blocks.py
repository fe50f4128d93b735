"""The valid vectors for block coder 6, xor, of tensors and kept layers: section 6.2 of the specification.

What a delta is made from is what the valid vector holds that is its base, as it is stated there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from writer.coders import SIZES, D, bits
from writer.delta import XOR, coded_block, coded_mask, differ, flips, kept_values, xor_payload
from writer.grouped import GROUPED_PLANES
from writer.ids import PALETTE, RAW, ZSTD
from writer.writer import Block, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.content import HALF, MINUS, ONE, TWO, keep, u4
from cases.delta_masks import EVERY
from cases.rotated import WIDTHS, numbers
from cases.valid import Expected, Valid, case, demand, expect, held, one, upon, valid

CODERS = range(GROUPED_PLANES + 1)


def noise(count: int, seed: str) -> bytes:
    """Bytes that look random."""
    return hashlib.shake_256(f"pemn delta {seed}".encode()).digest(count)


def like(dtype: D, data: bytes, seed: str) -> bytes:
    """Other content for so many elements."""
    made = noise(len(data), seed)
    return bytes(byte & 1 for byte in made) if dtype == D.BOOL else made


def data_of(tensor: Expected) -> bytes:
    """Its elements."""
    return bytes(tensor.data)


@dataclass
class User:
    """A tensor in a block of coder 6: what it refers to, what that holds, and what the tensor holds."""

    shape: Sequence[int]
    reference: int
    old: bytes
    new: bytes


@dataclass
class Xor:
    """A block of coder 6, its differences by a coder."""

    dtype: D
    coder: int
    users: list[User]
    shift: int = 0

    def payload(self) -> bytes:
        """The payload; of a user without a reference the difference is what it holds."""
        differences = b"".join(differ(user.old, user.new) if user.reference else user.new for user in self.users)
        coded = coded_block(self.dtype, differences, self.coder, self.shift)
        return xor_payload([user.reference for user in self.users], self.coder, coded)


def tensors(base: str, *blocks: Xor) -> Valid:
    """A delta of tensors in these blocks."""
    file = File()
    expected: list[Expected] = []
    for i, block in enumerate(blocks):
        file.blocks.append(Block(block.dtype, XOR, block.payload()))
        for user in block.users:
            name = f"t{len(expected)}"
            file.entries.append(tensor(name, user.shape, i))
            expected.append(expect(name, block.dtype, user.shape, user.new))
    return upon(base, one(file, *expected))


@valid
def delta_base_widths() -> Valid:
    """A base: 24 elements of every width, and four of them twice."""
    file, expected = File(), []
    for i, (size, dtype) in enumerate(WIDTHS.items()):
        data = noise(20 * size, f"width {size}") + noise(size, "twice") * 4
        file.blocks.append(Block(dtype, RAW, data))
        file.entries.append(tensor(f"t{i}", (24,), i))
        expected.append(expect(f"t{i}", dtype, (24,), data))
    return one(file, *expected)


KEPT, TENSOR, TILED = "101100111", u4(ONE, TWO, MINUS, 0, 5, 0x7FC12345, 7, HALF, 9), u4(ONE, MINUS)


@valid
def delta_base_kept() -> Valid:
    """A base of float32, nine elements each: a kept layer, a tensor, a tiled layer whose zero bits negate; an alias."""
    values = u4(ONE, MINUS, 0x7F800001, 0, TWO, 0xC0400000)
    file = File(masks=[mask(KEPT), mask("110010101")], prototypes=[Values(2, 1)])
    file.blocks = [Block(D.FLOAT32, RAW, TENSOR.tobytes() + values.tobytes()), Block(D.FLOAT32, RAW, TILED.tobytes())]
    file.entries = [tensor("t", (9,)), kept("k", (3, 3), 0), tiled("w", (9,), 1, zero=1), alias("k again", 1)]
    full = keep(KEPT, values)
    w = u4(ONE, MINUS, 0xBF800000, 0, ONE, 0, ONE, 0, ONE)
    return one(
        file,
        expect("t", D.FLOAT32, (9,), TENSOR),
        expect("k", D.FLOAT32, (3, 3), full),
        expect("w", D.FLOAT32, (9,), w),
        expect("k again", D.FLOAT32, (3, 3), full),
    )


@valid
def delta_xor_by_hand() -> Valid:
    """A payload written by hand: 1.5, -2.0 and 3.25 become 1.5, -0.0 and a NaN; and two blocks without a reference."""
    new = u4(0x3FC00000, MINUS, 0x7FC00001)
    file = File()
    file.blocks = [Block(D.FLOAT32, XOR, bytes.fromhex("01 00  00000000 00000040 0100903F"))]
    file.blocks += [
        Block(D.UINT8, XOR, bytes.fromhex("00 00 00 7F 80")),
        Block(D.BOOL, XOR, bytes.fromhex("00 04 0002")),
    ]
    file.entries = [tensor("bias", (3,)), tensor("a", (1,), 1), tensor("b", (), 1), tensor("flag", (1,), 2)]
    case = one(
        file,
        expect("bias", D.FLOAT32, (3,), new),
        expect("a", D.UINT8, (1,), b"\x7f"),
        expect("b", D.UINT8, (), b"\x80"),
        expect("flag", D.BOOL, (1,), b"\1"),
    )
    return upon("one_tensor", case)


@valid
def delta_xor_every_dtype() -> Valid:
    """Three elements of every dtype, each in a block of its own, by every coder in turn."""
    blocks = []
    for i, old in enumerate(held("every_dtype")):
        new = like(old.dtype, data_of(old), old.name)
        blocks += [
            Xor(old.dtype, coder, [User((1, 3), i + 1, data_of(old), new)], i)
            for coder in (i % 6, (i // 6 + i + 1) % 6)
        ]
    return tensors("every_dtype", *blocks)


@valid
def delta_xor_special_floats() -> Valid:
    """NaNs quiet and signalling with payloads, infinities, -0.0 and subnormals become others of these; complex too."""
    blocks = []
    for i, old in enumerate(held("special_floats")):
        data, size = data_of(old), SIZES[old.dtype]
        turned = np.frombuffer(data, f"V{size}")
        for shift in (1, 2, 3):
            blocks.append(
                Xor(old.dtype, (i + 2 * shift) % 6, [User(old.shape, i + 1, data, np.roll(turned, shift).tobytes())])
            )
    return tensors("special_floats", *blocks)


@valid
def delta_xor_signs() -> Valid:
    """Differences of nothing but the highest bit: +0.0 and -0.0, a NaN and its negative; and of the lowest."""
    values = (0, MINUS, ONE, 0x7FC12345, 0xFFC12345, 0x7F800000, 1)
    old = held("delta_base_kept")[0]
    new = u4(*(int(value) ^ MINUS for value in TENSOR)).tobytes()
    other = u4(*(int(value) ^ 1 for value in TENSOR)).tobytes()
    demand(set(values) & set(TENSOR.tolist()) == {0, MINUS, ONE, 0x7FC12345}, "other values")
    blocks = [Xor(D.FLOAT32, coder, [User((9,), 1, data_of(old), x)]) for coder in CODERS for x in (new, other)]
    return tensors("delta_base_kept", *blocks)


@valid
def delta_xor_coders() -> Valid:
    """Elements of every width by every coder and all its methods; many, few and no bits different."""
    blocks = []
    for i, (size, dtype) in enumerate(WIDTHS.items()):
        old = data_of(held("delta_base_widths")[i])
        lowest = differ(old, bytes(byte & 3 if j % size == 0 else 0 for j, byte in enumerate(noise(len(old), "low"))))
        for coder in CODERS:
            shifts = 3 if coder == PALETTE else 2 if coder > ZSTD else 1
            for shift in range(shifts):
                news = (noise(len(old), f"new {size}"), lowest, old)
                blocks.append(Xor(dtype, coder, [User((24,), i + 1, old, news[(coder + shift) % 3])], shift))
                blocks.append(Xor(dtype, coder, [User((2, 12), i + 1, old, news[(coder + shift + 1) % 3])], shift))
    return tensors("delta_base_widths", *blocks)


@valid
def delta_xor_bools() -> Valid:
    """Bools by every coder: differences are 0 and 1, and 0 and 2 where they are rotated."""
    old = data_of(held("grouped_bools")[0])
    news = (like(D.BOOL, old, "bools"), bytes(1 - byte for byte in old), old, bytes(len(old)), b"\1" * len(old))
    return tensors(
        "grouped_bools",
        *(Xor(D.BOOL, coder, [User((len(old),), 1, old, new)], coder) for coder in CODERS for new in news),
    )


@valid
def delta_xor_no_reference() -> Valid:
    """No user has a reference, so the differences are the elements; by every coder. A delta nevertheless."""
    blocks = []
    for size, dtype in WIDTHS.items():
        for coder in CODERS:
            users = [User((3,), 0, b"", noise(3 * size, f"{size} {coder}")), User((), 0, b"", noise(size, "one"))]
            blocks.append(Xor(dtype, coder, users, coder))
    return tensors("one_tensor", *blocks)


@valid
def delta_xor_users() -> Valid:
    """Several users in a block: with a reference and without, two of the same entry, one of an alias; none of some."""
    t, k, w, again = (data_of(tensor) for tensor in held("delta_base_kept"))
    blocks = []
    for coder in CODERS:
        users = [
            User((2,), 0, b"", noise(8, f"a {coder}")),
            User((9,), 3, w, noise(36, f"b {coder}")),
            User((9, 1), 1, t, t),
            User((), 0, b"", noise(4, f"c {coder}")),
            User((3, 3), 4, again, noise(36, f"d {coder}")),
            User((1, 9), 1, t, noise(36, f"e {coder}")),
            User((0, 4), 0, b"", b""),
            User((9,), 2, k, differ(k, numbers(4, *range(9)))),
        ]
        blocks.append(Xor(D.FLOAT32, coder, users, coder))
    return tensors("delta_base_kept", *blocks)


case(
    "delta_xor_far_references",
    "Entries 126 to 128 and 139 of the base, the last: references of 127, 128, 129 and 140, of two bytes but one.",
)(
    lambda: tensors(
        "delta_base_many",
        Xor(
            D.UINT8,
            RAW,
            [
                User((3,), i + 1, [data_of(tensor) for tensor in held("delta_base_many")][i], noise(3, f"far {i}"))
                for i in (139, 0, 126, 127, 128)
            ],
        ),
    )
)


def nothing(coder: int) -> bytes:
    """No elements of int16, by coders 0 to 4."""
    return coded_block(D.INT16, b"", coder)


case(
    "delta_xor_nothing",
    "Blocks of no elements by coders 0 to 4: users without a reference, and with one to an entry of no elements.",
)(
    lambda: tensors(
        "shapes",
        *[
            Xor(
                D.INT16,
                coder,
                [User(s, r, b"", b"") for s, r in (((0,), 0), ((5, 0), 2), ((0, 2**40), 3), ((0,), 5))],
                coder,
            )
            for coder in range(5)
        ],
    )
)


@valid
def delta_xor_nothing_between() -> Valid:
    """Users of no elements, with and without a reference, between others."""
    old = [data_of(tensor) for tensor in held("shapes")]
    users = [User((0,), 4, b"", b""), User((1, 2), 6, old[5], b"abcd"), User((0,), 0, b"", b"")]
    users += [User((7, 0), 5, b"", b""), User((1,), 1, old[0], b"ef"), User((0,), 2, b"", b"")]
    return tensors("shapes", *(Xor(D.INT16, coder, users, coder) for coder in CODERS))


@valid
def delta_xor_pages() -> Valid:
    """A base of exactly one page, and a delta of two: the references are on the first only."""
    old = data_of(held("page_exact")[0])
    new = np.roll(np.frombuffer(old, np.uint8), 1).tobytes()
    return tensors("page_exact", Xor(D.UINT8, RAW, [User((256, 256), 1, old, new)]))


def over(base: str) -> Valid:
    """A delta of a tensor for every entry of the base, whatever it is there; the last entry first."""
    blocks: dict[D, Xor] = {}
    for i, old in reversed(list(enumerate(held(base)))):
        data = data_of(old)
        user = User((1, prod(old.shape)), i + 1, data, like(old.dtype, data, f"over {base} {i}"))
        coder = len(blocks) % 5 if not data else (len(base) + len(blocks)) % 6
        blocks.setdefault(old.dtype, Xor(old.dtype, coder, [], i)).users.append(user)
    return tensors(base, *blocks.values())


OVER = [
    "aliases",
    "arranged_layers",
    "generator_layers",
    "grouped_users",
    "idle_zeros",
    "kept_layers",
    "maskable_dtypes",
    "partial_prototypes",
    "rans_users",
    "scaled",
    "scaled_zero",
    "tile_simple",
    "wasteful",
    "zero_negated",
    "zero_second",
    "zero_second_same",
]


for name in OVER:
    case(f"delta_over_{name}", "Tensors xor every entry of the vector of this name without delta_over_.")(
        partial(over, name)
    )


@dataclass
class Kept:
    """A kept layer in a block of coder 6: its mask and the pattern of that, the reference, what is referred to."""

    mask: Mask
    pattern: str
    reference: int
    old: bytes


def kept_layers(base: str, *blocks: tuple[D, int, list[Kept]]) -> Valid:
    """A delta of kept layers of noise in blocks of a dtype and a coder."""
    file = File()
    expected: list[Expected] = []
    for i, (dtype, coder, users) in enumerate(blocks):
        differences = b""
        for user in users:
            name, choice = f"k{len(expected)}", bits(user.pattern)
            values = noise(SIZES[dtype] * int(choice.sum()), f"{base} {name}")
            old = kept_values(user.old, SIZES[dtype], choice)
            differences += differ(old, values) if user.reference else values
            file.masks.append(user.mask)
            file.entries.append(kept(name, (len(choice),), len(file.masks) - 1, i))
            full = keep(choice, np.frombuffer(values, f"V{SIZES[dtype]}"))
            expected.append(expect(name, dtype, (len(choice),), full))
        payload = xor_payload((user.reference for user in users), coder, coded_block(dtype, differences, coder, i))
        file.blocks.append(Block(dtype, XOR, payload))
    return upon(base, one(file, *expected))


def flipped(old: str, new: str, index: int, *how: int) -> tuple[Mask, str]:
    """A mask by coder 8, and its pattern."""
    return flips(bits(old), bits(new), index, *how), new


@valid
def delta_kept() -> Valid:
    """Kept layers xor a kept layer, a tensor, a tiled layer, an alias; the same mask, another, all ones, all zeros."""
    t, k, w, _ = (data_of(tensor) for tensor in held("delta_base_kept"))
    blocks = []
    for coder in CODERS:
        users = [
            Kept(*flipped(KEPT, KEPT, 0, 0), 2, k),
            Kept(*flipped(KEPT, "011101110", 0, *EVERY[1 + coder]), 2, k),
            Kept(mask("011101110"), "011101110", 1, t),
            Kept(*flipped("110010101", "110010111", 1, *EVERY[3]), 3, w),
            Kept(coded_mask(bits("0" * 9), 0), "0" * 9, 2, k),
            Kept(mask("111111111"), "1" * 9, 4, k),
            Kept(mask("010000001"), "010000001", 0, bytes(36)),
        ]
        blocks.append((D.FLOAT32, coder, users))
    return kept_layers("delta_base_kept", *blocks)


@valid
def delta_kept_dtypes() -> Valid:
    """Kept layers of every maskable dtype, with other masks than in the base; of entries that are tiled there, too."""
    rows: dict[D, list[Kept]] = {}
    for i, old in enumerate(held("maskable_dtypes")):
        new = flipped("110", "011", 0, 1) if i % 2 == 0 else (mask("101101"), "101101")
        rows.setdefault(old.dtype, []).append(Kept(*new, i + 1, data_of(old)))
    return kept_layers("maskable_dtypes", *((dtype, i % 6, users) for i, (dtype, users) in enumerate(rows.items())))


@valid
def delta_kept_of_nothing() -> Valid:
    """Kept layers that keep nothing, or have no elements, which refer to entries; a block of no elements."""
    k = data_of(held("delta_base_kept")[1])
    none = Kept(mask("0" * 9), "0" * 9, 2, k)
    empty = Kept(mask(""), "", 0, b"")
    return kept_layers("delta_base_kept", *((D.FLOAT32, coder, [none, empty, none]) for coder in range(5)))


@valid
def delta_kept_among_others() -> Valid:
    """Kept layers and tensors in turn in one block, beside blocks of other coders and masks of other coders."""
    t, k, w, _ = (data_of(tensor) for tensor in held("delta_base_kept"))
    pattern, values, other = "100100110", u4(11, 12, 13, 14), u4(21, 22)
    choice = bits(pattern)
    file = File(masks=[flips(bits(KEPT), choice, 0, *EVERY[6]), mask("010100000", 4)])
    layer = keep(choice, values).tobytes()
    differences = differ(t, w) + differ(kept_values(k, 4, choice), values.tobytes()) + differ(k, t) + other.tobytes()
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1, 2, 4, 0), ZSTD, coded_block(D.FLOAT32, differences, ZSTD)))]
    file.blocks.append(Block(D.FLOAT32, RAW, u4(31, 32, 33).tobytes()))
    file.entries = [tensor("a", (9,)), kept("b", (3, 3), 0), tensor("plain", (1,), 1), tensor("c", (9,))]
    file.entries += [kept("d", (9,), 1), kept("e", (9,), 1, 1), alias("f", 1)]
    case = one(
        file,
        expect("a", D.FLOAT32, (9,), w),
        expect("b", D.FLOAT32, (3, 3), layer),
        expect("plain", D.FLOAT32, (1,), u4(31)),
        expect("c", D.FLOAT32, (9,), t),
        expect("d", D.FLOAT32, (9,), keep("010100000", other)),
        expect("e", D.FLOAT32, (9,), keep("010100000", u4(32, 33))),
        expect("f", D.FLOAT32, (3, 3), layer),
    )
    return upon("delta_base_kept", case)
