"""Coder 8: what is different from a mask of the base, coded as a mask itself (spec section 5.4).

What changes while a network is trained further is a few per cent of the bits, at places that tell nothing: at 5 % the
flips cost 0.29 bits a weight where the mask costs one.
"""

from __future__ import annotations

from ...container.cursor import Cursor, Payload, varint
from ...container.manifest.coder_table import MASK_FLIPS
from ...container.manifest.rows import MaskRow
from ...errors import PayloadError


def write(number: int, flips: MaskRow, payload: Payload) -> bytes:
    """The payload of a mask.

    Args:
        number: of the base's mask.
        flips: as what they are coded.
        payload: of the flips.
    """
    return b"".join((varint(number), varint(flips.ones), bytes([flips.coder]), payload))


def read(payload: Payload, length: int) -> tuple[int, MaskRow, Payload]:
    """Read what `write` has written.

    Raises:
        PayloadError: a field that is not allowed.
    """
    cursor = Cursor(payload, PayloadError)
    number = cursor.varint("mask of the base")
    flipped = cursor.varint("number of flips", length)
    coder = cursor.fixed(1, "coder of the flips")
    if coder >= MASK_FLIPS:
        raise PayloadError(f"the flips have the coder {coder}, but only 0 to {MASK_FLIPS - 1} are allowed")
    rest = memoryview(payload)[cursor.position :]
    return number, MaskRow(coder, length, flipped, len(rest)), rest
