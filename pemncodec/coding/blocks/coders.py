"""Block coders: elements <-> bytes, one coder a file (spec section 6).

Each module has `encode(words, dtype, limit) -> bytes | None` (None: surely not below `limit` bytes) and
`decode(payload, dtype, count) -> words`, where `words` are elements as unsigned integers
(`pemncodec.common.words`) and `count` is the number of elements. `xor` and `chunks` are put around any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...common.dtypes import DType
from ...common.words import Words, word_type
from ...container.cursor import Payload
from ...container.manifest.coder_table import BLOCK_CHUNKS, BLOCK_CODERS, BLOCK_RAW, BLOCK_XOR
from ...container.manifest.rows import BlockRow
from ...errors import PayloadError
from .. import chunks
from ..modules import Modules
from . import raw, xor
from .experience import Experience

CODERS = Modules(BLOCK_CODERS, __package__)

# Of a block, and how an encoder cuts one: 64 to 128 chunks, of 64 to 256 KiB of elements.
IN_CHUNKS = chunks.Kind(BLOCK_XOR, ones=False, unit="elements")
_LEAST_BYTES, _POWERS_OF_BYTES, _POWER_OF_COUNT = 1 << 20, (16, 18), 6

# Takes what the users of a block refer to in the base.
TakeReferences = Callable[[Sequence[int]], None]


def encode_block(words: Words, dtype: DType, experience: Experience | None = None) -> tuple[BlockRow, bytes]:
    """The smallest coding of a block; the lowest id on a tie.

    Args:
        experience: with blocks of its kind: says which coders are not tried.
    """
    coder, payload = BLOCK_RAW, raw.encode(words, dtype, words.nbytes)
    size = max(1, words.nbytes)
    hopeless = set() if experience is None else experience.hopeless()
    sizes: dict[int, int | None] = {}
    for other in sorted(CODERS.in_order(), key=hopeless.__contains__):  # those last, the others as they are
        if other in hopeless and experience is not None and not experience.is_surprised(len(payload) / size):
            break
        candidate = CODERS[other].encode(words, dtype, len(payload))
        sizes[other] = None if candidate is None else len(candidate)
        if candidate is not None and (len(candidate), other) < (len(payload), coder):
            coder, payload = other, candidate
    if experience is not None:
        experience.note(sizes, len(payload), len(payload) / size)
    return BlockRow(dtype, coder, len(payload)), payload


def encode_in_chunks(words: Words, dtype: DType, experience: Experience | None = None) -> tuple[BlockRow, bytes]:
    """As `encode_block`, but a block of a mebibyte or more can be decoded in parts: it is raw, or in chunks."""
    if words.nbytes < _LEAST_BYTES:
        return encode_block(words, dtype, experience)
    per = dtype.words_per_element
    count = len(words) // per
    least, most = _POWERS_OF_BYTES
    of_bytes = min(max(words.nbytes.bit_length() - 1 - _POWER_OF_COUNT, least), most)
    power = chunks.power_for(count, of_bytes - (dtype.itemsize.bit_length() - 1))
    experience = Experience()  # its chunks are of one kind
    pieces = [words[per * i : per * (i + (1 << power))] for i in range(0, count, 1 << power)]
    coded = [encode_block(piece, dtype, experience) for piece in pieces]
    payload = chunks.write(power, [row.coder for row, _ in coded], (), [part for _, part in coded])
    if len(payload) >= words.nbytes:
        payload = raw.encode(words, dtype, words.nbytes)
        return BlockRow(dtype, BLOCK_RAW, len(payload)), payload
    return BlockRow(dtype, BLOCK_CHUNKS, len(payload)), payload


def encode_xor(differences: Words, dtype: DType, references: Sequence[int]) -> tuple[BlockRow, bytes]:
    """A block as what is different from elements of the base.

    Args:
        references: of the users, as the file says them.
    """
    row, payload = encode_block(differences, dtype)
    payload = xor.write(references, row.coder, payload)
    return BlockRow(dtype, BLOCK_XOR, len(payload)), payload


def decode_block(
    row: BlockRow, payload: Payload, count: int, index: int, users: int = 0, take: TakeReferences | None = None
) -> Words:
    """The elements of block `index`; of coder 6 what is different from those of the base.

    Args:
        users: how many take elements of the block.
        take: needed for coder 6.

    Raises:
        PayloadError: the payload does not give `count` elements of `row.dtype`.
        FormatError, BaseFileError: as `take`.
    """
    words: Words
    try:
        if row.coder == BLOCK_CHUNKS:
            words = _joined(row, payload, count)
        elif row.coder != BLOCK_XOR:
            words = CODERS[row.coder].decode(payload, row.dtype, count)
        else:
            assert take is not None, "the decoder of a file has it"
            references, coder, differences = xor.read(payload, users)
            words = CODERS[coder].decode(differences, row.dtype, count)
            take(references)
        if row.coder != BLOCK_XOR:
            check_bools(words, row.dtype)
    except PayloadError as reason:
        raise PayloadError(f"block {index}: {reason}") from None
    return words


def decode_chunk(chunk: chunks.Chunk, dtype: DType, payload: Payload, number: int) -> Words:
    """The elements of chunk `number` of a block.

    Raises:
        PayloadError: the payload does not give as many elements of `dtype` as the chunk has.
    """
    try:
        words: Words = CODERS[chunk.coder].decode(payload, dtype, chunk.length)
        check_bools(words, dtype)
    except PayloadError as reason:
        raise PayloadError(f"chunk {number}: {reason}") from None
    return words


def _joined(row: BlockRow, payload: Payload, count: int) -> Words:
    table = chunks.read_table(payload, row.size, count, 0, IN_CHUNKS)
    words = np.empty(row.dtype.words_per_element * count, dtype=word_type(row.dtype))
    content, start = memoryview(payload), 0
    for number, chunk in enumerate(table):
        decoded = decode_chunk(chunk, row.dtype, content[chunk.start : chunk.stop], number)
        words[start : start + len(decoded)] = decoded
        start += len(decoded)
    return words


def check_bools(words: Words, dtype: DType, where: str = "") -> None:
    """Refuse elements that their dtype does not have (spec section 4.8).

    Args:
        where: begins the message.

    Raises:
        PayloadError: a bool is neither 0 nor 1.
    """
    if dtype.kind == "bool" and len(words) and words.max() > 1:
        raise PayloadError(f"{where}a bool is {words.max()}, and must be 0 or 1")
