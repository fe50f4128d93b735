"""The valid vectors for mask coders 5 to 7, rANS: sections 5.1 to 5.3 of the specification, with 4.3 and 5.

The content is noise, or stated by hand, never read from a payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from vector_cases_arranged import demand, since_1
from vector_cases_layers import choose, tile
from vector_cases_valid import PATTERNS, VALID, Valid, counting, expect, gap_patterns, gaps_file, keep, one, valid
from vector_coders import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, RAW, RAW_MASK, ZSTD_MASK, Bits, D, bits, pack
from vector_rans import (
    MOST,
    RANS_BYTES,
    RANS_GAPS_OF_ONES,
    RANS_GAPS_OF_ZEROS,
    byte_frequencies,
    escaped,
    rans,
    rans_mask,
)
from vector_writer import Block, File, Mask, Values, kept, mask, tiled

RANS_GAPS = (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS)
# Coder; q and lanes, or s, t and lanes.
EACH = ((RANS_BYTES, 100, 1), (RANS_GAPS_OF_ONES, 1, 90, 1), (RANS_GAPS_OF_ZEROS, 0, 140, 1))


def noise(n: int, density: int, seed: int = 0) -> Bits:
    """Bits of which some `density` in 256 are ones."""
    made = hashlib.shake_256(f"pemn rans {density} {seed}".encode()).digest(n)
    return np.asarray(np.frombuffer(made, np.uint8) < density)


def where(n: int, positions: Sequence[int], coder: int = RANS_GAPS_OF_ONES) -> Bits:
    """Bits with ones, for coder 7 zeros, at these positions."""
    made = np.full(n, coder == RANS_GAPS_OF_ZEROS, dtype=np.bool_)
    made[list(positions)] = coder == RANS_GAPS_OF_ONES
    return made


def after_gaps(gaps: Sequence[int], tail: int, coder: int) -> Bits:
    """The same after these gaps, and so many bits behind the last position."""
    positions = (np.cumsum(np.array(gaps) + 1) - 1).tolist()
    return where(positions[-1] + 1 + tail, positions, coder)


def shown(*rows: tuple[Bits, Mask]) -> Valid:
    """Layers of one prototype element, which show their masks."""
    made = gaps_file(RAW_MASK, *(pattern for pattern, _ in rows))
    made.file.masks = [coded for _, coded in rows]
    return since_1(made)


def coded(*rows: tuple[Bits, tuple[int, ...]]) -> Valid:
    """The same; each by a coder and its numbers."""
    return shown(*((pattern, rans_mask(pattern, *how)) for pattern, how in rows))


# --- valid --------------------------------------------------------------------------------------------------


@valid
def rans_bytes() -> Valid:
    """Coder 5: q of 1, 127, 128, 129, 255 and others, near the density; lengths that are multiples of 8 or not."""
    sizes = enumerate((1, 3, 30, 127, 128, 129, 200, 254, 255))
    return coded(*((noise(n + i, q), (RANS_BYTES, q, 1)) for i, q in sizes for n in (800, 801)))


@valid
def rans_bytes_far() -> Valid:
    """Coder 5: q far from the density; every byte takes 16 bits at worst."""
    rows = ((0, 255), (5, 255), (250, 1), (256, 1), (128, 1), (128, 255), (0, 1), (256, 255), (40, 200))
    return coded(*((noise(203, density), (RANS_BYTES, q, 2)) for density, q in rows))


@valid
def rans_bytes_every() -> Valid:
    """Coder 5: every byte, ascending and descending, under several frequencies."""
    every = np.unpackbits(np.arange(256, dtype=np.uint8), bitorder="little").astype(np.bool_)
    return coded(*((row, (RANS_BYTES, q, 3)) for row in (every, every[::-1]) for q in (1, 60, 128, 129, 255)))


@valid
def rans_bytes_short() -> Valid:
    """Coder 5: lengths of 1 to 17, constant bits among them; and no bits, which take no bytes in one lane."""
    rows = [noise(n, density, n) for n in (*range(1, 10), 15, 16, 17) for density in (0, 120, 256)]
    return coded(*((row, (RANS_BYTES, 120, 1)) for row in [*rows, *map(bits, PATTERNS)]))


@valid
def rans_bytes_lanes() -> Valid:
    """Coder 5: 24 and 25 bytes in 1 to 25 lanes, a multiple of the lanes or not, or as many as the lanes."""
    rows = [(n, lanes) for n in (192, 193, 200) for lanes in (1, 2, 3, 5, 7, 8, 23, 24, 25) if 8 * lanes < n + 8]
    return coded(*((noise(n, 90, n), (RANS_BYTES, 90, lanes)) for n, lanes in rows))


@valid
def rans_bytes_most() -> Valid:
    """Coder 5: exactly 8,192 bytes a lane, in one lane and in two; the last byte has all its bits, or one."""
    rows = [(noise(8 * MOST * lanes - 7 * i, 1, lanes), lanes) for lanes in (1, 2) for i in (0, 1)]
    return coded(*((row, (RANS_BYTES, 1, lanes)) for row, lanes in rows))


@valid
def rans_bytes_long() -> Valid:
    """Coder 5: many lanes that give words in every order; states of 2^31 and more, and near 2^16."""
    rows = [
        (noise(30_003, 77, lanes), rans_mask(noise(30_003, 77, lanes), RANS_BYTES, 77, lanes)) for lanes in (8, 999)
    ]
    states = rans(pack(rows[1][0]), byte_frequencies(77), 999).states
    demand(max(states) >= 1 << 31 and min(states) < 1 << 17, "no state is large, or none is small")
    return shown(*rows)


@valid
def rans_gaps() -> Valid:
    """Coders 6 and 7: s of 0, 3 and 31, t of 1, 128 and 255, in one lane and in four; the last bit is a position."""
    pattern = np.append(noise(500, 12), True)
    rows = [(s, t, lanes) for s in (0, 3, 31) for t in (1, 128, 255) for lanes in (1, 4)]
    return coded(*((pattern ^ (c == RANS_GAPS_OF_ZEROS), (c, *row)) for row in rows for c in RANS_GAPS))


@valid
def rans_gaps_escapes() -> Valid:
    """Coders 6 and 7: h of 254 to 256, 509 to 511 and 1,020, some one after another; s of 0 and 3; a long tail."""
    rows = []
    for coder in RANS_GAPS:
        for s, t in ((0, 2), (0, 255), (3, 1)):
            highs = (255, 254, 256, 0, 509, 510, 511, 1020, 255, 255, 1, 0)
            gaps = [(h << s) + i % (1 << s) for i, h in enumerate(highs)]
            demand(b"\xff\xff\xff\xff\0" in escaped(gap >> s for gap in gaps), "no 255 four times in a row")
            rows += [(after_gaps(gaps, tail, coder), (coder, s, t, lanes)) for tail, lanes in ((0, 1), (700, 5))]
    return coded(*rows)


@valid
def rans_gaps_most_bytes() -> Valid:
    """Coders 6 and 7: as many gap bytes as are allowed, positions + floor(length / 255); the last bit a position."""
    pattern, last = gap_patterns()
    longest = np.arange(511) == 510
    rows = [(row, (RANS_GAPS_OF_ONES, 0, 9, 1)) for row in (pattern, last, longest)]
    return coded(*rows, *((~row, (RANS_GAPS_OF_ZEROS, 0, 9, 1)) for row, _ in rows))


@valid
def rans_gaps_none() -> Valid:
    """Coders 6 and 7: no positions, so K = 0 and no low bits: constant masks, and one of no bits."""
    rows = [(n, s, t) for n in (0, 1, 9, 600) for s, t in ((0, 1), (3, 128), (31, 255))]
    return coded(*((where(n, [], coder), (coder, s, t)) for coder in RANS_GAPS for n, s, t in rows))


@valid
def rans_gaps_all() -> Valid:
    """Coders 6 and 7: every bit a position, so every gap is 0."""
    rows = [(n, s, t) for n in (1, 9, 300) for s, t in ((0, 1), (3, 255), (31, 128))]
    return coded(*((~where(n, [], coder), (coder, s, t)) for coder in RANS_GAPS for n, s, t in rows))


@valid
def rans_gaps_one() -> Valid:
    """Coders 6 and 7: a single position: the first bit, one between, the last bit."""
    rows = [(at, s) for at in (0, 7, 299) for s in (0, 1, 3, 8, 9, 31)]
    return coded(*((where(300, [at], coder), (coder, s, 40)) for coder in RANS_GAPS for at, s in rows))


@valid
def rans_gaps_lanes() -> Valid:
    """Coders 6 and 7: 24 and 25 gap bytes in 1 to 25 lanes; exactly 8,192 in one lane."""
    rows = [(K, lanes) for K in (24, 25) for lanes in (1, 2, 3, 5, 24, 25) if lanes <= K]
    made = [
        (after_gaps([7 * i % 40 for i in range(K)], 5, c), (c, 2, 90, lanes)) for K, lanes in rows for c in RANS_GAPS
    ]
    return coded(*made, *((after_gaps([3, 0] * (MOST // 2), 1, c), (c, 1, 250, 1)) for c in RANS_GAPS))


@valid
def rans_same_mask() -> Valid:
    """The same masks by every coder from 1 to 7."""
    patterns = [noise(331, density) for density in (10, 128, 246)]
    old = [(p, mask(p, c)) for p in patterns for c in (RAW_MASK, ZSTD_MASK, GAPS_OF_ONES, GAPS_OF_ZEROS)]
    return shown(*old, *((p, rans_mask(p, *how)) for p in patterns for how in EACH))


def recoded(base: str, shift: int) -> Valid:
    """A vector of before whose masks, raw or constant, are coded by coders 5 to 7 in turn."""
    case = VALID[base]()
    for i, old in enumerate(case.file.masks):
        demand(isinstance(old.length, int) and old.coder in (CONSTANT, RAW_MASK), "a mask of another coder")
        raw = np.frombuffer(old.payload, np.uint8)
        values = np.unpackbits(raw, bitorder="little").astype(np.bool_)[: int(old.length)]
        full = np.full(int(old.length), bool(old.ones), dtype=np.bool_)
        case.file.masks[i] = rans_mask(values if old.coder == RAW_MASK else full, *EACH[(i + shift) % 3])
    return since_1(case)


for number, name in enumerate(("masks_shared", "kept_layers", "partial_prototypes", "idle_zeros", "zero_second")):

    def again(base: str = name, shift: int = number) -> Valid:
        """The vector of this name without rans_, its masks by coders 5 to 7."""
        return recoded(base, shift)

    again.__name__ = f"rans_{name}"
    valid(again)


@valid
def rans_users() -> Valid:
    """Each of coders 5 to 7 for a mask of a partial prototype, of a kept layer and of a tiled layer."""
    file, expected, values = File(), [], counting(250)
    parts: list[list[Mask]] = [[], [], []]
    for i, how in enumerate(EACH):
        for part, pattern in zip(parts, (noise(41, 120, i), noise(35, 40, i)), strict=False):
            part.append(rans_mask(pattern, *how))
    stored = np.cumsum([0, *(m.ones for m in (*parts[0], *parts[1]))])
    for i, how in enumerate(EACH):
        prototype = keep(noise(41, 120, i), values[stored[i] : stored[i + 1]])
        bits_of_layer, full = choose(noise(99, 90, i), tile(prototype, 99, 5))
        parts[2].append(rans_mask(bits_of_layer, *how))
        file.prototypes.append(Values(41, 0, presence=i))
        file.entries += [kept(f"k{i}", (35,), 3 + i), tiled(f"w{i}", (9, 11), 6 + i, i, 5)]
        expected.append(expect(f"k{i}", D.UINT8, (35,), keep(noise(35, 40, i), values[stored[3 + i] : stored[4 + i]])))
        expected.append(expect(f"w{i}", D.UINT8, (9, 11), full))
    file.masks = [row for part in parts for row in part]
    file.blocks = [Block(D.UINT8, RAW, values[: stored[-1]].tobytes())]
    return since_1(one(file, *expected))
