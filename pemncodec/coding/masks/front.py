"""The front of a mask of rANS bytes (spec section 5.2), decoded as far as it is needed."""

from __future__ import annotations

from ...common import bits
from ...common.bits import Packed
from ...common.forks import ProcessLock
from ...container.cursor import Payload
from ...container.manifest.rows import MaskRow
from ...errors import PayloadError
from .. import rans
from . import rans_bytes
from .coders import checked


class MaskFront:
    """Bits of mask `index` from the first to any, for any number of threads.

    Byte i follows from those before it. What was decoded is kept, and decoding goes on from there; all checks of a mask
    are made once its last bit is asked for.

    Args:
        row: of a mask with coder 5.
        payload: its bytes.
        index: for messages.

    Raises:
        PayloadError: states and words are not those of a mask of `row.length` bits.
    """

    def __init__(self, row: MaskRow, payload: Payload, index: int) -> None:
        self._row = row
        self._index = index
        self._lock = ProcessLock()
        try:
            self._front = rans.Front(rans_bytes.stream(payload, row.length))
        except PayloadError as reason:
            raise PayloadError(f"mask {index}: {reason}") from None

    def until(self, stop: int) -> Packed:
        """The bytes of bits 0 … stop − 1.

        Raises:
            PayloadError: there are too few words, or all of the mask is not what the manifest says.
        """
        size = bits.byte_length(stop)
        with self._lock:
            try:
                packed = self._front.until(size)
                return packed if stop < self._row.length else checked(packed, self._row, "the manifest")
            except PayloadError as reason:
                raise PayloadError(f"mask {self._index}: {reason}") from None
