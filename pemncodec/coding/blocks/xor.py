"""Coder 6: what is different from elements of the base, bit by bit, by another coder (spec section 6.2)."""

from __future__ import annotations

from collections.abc import Sequence

from ...container.cursor import Cursor, Payload, varints
from ...container.manifest.coder_table import BLOCK_XOR
from ...errors import PayloadError


def write(references: Sequence[int], coder: int, differences: Payload) -> bytes:
    """The payload of a block.

    Args:
        references: for every user 0, or one more than the number of a prototype or entry of the base.
        coder: of the differences.
        differences: their payload.
    """
    return b"".join((varints(references), bytes([coder]), differences))


def read(payload: Payload, users: int) -> tuple[list[int], int, Payload]:
    """Read what `write` has written.

    Raises:
        PayloadError: a field that is not allowed.
    """
    cursor = Cursor(payload, PayloadError)
    references = cursor.varints(users, "reference to the base")
    coder = cursor.fixed(1, "coder of the differences")
    if coder >= BLOCK_XOR:
        raise PayloadError(f"the differences have the coder {coder}, but only 0 to {BLOCK_XOR - 1} are allowed")
    return references, coder, memoryview(payload)[cursor.position :]
