"""The vectors for chunks: mask coder 9 and block coder 7, sections 5.5 and 6.3 of the specification.

The vectors are in the table beside this module.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from writer.chunks import (
    BLOCK_CHUNKS,
    MASK_CHUNKS,
    How,
    block_payload,
    chunked,
    chunked_block,
    cut,
    mask_payload,
    pieces,
)
from writer.coders import SIZES, D, bits
from writer.delta import coded_mask, flips
from writer.ids import CONSTANT, RAW, RAW_MASK
from writer.writer import Block, File, Mask, Values, bools, kept, tensor, tiled

from cases.content import counting, keep, noise, tile
from cases.delta_masks import EVERY
from cases.files import mask_cases, shows
from cases.rans import some_bits
from cases.valid import Valid, expect, one, same, since, upon, valid

MINOR = 6
# Every coder that a chunk of a block may have, with some of its methods.
BLOCKS: tuple[How, ...] = ((0,), (1,), (2, 0), (3, 0), (4, 1), (5, 0), (3, 1), (3, 2), (2, 1), (5, 2))


def masks(*rows: tuple[int, int, Sequence[How], int]) -> Valid:
    """Return layers that show masks in chunks: length, k, ways, ones in 256 bits; constant ones are made so."""
    made = []
    for seed, (length, k, hows, density) in enumerate(rows):
        values = some_bits(length, density, 2000 + seed)
        for i, start in enumerate(range(0, length, 1 << k)):
            if hows[i % len(hows)][0] == CONSTANT:
                values[start : start + (1 << k)] = values[start]
        made.append((values, chunked(values, k, hows)))
    return mask_cases(made, MINOR)


def content(dtype: D, count: int, seed: str) -> bytes:
    """Return elements of few values: a palette does for them."""
    size = SIZES[dtype]
    values = [
        bytes([i]) if dtype == D.BOOL else noise(size, f"chunks {seed} {i}") for i in range(2 if size == 1 else 5)
    ]
    return b"".join(values[byte % len(values)] for byte in noise(count, f"chunks {seed}"))


def blocks(*rows: tuple[D, int, int, Sequence[How]]) -> Valid:
    """Return tensors in blocks of chunks: dtype, elements, k, ways."""
    file, expected = File(header={"minor": MINOR}), []
    for i, (dtype, count, k, hows) in enumerate(rows):
        data = content(dtype, count, str(i))
        file.blocks.append(chunked_block(dtype, data, k, hows))
        file.entries.append(tensor(f"t{i}", (count,), i))
        expected.append(expect(f"t{i}", dtype, (count,), data))
    return one(file, *expected)


@valid
def chunks_mask_by_hand() -> Valid:
    """A payload written by hand: 19 bits in chunks of 8: raw, all ones, gaps of the last three."""
    hand = "03  01 00 03  04 08 01  01 00 0A  4B  28B52FFD 20 01 09 0000 01"
    return since(
        MINOR, mask_cases([(bits("11010010" + "1" * 8 + "010"), Mask(MASK_CHUNKS, 19, 13, bytes.fromhex(hand)))])
    )


@valid
def chunks_block_by_hand() -> Valid:
    """A payload written by hand: nine elements in chunks of 8: raw, and a palette of one value."""
    hand = "03  00 03  08 03  0102030405060708  0000 2A"
    file = File(blocks=[Block(D.INT8, BLOCK_CHUNKS, bytes.fromhex(hand))], entries=[tensor("t", (3, 3))])
    return since(MINOR, same(file, D.INT8, ("t", (3, 3), bytes([1, 2, 3, 4, 5, 6, 7, 8, 42]))))


@valid
def chunks_mask_most() -> Valid:
    """A mask of 65,536 chunks, the most: of eight bits, all ones or none; the last has one bit."""
    values = np.repeat(some_bits(1 << 16, 100, 9), 8)[: (1 << 19) - 7]
    return mask_cases([(values, chunked(values, 3, [(0,)]))], MINOR)


@valid
def chunks_users() -> Valid:
    """Masks in chunks: of a presence, a kept layer, a tiled layer with idle positions, a bool tensor."""
    presence, mine, active, flags = (some_bits(n, 128, 3000 + n) for n in (20, 30, 37, 17))
    ways = EVERY[1:3]
    file = File(masks=[chunked(m, 3, ways) for m in (presence, mine, active, flags)], header={"minor": MINOR})
    stored, values = counting(int(presence.sum())), counting(int(mine.sum()), 50)
    file.blocks = [Block(D.UINT8, RAW, stored.tobytes()), Block(D.UINT8, RAW, values.tobytes())]
    prototype = keep(presence, stored)
    full = tile(prototype, 100)
    places = np.flatnonzero(full)[:37]
    n = int(places[-1]) + 1 if len(places) == 37 else 100
    layer = np.zeros(n, "<u1")
    layer[places[active]] = full[places[active]]
    file.prototypes = [Values(20, 0, presence=0)]
    file.entries = [kept("k", (30,), 1, 1), tiled("w", (n,), 2), bools("b", (17,), 3)]
    return one(
        file,
        expect("k", D.UINT8, (30,), keep(mine, values)),
        expect("w", D.UINT8, (n,), layer),
        expect("b", D.BOOL, (17,), flags.astype("<u1")),
    )


@valid
def chunks_block_users() -> Valid:
    """A block in chunks of 16 elements of a prototype, a tensor, a tensor of none, a kept layer and another tensor."""
    data, choice = content(D.INT16, 60, "users"), some_bits(50, 128, 1)
    ones = int(choice.sum())
    values = np.frombuffer(data[: 2 * (5 + 9 + 3 + ones)], "<i2")
    file = File(masks=[mask_of(choice), mask_of(bits("1" * 5))], prototypes=[Values(5, 0)], header={"minor": MINOR})
    file.blocks = [chunked_block(D.INT16, values.tobytes(), 4, BLOCKS[:5])]
    file.entries = [
        tensor("a", (9,)),
        tensor("none", (0, 7)),
        kept("k", (50,), 0),
        tensor("b", (3,)),
        tiled("w", (5,), 1),
    ]
    a, k, b = values[5:14], values[14 : 14 + ones], values[14 + ones :]
    rows = [("a", (9,), a), ("none", (0, 7), values[:0]), ("k", (50,), keep(choice, k)), ("b", (3,), b)]
    return same(file, D.INT16, *rows, ("w", (5,), values[:5]))


def mask_of(values: np.ndarray) -> Mask:
    """Return a raw mask."""
    return coded_mask(values, RAW_MASK)


@valid
def delta_chunks() -> Valid:
    """A delta upon masks and blocks in chunks, with a mask in chunks of its own."""
    base = some_bits(40, 128, 2000)
    new = base ^ some_bits(40, 20, 5)
    other = some_bits(33, 90, 6)
    return since(
        MINOR,
        upon("chunks_mask_ends", mask_cases([(new, flips(base, new, 0, 1)), (other, chunked(other, 4, EVERY[1:3]))])),
    )


# What is damaged: 20 bits in chunks of eight, by coders 1, 5 and 3; 20 elements in chunks of eight.
BITS = some_bits(20, 128, 77)
CUT = cut(BITS, 3, (EVERY[1], EVERY[5], EVERY[3]))
ONES, SIZES_OF_CUT = [chunk.ones for chunk in CUT], [len(chunk.payload) for chunk in CUT]
DATA = content(D.UINT8, 20, "damaged")
CODERS, PIECES = pieces(D.UINT8, DATA, 3, BLOCKS[:3])
SIZES_OF_PIECES = [len(piece) for piece in PIECES]


def in_mask(payload: bytes, length: int = 20, ones: int | None = None) -> File:
    """Return a file of a layer that shows a mask with this payload."""
    return shows(Mask(MASK_CHUNKS, length, int(BITS.sum()) if ones is None else ones, payload), minor=MINOR)


def in_block(payload: bytes, count: int = 20, dtype: D = D.UINT8) -> File:
    """Return a file of a tensor in a block with this payload."""
    file = File(blocks=[Block(dtype, BLOCK_CHUNKS, payload)], entries=[tensor("t", (count,))])
    file.header = {"minor": MINOR}
    return file


def with_chunk(number: int, chunk: Mask) -> File:
    """Return a file of the mask with another chunk."""
    return in_mask(mask_payload(3, [*CUT[:number], chunk, *CUT[number + 1 :]]))


def with_piece(number: int, coder: int, piece: bytes) -> File:
    """Return a file of the block with another chunk."""
    coders = [*CODERS[:number], coder, *CODERS[number + 1 :]]
    return in_block(block_payload(3, coders, [*PIECES[:number], piece, *PIECES[number + 1 :]]))


def replaced(values: Sequence[int], number: int, value: object) -> list[object]:
    """Return values, one of them replaced."""
    return [*values[:number], value, *values[number + 1 :]]
