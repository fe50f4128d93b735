"""Mask coder 9 and block coder 7, chunks, for the conformance vectors: sections 5.5 and 6.3 of the specification.

What is inside the chunks is coded by the coders of before, as it is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from writer.coders import SIZES, Bits, D, Number, u, u8
from writer.delta import coded_block, coded_mask
from writer.writer import Block, Mask

MASK_CHUNKS, BLOCK_CHUNKS = 9, 7
How = tuple[int, ...]  # a coder, and its numbers


def mask_payload(k: int, chunks: Sequence[Mask], **columns: Sequence[Number]) -> bytes:
    """Return the payload of coder 9 for chunks, each coded as a mask; columns of the table may be replaced."""
    own: dict[str, Sequence[Number]] = {
        "coders": [chunk.coder for chunk in chunks],
        "ones": [chunk.ones for chunk in chunks],
        "sizes": [len(chunk.payload) for chunk in chunks],
    }
    told = own | columns
    table = b"".join([*map(u8, told["coders"]), *map(u, told["ones"]), *map(u, told["sizes"])])
    return u8(k) + table + b"".join(chunk.payload for chunk in chunks)


def cut(values: Bits, k: int, hows: Sequence[How]) -> list[Mask]:
    """Return the chunks of 2^k bits of a mask, coded in one of these ways after the other."""
    starts = range(0, len(values), 1 << k)
    return [coded_mask(values[at : at + (1 << k)], *hows[i % len(hows)]) for i, at in enumerate(starts)]


def chunked(values: Bits, k: int, hows: Sequence[How]) -> Mask:
    """Return a mask in chunks of 2^k bits."""
    return Mask(MASK_CHUNKS, len(values), int(values.sum()), mask_payload(k, cut(values, k, hows)))


def block_payload(
    k: int, coders: Sequence[Number], chunks: Sequence[bytes], sizes: Sequence[Number] | None = None
) -> bytes:
    """Return the payload of coder 7 for chunks that these coders code; sizes may be replaced."""
    table = [*map(u8, coders), *map(u, [len(chunk) for chunk in chunks] if sizes is None else sizes)]
    return u8(k) + b"".join(table) + b"".join(chunks)


def pieces(dtype: D, data: bytes, k: int, hows: Sequence[How]) -> tuple[list[int], list[bytes]]:
    """Return coders and payloads of the chunks of 2^k elements, coded in one of these ways after the other.

    A way is a coder, and which of its methods.
    """
    size = SIZES[dtype] << k
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    used = [hows[i % len(hows)] for i in range(len(parts))]
    return [how[0] for how in used], [coded_block(dtype, part, *how) for part, how in zip(parts, used, strict=True)]


def chunked_block(dtype: D, data: bytes, k: int, hows: Sequence[How]) -> Block:
    """Return a block in chunks of 2^k elements."""
    return Block(dtype, BLOCK_CHUNKS, block_payload(k, *pieces(dtype, data, k, hows)))
