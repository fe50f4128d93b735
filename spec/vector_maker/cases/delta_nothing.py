"""Deltas whose users take no elements, beside bases that are broken where these refer to: section 6.2.

The bases are invalid vectors. Nothing of what is broken in them is needed, so the deltas are valid.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from writer.coders import SIZES, D
from writer.delta import XOR, xor_payload
from writer.ids import CONSTANT, RAW
from writer.writer import Block, File, Mask, kept

from cases import tables
from cases.delta_bases import invalid_vectors
from cases.valid import Expected, Valid, expect, named, one


def beside(base: str, file: File, *expected: Expected) -> Valid:
    """Return a valid delta upon the invalid vector of this name."""
    row = invalid_vectors().get(base) or tables.table("delta_nothing")[base]
    named(file, hashlib.sha256(row.bytes()).hexdigest()).header = {"minor": 3}
    return replace(one(file, *expected), base=f"../invalid/{base}")


def nothing_of(base: str, dtype: D, count: int, reference: int = 1) -> Valid:
    """Return a kept layer of which no element is kept."""
    file = File(masks=[Mask(CONSTANT, count, 0)], blocks=[Block(dtype, XOR, xor_payload((reference,), RAW, b""))])
    file.entries = [kept("k", (count,), 0)]
    return beside(base, file, expect("k", dtype, (count,), bytes(SIZES[dtype] * count)))
