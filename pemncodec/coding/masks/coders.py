"""Mask coders: bits <-> bytes, one coder a file (spec section 5).

Each module has `encode(packed, length, ones, limit) -> bytes | None` (None: surely not below `limit` bytes) and
`decode(payload, length, ones) -> packed`, where `packed` are bits in bytes (`pemncodec.common.bits`). `flips` and
`chunks` are put around any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from ...common import bits
from ...common.bits import Packed
from ...container.cursor import Payload
from ...container.manifest.coder_table import MASK_CHUNKS, MASK_CODERS, MASK_CONSTANT, MASK_FLIPS, MASK_RAW
from ...container.manifest.rows import MaskRow
from ...errors import PayloadError
from .. import chunks
from ..modules import Modules
from . import flips

CODERS = Modules(MASK_CODERS, __package__)

# Of a mask, and how an encoder cuts one: chunks of 32 KiB of bits, or 64 to 128 of a smaller mask.
IN_CHUNKS = chunks.Kind(MASK_FLIPS, ones=True, unit="bits")
_LEAST_BITS, _POWER, _POWER_OF_COUNT = 1 << 20, 18, 6

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


def encode_in_chunks(packed: Packed, length: int) -> tuple[MaskRow, Payload]:
    """As `encode_mask`, but a mask of 2^20 bits or more can be decoded in parts: it is constant, raw, or in chunks."""
    ones = bits.count_ones(packed)
    if length < _LEAST_BITS or ones in (0, length):
        return encode_mask(packed, length)
    power = chunks.power_for(length, min(_POWER, length.bit_length() - 1 - _POWER_OF_COUNT))
    starts = range(0, length, 1 << power)
    parts = [(start, min(start + (1 << power), length)) for start in starts]
    coded = [encode_mask(bits.part(packed, *part), part[1] - part[0]) for part in parts]
    rows = [row for row, _ in coded]
    payload = chunks.write(power, [row.coder for row in rows], [row.ones for row in rows], [part for _, part in coded])
    if len(payload) >= len(packed):
        return MaskRow(MASK_RAW, length, ones, len(packed)), cast(Payload, np.ascontiguousarray(packed).data)
    return MaskRow(MASK_CHUNKS, length, ones, len(payload)), payload


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
        if row.coder == MASK_CHUNKS:
            return _joined(row, payload)
        if row.coder != MASK_FLIPS:
            return _decode(row, payload, "the manifest")
        assert base is not None, "the decoder of a file has it"
        number, flipped, rest = flips.read(payload, row.length)
        packed = base(number, row.length) ^ _decode(flipped, rest, "the front of the flips")
        return _counted(packed, row.ones, "the manifest")
    except PayloadError as reason:
        raise PayloadError(f"mask {index}: {reason}") from None


def _joined(row: MaskRow, payload: Payload) -> Packed:
    table = chunks.read_table(payload, row.size, row.length, row.ones, IN_CHUNKS)
    packed = np.empty(bits.byte_length(row.length), dtype=np.uint8)
    content = memoryview(payload)
    for number, chunk in enumerate(table):
        start = number << table.power
        decoded = decode_chunk(chunk, content[chunk.start : chunk.stop], number)
        packed[start // 8 : bits.byte_length(start + chunk.length)] = decoded
    return packed


def decode_chunk(chunk: chunks.Chunk, payload: Payload, number: int) -> Packed:
    """The bits of chunk `number` of a mask.

    Raises:
        PayloadError: the payload does not give what the table of chunks says.
    """
    try:
        return _decode(MaskRow(chunk.coder, chunk.length, chunk.ones, chunk.size), payload, "the table of chunks")
    except PayloadError as reason:
        raise PayloadError(f"chunk {number}: {reason}") from None


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
