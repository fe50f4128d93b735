"""Mask coders: bits <-> bytes, one coder a file (spec section 5).

Each module has `encode(packed, length, ones, limit) -> bytes | None` (None: surely not below `limit` bytes) and
`decode(payload, length, ones) -> packed`, where `packed` are bits in bytes (`pemncodec.common.bits`). `flips` is put
around any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from ...common import bits
from ...common.bits import Packed
from ...container.cursor import Payload
from ...container.manifest.coder_table import MASK_CODERS, MASK_CONSTANT, MASK_FLIPS, MASK_RAW
from ...container.manifest.rows import MaskRow
from ...errors import PayloadError
from ..modules import Modules
from . import flips

CODERS = Modules(MASK_CODERS, __package__)

# The bits of a mask of the base by its number, if it has as many as the second argument says.
BaseMask = Callable[[int, int], Packed]


def encode_mask(packed: Packed, length: int) -> tuple[MaskRow, Payload]:
    """The smallest coding of a mask; the lowest id on a tie."""
    ones = bits.count_ones(packed)
    coder, payload = MASK_RAW, cast(Payload, np.ascontiguousarray(packed).data)
    for other in CODERS.in_order():
        if coder == MASK_CONSTANT:
            break
        candidate = CODERS[other].encode(packed, length, ones, len(payload) + (other < coder))
        if candidate is not None and (len(candidate), other) < (len(payload), coder):
            coder, payload = other, candidate
    return MaskRow(coder, length, ones, len(payload)), payload


def encode_flips(packed: Packed, length: int, number: int, base: Packed) -> tuple[MaskRow, Payload]:
    """A mask as what is different from mask `number` of the base, which has these bits."""
    payload = flips.write(number, *encode_mask(packed ^ base, length))
    return MaskRow(MASK_FLIPS, length, bits.count_ones(packed), len(payload)), payload


def decode_mask(row: MaskRow, payload: Payload, index: int, base: BaseMask | None = None) -> Packed:
    """The bits of mask `index`.

    Args:
        base: gives the masks of the base; needed for coder 8.

    Raises:
        PayloadError: the payload does not give `row.length` bits with `row.ones` ones.
        FormatError, BaseFileError: as `base`.
    """
    try:
        if row.coder != MASK_FLIPS:
            return _decode(row, payload, "the manifest")
        assert base is not None, "the decoder of a file has it"
        number, flipped, rest = flips.read(payload, row.length)
        packed = base(number, row.length) ^ _decode(flipped, rest, "the front of the flips")
        return _counted(packed, row.ones, "the manifest")
    except PayloadError as reason:
        raise PayloadError(f"mask {index}: {reason}") from None


def check_raw_part(row: MaskRow, payload: Payload, index: int, start: int, stop: int) -> Packed:
    """Bits start … stop − 1 of mask `index`, which is raw, as bits of their own.

    Args:
        payload: the bytes that they are in.

    Raises:
        PayloadError: no mask of `row.length` bits with `row.ones` ones has such a part.
    """
    if row.size != bits.byte_length(row.length):
        raise PayloadError(f"mask {index}: {row.length} raw bits in {row.size} bytes")
    stored = np.frombuffer(payload, dtype=np.uint8)
    if stop == row.length and stop > start and not bits.padding_is_zero(stored, row.length):
        raise PayloadError(f"mask {index}: the padding after its {row.length} bits is not zero")
    packed = bits.part(stored, start % 8, start % 8 + stop - start)
    ones = bits.count_ones(packed)
    if not ones <= row.ones <= row.length - (stop - start - ones):
        raise PayloadError(
            f"mask {index}: {ones} of {stop - start} bits are one, but the manifest says {row.ones} in all"
        )
    return packed


def _decode(row: MaskRow, payload: Payload, who: str) -> Packed:
    return checked(CODERS[row.coder].decode(payload, row.length, row.ones), row, who)


def checked(packed: Packed, row: MaskRow, who: str) -> Packed:
    """All bits of a mask, if their padding is zero and as many are one as the row says.

    Args:
        who: names the row in the message.

    Raises:
        PayloadError: they are not.
    """
    if not bits.padding_is_zero(packed, row.length):
        raise PayloadError(f"the padding after its {row.length} bits is not zero")
    return _counted(packed, row.ones, who)


def _counted(packed: Packed, expected: int, who: str) -> Packed:
    ones = bits.count_ones(packed)
    if ones != expected:
        raise PayloadError(f"{ones} of its bits are one, but {who} says {expected}")
    return packed
