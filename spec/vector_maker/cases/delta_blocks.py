"""The vectors for block coder 6, xor, of tensors and kept layers: section 6.2 of the specification, with 4.8 and 7.

What a delta is made from is what the valid vector holds that is its base, as it is stated there. Vectors of one line
are in the table beside this module, and so are all invalid ones, each of one defect; their class is `payload`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
from writer.coders import SIZES, D, Number, bits, u
from writer.delta import XOR, coded_block, differ, kept_values, xor_payload
from writer.ids import CONSTANT, RAW, ZSTD
from writer.writer import Block, Entry, File, Mask, Values, alias, kept, mask, tensor, tiled

from cases.content import MINUS, NAN, ONE, TWO, Array, keep, u4
from cases.delta_masks import flips_of
from cases.files import holding
from cases.rotated import WIDTHS
from cases.valid import Expected, Valid, again, demand, expect, held, one, upon, valid

CODERS = range(6)
Change = tuple[int, bytes | Array, bytes | Array]  # of a user: reference, what is referred to, what it becomes


def noise(count: int, seed: str) -> bytes:
    """Return bytes that look random."""
    return hashlib.shake_256(f"pemn delta {seed}".encode()).digest(count)


def like(dtype: D, data: bytes, seed: str) -> bytes:
    """Return other content for so many elements."""
    made = noise(len(data), seed)
    return bytes(byte & 1 for byte in made) if dtype == D.BOOL else made


@cache
def entries(base: str) -> list[bytes]:
    """Return what the entries of a valid vector hold, in their order."""
    made = again(base)
    networks = [{t.name: bytes(t.data) for t in made.networks[str(task)]} for task in made.file.tasks or [""]]
    return [networks[max(int(entry.task) - 1, 0)][str(entry.name)] for entry in made.file.entries]


def xor(dtype: D, coder: int, users: Iterable[Change], shift: int = 0) -> bytes:
    """Return a payload of coder 6: of users the reference, what is referred to, and what it becomes."""
    references, differences = [], b""
    for reference, old, new in users:
        references.append(reference)
        differences += differ(bytes(old), bytes(new)) if reference else bytes(new)
    return xor_payload(references, coder, coded_block(dtype, differences, coder, shift))


@dataclass
class User:
    """A tensor in a block of coder 6: its shape, its reference, and what it holds."""

    shape: Sequence[int]
    reference: int
    new: bytes


@dataclass
class Kept:
    """A kept layer of noise in a block of coder 6: its pattern, its reference, and its mask if that is no raw one."""

    pattern: str
    reference: int
    mask: Mask | None = None


@dataclass
class Xor:
    """A block of coder 6, its differences by a coder; `shift` says which of its methods."""

    dtype: D
    coder: int
    users: list[User | Kept]
    shift: int = 0


def by_flips(old: str, new: str, index: int, coder: int, reference: int) -> Kept:
    """Return a kept layer whose mask is coded as flips of mask `index` of the base."""
    return Kept(new, reference, flips_of(old, new, index, coder))


def xors(base: str, *blocks: Xor) -> Valid:
    """Return a delta of tensors and kept layers in these blocks."""
    file, olds = File(), [b"", *entries(base)]
    expected: list[Expected] = []
    for i, block in enumerate(blocks):
        dtype, size, rows = block.dtype, SIZES[block.dtype], []
        for user in block.users:
            old, n = olds[user.reference], len(expected)
            if isinstance(user, User):
                file.entries.append(tensor(f"t{n}", user.shape, i))
                rows.append((user.reference, old, user.new))
                expected.append(expect(f"t{n}", dtype, user.shape, user.new))
                continue
            choice = bits(user.pattern)
            values = noise(size * int(choice.sum()), f"{base} k{n}")
            rows.append((user.reference, kept_values(old, size, choice) if old else old, values))
            file.entries.append(kept(f"k{n}", (len(choice),), len(file.masks), i))
            file.masks.append(user.mask or mask(choice))
            expected.append(expect(f"k{n}", dtype, (len(choice),), keep(choice, np.frombuffer(values, f"V{size}"))))
        file.blocks.append(Block(dtype, XOR, xor(dtype, block.coder, rows, block.shift)))
    return upon(base, one(file, *expected))


def xor_holding(base: str, payload: bytes, *rows: tuple[Any, ...], **tables: Any) -> Valid:
    """Return a delta of a block of float32 by coder 6, and of entries with what they hold, as `holding` takes them."""
    made = holding(D.FLOAT32, payload, *rows, **tables)
    made.file.blocks[0].coder = XOR
    return upon(base, made)


KEPT, TENSOR = "101100111", u4(ONE, TWO, MINUS, 0, 5, NAN, 7, 0x3F000000, 9)
demand({0, MINUS, ONE, NAN} <= set(TENSOR.tolist()), "other values")
LAYER = keep(KEPT, u4(ONE, MINUS, 0x7F800001, 0, TWO, 0xC0400000))


@valid
def delta_xor_coders() -> Valid:
    """Elements of every width by every coder and all its methods; many, few and no bits different."""
    blocks = []
    for i, (size, dtype) in enumerate(WIDTHS.items()):
        old = entries("delta_base_widths")[i]
        lowest = differ(old, bytes(byte & 3 if j % size == 0 else 0 for j, byte in enumerate(noise(len(old), "low"))))
        news = (noise(len(old), f"new {size}"), lowest, old)
        for coder, shift in ((c, s) for c, methods in enumerate((1, 1, 2, 3, 2, 2)) for s in range(methods)):
            for k, shape in enumerate(((24,), (2, 12))):
                blocks.append(Xor(dtype, coder, [User(shape, i + 1, news[(coder + shift + k) % 3])], shift))
    return xors("delta_base_widths", *blocks)


def over(base: str) -> Valid:
    """Return a delta of a tensor for every entry of the base, whatever it is there; the last entry first."""
    blocks: dict[D, Xor] = {}
    for i, old in reversed(list(enumerate(held(base)))):
        user = User((1, prod(old.shape)), i + 1, like(old.dtype, old.data, f"over {base} {i}"))
        coder = (len(base) + len(blocks)) % 6 if old.data else len(blocks) % 5
        blocks.setdefault(old.dtype, Xor(old.dtype, coder, [], i)).users.append(user)
    return xors(base, *blocks.values())


@valid
def delta_kept_dtypes() -> Valid:
    """Kept layers of every maskable dtype, with other masks than in the base; of entries that are tiled there, too."""
    blocks: dict[D, Xor] = {}
    for i, old in enumerate(held("maskable_dtypes")):
        user = Kept("101101", i + 1) if i % 2 else by_flips("110", "011", 0, 1, i + 1)
        blocks.setdefault(old.dtype, Xor(old.dtype, len(blocks) % 6, [], len(blocks))).users.append(user)
    return xors("maskable_dtypes", *blocks.values())


@valid
def delta_kept_among_others() -> Valid:
    """Kept layers and tensors in turn in one block, beside blocks of other coders and masks of other coders."""
    t, k, w, _ = entries("delta_base_kept")
    choice, values, other = bits("100100110"), u4(11, 12, 13, 14), u4(21, 22)
    made = xor_holding(
        "delta_base_kept",
        xor(D.FLOAT32, ZSTD, [(1, t, w), (2, kept_values(k, 4, choice), values), (4, k, t), (0, b"", other)]),
        (tensor("a", (9,)), w),
        (kept("b", (3, 3), 0), keep(choice, values)),
        (tensor("plain", (1,), 1), u4(31)),
        (tensor("c", (9,)), t),
        (kept("d", (9,), 1), keep("010100000", other)),
        (kept("e", (9,), 1, 1), keep("010100000", u4(32, 33))),
        (alias("f", 1), keep(choice, values), (3, 3)),
        masks=[flips_of(KEPT, "100100110", 0, 6), mask("010100000", 4)],
    )
    made.file.blocks.append(Block(D.FLOAT32, RAW, u4(31, 32, 33).tobytes()))
    return made


# Invalid vectors. `delta_base_kept` has entries 0 to 3: tensor, kept layer, tiled layer, alias; and a prototype of two.


def of_block(base: str, dtype: D, payload: bytes, *rows: Entry, **tables: Any) -> Valid:
    """Return a delta of one block by coder 6, without what it holds."""
    return upon(base, Valid(File(blocks=[Block(dtype, XOR, payload)], entries=[*rows], **tables), {}))


def zeros(count: int, *references: Number, dtype: D = D.FLOAT32) -> bytes:
    """Return a payload of no differences."""
    return xor_payload(references, RAW, bytes(count * SIZES[dtype]))


THREE = zeros(27, 1, 0, 3)  # for three users of nine float32


def three(payload: bytes) -> Valid:
    """Return a delta of three tensors of nine float32."""
    demand(len(THREE) == 4 + 108, "references of two bytes")
    return of_block("delta_base_kept", D.FLOAT32, payload, *(tensor(f"t{i}", (9,)) for i in range(3)))


def tensor_of(base: str, dtype: D, count: int, reference: int, shape: Sequence[int] | None = None) -> Valid:
    """Return a delta of a tensor that refers to this, without differences."""
    payload = zeros(count, reference, dtype=dtype)
    return of_block(base, dtype, payload, tensor("t", (count,) if shape is None else shape))


def dtype_of(dtype: D, other: D, count: int = 3) -> Valid:
    """Return a delta of a tensor of this dtype that refers to an entry of another."""
    return tensor_of("every_dtype", dtype, count, reference_to(other))


def reference_to(dtype: D) -> int:
    """Return the reference to the entry of a dtype of `every_dtype`."""
    return [tensor.dtype for tensor in held("every_dtype")].index(dtype) + 1


def kept_of(pattern: str, payload: bytes, dtype: D = D.FLOAT32) -> Valid:
    """Return a delta of a kept layer."""
    return of_block("delta_base_kept", dtype, payload, kept("k", (len(pattern),), 0), masks=[mask(pattern)])


def prototype_of(reference: Number, length: int = 9, partial: str = "", dtype: D = D.FLOAT32) -> Valid:
    """Return a delta of a prototype, partial or not; in the base 0 to 3 have nine float32, 4 has four int16."""
    masks = [mask(partial)] if partial else []
    payload = zeros(partial.count("1") if partial else length, reference, dtype=dtype)
    tables = {"masks": [*masks, Mask(CONSTANT, 0, 0)], "prototypes": [Values(length, 0, 0 if partial else None)]}
    return of_block("delta_base_prototypes", dtype, payload, tiled("w", (0,), len(masks)), **tables)


def whole_prototype(base: str, payload: bytes, *rows: Entry, length: int = 9) -> Valid:
    """Return a delta of tensors and of a prototype, which a layer of no elements uses."""
    demand(base != "one_tensor" or len(entries(base)[0]) == 12, "another tensor")
    tables = {"masks": [Mask(CONSTANT, 0, 0)], "prototypes": [Values(length, 0)]}
    return of_block(base, D.FLOAT32, payload, *rows, tiled("w", (0,), 0), **tables)


def layer_of(differences: list[int], pattern: str, scale: float | None = None) -> Valid:
    """Return a delta of a layer of four elements over a prototype of 1.0 and -0.0, of these differences."""
    payload = xor_payload((1,), RAW, u4(*differences).tobytes())
    tables = {"masks": [mask(pattern)], "prototypes": [Values(2, 0)]}
    return of_block("delta_base_kept", D.FLOAT32, payload, tiled("w", (4,), 0, scale=scale), **tables)


INT16S = bytes([1, 0, 0, 0, 2, 1])


def of_three(coder: int, coded: bytes) -> Valid:
    """Return a delta of three int16, whose differences are coded so."""
    return of_block("every_dtype", D.INT16, xor_payload((reference_to(D.INT16),), coder, coded), tensor("t", (3,)))


def bool_of(reference: int, difference: int, coder: int) -> Valid:
    """Return a delta of a bool by a coder of differences; what is referred to is 1."""
    demand(entries("tasks_single") == [b"\1"], "another bool")
    payload = xor_payload((reference,), coder, coded_block(D.BOOL, bytes([difference]), coder))
    return of_block("tasks_single", D.BOOL, payload, tensor("t", ()))


def task_of(at: int, reference: int) -> Valid:
    """Return `delta_tasks` with another reference at a place."""
    made = again("delta_tasks")
    payload = made.file.blocks[0].payload
    demand(payload[:7] == bytes([1, 4, 6, 3, 1, 7, 5]), "other references")
    made.file.blocks[0].payload = payload[:at] + u(reference) + payload[at + 1 :]
    return made
