"""Mask coder 8, flips, and block coder 6, xor, for the conformance vectors: sections 5.4 and 6.2 of the specification.

What is inside them is coded by the coders of before, as it is told. A file is made a delta by `upon`, in
`cases.valid`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from writer.coders import SIZES, Bits, D, Number, frame, palette, planes, rotated, u, u8
from writer.grouped import grouped
from writer.ids import PALETTE, PLANES, RAW, ROTATED_PLANES, ZSTD
from writer.rans import RANS_BYTES, rans_mask
from writer.writer import Mask, mask

FLIPS, XOR = 8, 6


def coded_mask(values: Bits, coder: int, *numbers: int) -> Mask:
    """Return a mask by one of the coders 0 to 7; the numbers are those of rANS."""
    return rans_mask(values, coder, *numbers) if coder >= RANS_BYTES else mask(values, coder)


def flips_payload(index: Number, changed: Mask, *, flipped: Number | None = None, coder: Number | None = None) -> bytes:
    """Return the payload of coder 8 for flips of a mask of the base; their number and their coder may be replaced."""
    out = u(index) + u(changed.ones if flipped is None else flipped)
    return out + u8(changed.coder if coder is None else coder) + changed.payload


def flips(old: Bits, new: Bits, index: Number, *how: int) -> Mask:
    """Return a mask as what is different from mask `index` of the base, the flips by a coder and its numbers."""
    payload = flips_payload(index, coded_mask(old ^ new, *how))
    return Mask(FLIPS, len(new), int(new.sum()), payload)


def differ(old: bytes, new: bytes) -> bytes:
    """Return bytes xor bytes."""
    return bytes(a ^ b for a, b in zip(old, new, strict=True))


def methods_in_turn(data: bytes, size: int, shift: int) -> list[int]:
    """Return methods 0, 1 and 2 in turn for planes; only constant ones get method 2."""
    constant = [len(set(data[j::size])) <= 1 for j in range(size)]
    return [(j + shift) % (3 if constant[j] else 2) for j in range(size)]


def coded_block(dtype: D, data: bytes, coder: int, shift: int = 0) -> bytes:
    """Return the payload of these elements by one of the coders 0 to 5; `shift` says which of its methods."""
    size = SIZES[dtype]
    if coder in (RAW, ZSTD):
        return data if coder == RAW else frame(data)
    if coder in (PLANES, ROTATED_PLANES):
        held = data if coder == PLANES else rotated(data, size)
        return planes(held, size, methods_in_turn(held, size, shift))
    if coder == PALETTE:
        elements = [data[i : i + size] for i in range(0, len(data), size)]
        values = sorted(set(elements) or {bytes(size)}, key=lambda value: int.from_bytes(value, "little"))
        return palette(values, [values.index(element) for element in elements], shift % 3)
    return grouped(data, size, shift=shift)


def xor_payload(references: Iterable[Number], coder: Number, differences: bytes) -> bytes:
    """Return the payload of coder 6: references, the coder of the differences, and what that holds."""
    return b"".join(u(reference) for reference in references) + u8(coder) + differences


def kept_values(full: bytes, size: int, choice: Bits) -> bytes:
    """Return the elements at the one bits."""
    return np.frombuffer(full, np.uint8).reshape(len(choice), size)[choice].tobytes()
