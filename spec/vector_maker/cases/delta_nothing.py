"""Deltas whose users take no elements, beside bases that are broken where these refer to: section 6.2.

The bases are invalid vectors. Nothing of what is broken in them is needed, so the deltas are valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from writer.coders import D
from writer.delta import XOR, xor_payload
from writer.ids import CONSTANT, RAW
from writer.writer import Block, File, Mask, Values, kept, tensor, tiled

from cases.content import ONE, u4
from cases.delta_damaged import invalid_vectors, upon_invalid
from cases.rows import PAYLOAD, Row
from cases.valid import Expected, Valid, expect, named, one, valid


def empty_and_broken() -> Row:
    """A base: a tensor of no elements, in a block that has a byte too many."""
    file = File(blocks=[Block(D.FLOAT32, RAW, b"\0"), Block(D.FLOAT32, RAW, u4(ONE).tobytes())])
    file.entries = [tensor("nothing", (0, 7), 0), tensor("t", (1,), 1)]
    return Row("delta_base_empty_broken", PAYLOAD, "6: a byte for no elements", file)


def beside_invalid(row: Row, file: File, *expected: Expected) -> Valid:
    """A valid delta upon an invalid vector."""
    named(file, hashlib.sha256(row.bytes()).hexdigest()).header = {"minor": 3}
    return replace(one(file, *expected), base=f"../invalid/{row.name}")


def kept_nothing(dtype: D, count: int, size: int, reference: int) -> tuple[File, Expected]:
    """A kept layer of which no element is kept, and what it holds."""
    file = File(masks=[Mask(CONSTANT, count, 0)])
    file.blocks = [Block(dtype, XOR, xor_payload((reference,), RAW, b""))]
    file.entries = [kept("k", (count,), 0)]
    return file, expect("k", dtype, (count,), bytes(size * count))


@valid
def delta_nothing_of_a_damaged_page() -> Valid:
    """A kept layer without a one; the page of what it refers to is damaged."""
    file, expected = kept_nothing(D.FLOAT32, 3, 4, 1)
    return beside_invalid(invalid_vectors()["checksum_payload"], file, expected)


@valid
def delta_nothing_of_a_bad_mask() -> Valid:
    """A kept layer without a one; the mask of what it refers to has a padding that is not zero."""
    file, expected = kept_nothing(D.UINT8, 11, 1, 1)
    return beside_invalid(invalid_vectors()["mask_raw_padding"], file, expected)


@valid
def delta_nothing_of_a_bad_prototype() -> Valid:
    """A prototype of which no element is stored; the prototype that it refers to has another digest."""
    file = File(masks=[Mask(CONSTANT, 30, 0), Mask(CONSTANT, 0, 0)], prototypes=[Values(30, 0, 0)])
    file.blocks = [Block(D.FLOAT32, XOR, xor_payload((1,), RAW, b""))]
    file.entries = [tiled("w", (5,), 1)]
    return beside_invalid(invalid_vectors()["arranged_digest"], file, expect("w", D.FLOAT32, (5,), bytes(20)))


@valid
def delta_nothing_of_a_bad_block() -> Valid:
    """A tensor of no elements; the block of what it refers to does not decode. Another user takes what does."""
    file = File(blocks=[Block(D.FLOAT32, XOR, xor_payload((1, 2), RAW, bytes(4)))])
    file.entries = [tensor("nothing", (3, 0), 0), tensor("t", (1,), 0)]
    expected = expect("nothing", D.FLOAT32, (3, 0), b""), expect("t", D.FLOAT32, (1,), u4(ONE))
    return beside_invalid(empty_and_broken(), file, *expected)


def nothing_rows() -> Iterator[Row]:
    """The base of the last one, and references that are wrong though nothing is taken."""
    yield empty_and_broken()
    base = invalid_vectors()["checksum_payload"]
    for name, dtype, count, reference, what in (
        ("count", D.FLOAT32, 4, 1, "an entry of three elements"),
        ("dtype", D.INT32, 3, 1, "an entry of float32"),
        ("index", D.FLOAT32, 3, 2, "entry 1 of 1"),
    ):
        row = upon_invalid("", base, kept_nothing(dtype, count, 4, reference)[0])
        reason = f"6.2: a layer that keeps nothing refers to {what}, whose page is damaged"
        yield replace(row, name=f"delta_nothing_{name}", error=PAYLOAD, reason=reason)
