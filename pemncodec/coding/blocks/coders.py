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

# Xors into the elements of a block what its users refer to in the base.
AddBase = Callable[[Sequence[int], Words], None]


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
    row: BlockRow, payload: Payload, count: int, index: int, users: int = 0, add_base: AddBase | None = None
) -> Words:
    """The elements of block `index`.

    Args:
        users: how many take elements of the block.
        add_base: needed for coder 6.

    Raises:
        PayloadError: the payload does not give `count` elements of `row.dtype`.
        FormatError, BaseFileError: as `add_base`.
    """
    words: Words
    try:
        if row.coder != BLOCK_XOR:
            words = CODERS[row.coder].decode(payload, row.dtype, count)
        else:
            assert add_base is not None, "the decoder of a file has it"
            references, coder, differences = xor.read(payload, users)
            words = CODERS[coder].decode(differences, row.dtype, count)
            words = words if words.flags.writeable else words.copy()
            add_base(references, words)
    except PayloadError as reason:
        raise PayloadError(f"block {index}: {reason}") from None
    if row.dtype.kind == "bool" and count and words.max() > 1:
        raise PayloadError(f"block {index}: a bool is {words.max()}, and must be 0 or 1")
    return words
