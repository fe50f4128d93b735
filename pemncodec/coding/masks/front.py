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

    Byte i follows from those before it. What was decoded is kept, and decoding goes on from there. The number of ones
    is checked as far as it can be; all checks of a mask are made once its last bit is asked for.

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
        self._done = self._ones = 0  # bytes that were decoded and counted, and the ones in them
        try:
            self._front = rans.Front(rans_bytes.stream(payload, row.length))
        except PayloadError as reason:
            raise PayloadError(f"mask {index}: {reason}") from None

    def until(self, stop: int) -> Packed:
        """The bytes of bits 0 … stop − 1.

        Raises:
            PayloadError: there are too few words, or no mask as the manifest says begins like this.
        """
        size = bits.byte_length(stop)
        with self._lock:
            try:
                packed = self._front.until(size)
                if size > self._done:
                    self._check(packed)
            except PayloadError as reason:
                raise PayloadError(f"mask {self._index}: {reason}") from None
            return packed

    def _check(self, packed: Packed) -> None:
        length, ones = self._row.length, self._ones + bits.count_ones(packed[self._done :])
        if len(packed) == bits.byte_length(length):
            checked(packed, self._row, "the manifest")
        elif not ones <= self._row.ones <= length - (8 * len(packed) - ones):
            raise PayloadError(
                f"{ones} of its first {8 * len(packed)} bits are one, but the manifest says {self._row.ones} in all"
            )
        self._done, self._ones = len(packed), ones
