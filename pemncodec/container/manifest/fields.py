"""Fields that more than one table has: mask references and scales (spec section 4.5)."""

from __future__ import annotations

from ...errors import ManifestError
from ..cursor import Cursor, varint


class MaskReferences:
    """Mask references of spec section 4.5: 0 is the next mask that was not referred to before."""

    def __init__(self) -> None:
        self.seen = 0

    def read(self, cursor: Cursor, what: str) -> int:
        """The mask index that the next reference stands for."""
        reference = cursor.varint(f"mask of {what}")
        if reference == 0:
            self.seen += 1
            return self.seen - 1
        if reference > self.seen:
            raise ManifestError(f"mask of {what}: mask {reference - 1} has not been referred to before")
        return reference - 1

    def write(self, index: int) -> bytes:
        """The reference to mask `index`; masks must be numbered in the order of first use."""
        if index == self.seen:
            self.seen += 1
            return varint(0)
        assert index < self.seen, "masks are numbered in the order of first use"
        return varint(index + 1)


def read_scale(cursor: Cursor, what: str) -> int:
    """A float32 bit pattern: finite and above 0."""
    bits = cursor.fixed(4, f"scale of {what}")
    if not 0 < bits < 0x7F800000:
        raise ManifestError(f"scale of {what} has the bits {bits:#010x}: not a finite number above 0")
    return bits
