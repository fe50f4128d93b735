"""Block coders: elements <-> bytes, one coder a file (spec section 6).

Each module has `encode(words, dtype, limit) -> bytes | None` (None: surely not below `limit` bytes) and
`decode(payload, dtype, count) -> words`, where `words` are elements as unsigned integers
(`pemncodec.common.words`) and `count` is the number of elements. `xor` is put around any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...common.dtypes import DType
from ...common.words import Words
from ...container.cursor import Payload
from ...container.manifest.coder_table import BLOCK_CODERS, BLOCK_RAW, BLOCK_XOR
from ...container.manifest.rows import BlockRow
from ...errors import PayloadError
from ..modules import Modules
from . import raw, xor
from .experience import Experience

CODERS = Modules(BLOCK_CODERS, __package__)

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
        if row.coder != BLOCK_XOR:
            words = CODERS[row.coder].decode(payload, row.dtype, count)
        else:
            assert take is not None, "the decoder of a file has it"
            references, coder, differences = xor.read(payload, users)
            words = CODERS[coder].decode(differences, row.dtype, count)
            take(references)
    except PayloadError as reason:
        raise PayloadError(f"block {index}: {reason}") from None
    if row.coder != BLOCK_XOR:
        check_bools(words, row.dtype, index)
    return words


def check_bools(words: Words, dtype: DType, index: int) -> None:
    """Refuse elements of block `index` that their dtype does not have (spec section 4.8)."""
    if dtype.kind == "bool" and len(words) and words.max() > 1:
        raise PayloadError(f"block {index}: a bool is {words.max()}, and must be 0 or 1")
