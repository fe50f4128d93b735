"""The vectors for mask coders 5 to 7, rANS: sections 5.1 to 5.3 of the specification, with 3, 4.3 and 5.

The content is noise, or stated by hand, never read from a payload. Vectors of one line, the invalid ones among them,
are in the table beside this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from writer.coders import Bits, D, pack, u
from writer.delta import coded_mask
from writer.ids import CONSTANT, RAW, RAW_MASK
from writer.rans import (
    END,
    RANS_BYTES,
    RANS_GAPS_OF_ONES,
    RANS_GAPS_OF_ZEROS,
    Coded,
    byte_frequencies,
    escaped,
    gap_frequencies,
    gaps_head,
    low_bits,
    rans,
    rans_mask,
)
from writer.writer import Block, File, Mask, Values, kept, tiled

from cases.content import choose, counting, keep, noise, tile
from cases.files import mask_cases, shows
from cases.valid import Valid, again, demand, same, since, valid

RANS_GAPS = (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS)
# Coder; q and lanes, or s, t and lanes.
EACH = ((RANS_BYTES, 100, 1), (RANS_GAPS_OF_ONES, 1, 90, 1), (RANS_GAPS_OF_ZEROS, 0, 140, 1))
ESCAPED = (255, 254, 256, 0, 509, 510, 511, 1020, 255, 255, 1, 0)


def some_bits(n: int, density: int, seed: int = 0) -> Bits:
    """Return bits of which some `density` in 256 are ones."""
    return np.asarray(np.frombuffer(noise(n, f"rans {density} {seed}"), np.uint8) < density)


def unpacked(data: bytes) -> Bits:
    """Return the bits in bytes."""
    return np.asarray(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little") == 1)


def where(n: int, positions: Sequence[int], coder: int = RANS_GAPS_OF_ONES) -> Bits:
    """Return bits with ones, for coder 7 zeros, at these positions."""
    made = np.full(n, coder == RANS_GAPS_OF_ZEROS, dtype=np.bool_)
    made[list(positions)] = coder == RANS_GAPS_OF_ONES
    return made


def after_gaps(gaps: Sequence[int], tail: int, coder: int = RANS_GAPS_OF_ONES) -> Bits:
    """Return the same after these gaps, and so many bits behind the last position."""
    positions = (np.cumsum(np.array(gaps) + 1) - 1).tolist()
    return where(positions[-1] + 1 + tail, positions, coder)


def coded(*rows: tuple[Any, ...]) -> Valid:
    """Return layers that show masks, each by a coder and its numbers."""
    return mask_cases([(pattern, coded_mask(pattern, *how)) for pattern, *how in rows], 1)


def vary(made: Coded) -> None:
    """Demand that states are of every size."""
    demand(max(made.states) >= 1 << 31 and min(made.states) < 1 << 17, "no state is large, or none is small")


def recoded(base: str, shift: int) -> Valid:
    """Return a vector of before whose masks, raw or constant, are coded by coders 5 to 7 in turn."""
    made = again(base)
    for i, old in enumerate(made.file.masks):
        demand(old.coder in (CONSTANT, RAW_MASK), "a mask of another coder")
        length = int(old.length)
        full = np.full(length, bool(old.ones), dtype=np.bool_)
        values = unpacked(old.payload)[:length] if old.coder == RAW_MASK else full
        made.file.masks[i] = rans_mask(values, *EACH[(i + shift) % 3])
    return since(1, made)


@valid
def rans_users() -> Valid:
    """Each of coders 5 to 7 for a mask of a partial prototype, of a kept layer and of a tiled layer."""
    file, layers, values = File(), [], counting(250)
    masks: list[list[Mask]] = [[], [], []]
    ones = [int(some_bits(n, density, i).sum()) for n, density in ((41, 120), (35, 40)) for i in range(3)]
    stored = np.split(values[: sum(ones)], np.cumsum(ones)[:-1])
    for i, how in enumerate(EACH):
        presence, choice = some_bits(41, 120, i), some_bits(35, 40, i)
        bits_of_layer, full = choose(some_bits(99, 90, i), tile(keep(presence, stored[i]), 99, 5))
        for part, pattern in zip(masks, (presence, choice, bits_of_layer), strict=True):
            part.append(rans_mask(pattern, *how))
        file.prototypes.append(Values(41, 0, presence=i))
        file.entries += [kept(f"k{i}", (35,), 3 + i), tiled(f"w{i}", (9, 11), 6 + i, i, 5)]
        layers += [(f"k{i}", (35,), keep(choice, stored[3 + i])), (f"w{i}", (9, 11), full)]
    file.masks = [row for part in masks for row in part]
    file.blocks = [Block(D.UINT8, RAW, values[: sum(ones)].tobytes())]
    return since(1, same(file, D.UINT8, *layers))


def broken(coder: int, length: int, ones: int, payload: bytes) -> File:
    """Return a layer of one prototype element with this mask, in a file of minor 1."""
    return shows(Mask(coder, length, ones, payload), minor=1)


ENDS = (END + 1, END << 1, 2**32 - 1)  # wrong last states of three lanes


def in_three(content: bytes, table: Sequence[int]) -> Coded:
    """Return the rANS of a content in three lanes, the last word of which is 0."""
    made = rans(content, table, 3)
    demand(made.words[-1] == 0, "the last word is not 0")
    return made


def one_more(content: bytes, table: Sequence[int]) -> bytes:
    """Return the rANS of a content in a lane more than it has bytes."""
    made = rans(content, table, len(content))
    return Coded(len(content) + 1, [*made.states, END], made.words).build()


def low(content: bytes, table: Sequence[int], lane: int) -> bytes:
    """Return the rANS of a content in three lanes, in one of which the state is below 2^16, and all else is right."""
    made = rans(content, table, 3, below=lane)
    demand([state < END for state in made.states].index(True) == lane, "no state is too small")
    return made.build()


RARE = some_bits(187, 40)
RARE[:24] = False  # so frequent that the states may begin below 2^16
RARE[176:184] = True  # so rare, and the last of its lane, that its word is the last, and 0
GAPS = [0, 1, 2, *(7 * i % 40 for i in range(19)), 200 << 2, 5]  # the first and last ones are as in that
# What is damaged: name, coder, mask, head, content and table of the rANS, head for a mask of no bits.
IN_THREE: tuple[tuple[str, int, Bits, bytes, bytes, list[int], bytes], ...] = (
    ("bytes", RANS_BYTES, RARE, b"\x28", pack(RARE), byte_frequencies(40), b"\x28"),
    (
        "gaps",
        RANS_GAPS_OF_ONES,
        after_gaps(GAPS, 9),
        gaps_head(GAPS, 2, 140),
        escaped(gap >> 2 for gap in GAPS),
        gap_frequencies(140),
        b"\2\x8c\0",
    ),
)
FEW = [3, 9, 70, 2, 31]  # gaps of five positions in 600 bits
LOW, HIGHS = low_bits(FEW, 3), escaped(gap >> 3 for gap in FEW)


def raw(what: bytes, s: int = 0, low: bytes = b"", count: int | bytes | None = None) -> bytes:
    """Return a payload of gap bytes and low bits that need not fit together; `count` replaces K."""
    return bytes([s, 90]) + u(len(what) if count is None else count) + low + rans(what, gap_frequencies(90)).build()


def with_gaps(coder: int, payload: bytes, positions: int = 5, length: int = 600) -> File:
    """Return a layer whose mask has so many positions and this payload."""
    return broken(coder, length, positions if coder == RANS_GAPS_OF_ONES else length - positions, payload)
