"""The vectors for mask coders 5 to 7, rANS: sections 5.1 to 5.3 of the specification, with 3, 4.3 and 5.

The content is noise, or stated by hand, never read from a payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from writer.coders import Bits, D, bits, pack, u
from writer.ids import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, RAW, RAW_MASK, ZSTD_MASK
from writer.rans import (
    END,
    MOST,
    RANS_BYTES,
    RANS_GAPS_OF_ONES,
    RANS_GAPS_OF_ZEROS,
    Coded,
    byte_frequencies,
    bytes_payload,
    escaped,
    gap_frequencies,
    gaps_head,
    gaps_of,
    gaps_payload,
    low_bits,
    rans,
    rans_mask,
)
from writer.writer import Block, File, Mask, Values, kept, mask, tiled

from cases.content import choose, counting, keep, tile
from cases.files import mask_cases, shows
from cases.masks import PATTERNS, gap_patterns
from cases.rows import MANIFEST, PAYLOAD, Row, edited, minor
from cases.valid import Valid, again, case, demand, same, since, valid

RANS_GAPS = (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS)
# Coder; q and lanes, or s, t and lanes.
EACH = ((RANS_BYTES, 100, 1), (RANS_GAPS_OF_ONES, 1, 90, 1), (RANS_GAPS_OF_ZEROS, 0, 140, 1))


def noise(n: int, density: int, seed: int = 0) -> Bits:
    """Return bits of which some `density` in 256 are ones."""
    made = hashlib.shake_256(f"pemn rans {density} {seed}".encode()).digest(n)
    return np.asarray(np.frombuffer(made, np.uint8) < density)


def where(n: int, positions: Sequence[int], coder: int = RANS_GAPS_OF_ONES) -> Bits:
    """Return bits with ones, for coder 7 zeros, at these positions."""
    made = np.full(n, coder == RANS_GAPS_OF_ZEROS, dtype=np.bool_)
    made[list(positions)] = coder == RANS_GAPS_OF_ONES
    return made


def after_gaps(gaps: Sequence[int], tail: int, coder: int) -> Bits:
    """Return the same after these gaps, and so many bits behind the last position."""
    positions = (np.cumsum(np.array(gaps) + 1) - 1).tolist()
    return where(positions[-1] + 1 + tail, positions, coder)


def coded(*rows: tuple[Bits, tuple[int, ...]]) -> Valid:
    """Return layers that show masks, each by a coder and its numbers."""
    return mask_cases([(pattern, rans_mask(pattern, *how)) for pattern, how in rows], 1)


Q = (1, 3, 30, 127, 128, 129, 200, 254, 255)
case(
    "rans_bytes",
    "Coder 5: q of 1, 127, 128, 129, 255 and others, near the density; lengths that are multiples of 8 or not.",
)(lambda: coded(*((noise(n + i, q), (RANS_BYTES, q, 1)) for i, q in enumerate(Q) for n in (800, 801))))
FAR = ((0, 255), (5, 255), (250, 1), (256, 1), (128, 1), (128, 255), (0, 1), (256, 255), (40, 200))
case("rans_bytes_far", "Coder 5: q far from the density; every byte takes 16 bits at worst.")(
    lambda: coded(*((noise(203, density), (RANS_BYTES, q, 2)) for density, q in FAR))
)
SOME = ((0, 1), (3, 128), (31, 255))
case("rans_gaps_none", "Coders 6 and 7: no positions, so K = 0 and no low bits: constant masks, and one of no bits.")(
    lambda: coded(*((where(n, [], c), (c, s, t)) for c in RANS_GAPS for n in (0, 1, 9, 600) for s, t in SOME))
)
SOME_TOO = ((0, 1), (3, 255), (31, 128))
case("rans_gaps_all", "Coders 6 and 7: every bit a position, so every gap is 0.")(
    lambda: coded(*((~where(n, [], c), (c, s, t)) for c in RANS_GAPS for n in (1, 9, 300) for s, t in SOME_TOO))
)
ONE_AT = [(at, s) for at in (0, 7, 299) for s in (0, 1, 3, 8, 9, 31)]
case("rans_gaps_one", "Coders 6 and 7: a single position: the first bit, one between, the last bit.")(
    lambda: coded(*((where(300, [at], c), (c, s, 40)) for c in RANS_GAPS for at, s in ONE_AT))
)


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
    states = rans(pack(noise(30_003, 77, 999)), byte_frequencies(77), 999).states
    demand(max(states) >= 1 << 31 and min(states) < 1 << 17, "no state is large, or none is small")
    return coded(*((noise(30_003, 77, lanes), (RANS_BYTES, 77, lanes)) for lanes in (8, 999)))


@valid
def rans_gaps() -> Valid:
    """Coders 6 and 7: s of 0, 3 and 31, t of 1, 128 and 255, in one lane and in four; the last bit is a position."""
    pattern = np.append(noise(500, 12), True)
    rows = [(s, t, lanes) for s in (0, 3, 31) for t in (1, 128, 255) for lanes in (1, 4)]
    return coded(*((pattern ^ (c == RANS_GAPS_OF_ZEROS), (c, *row)) for row in rows for c in RANS_GAPS))


@valid
def rans_gaps_escapes() -> Valid:
    """Coders 6 and 7: h of 254 to 256, 509 to 511 and 1,020, some one after another; s of 0 and 3; a long tail."""
    highs = (255, 254, 256, 0, 509, 510, 511, 1020, 255, 255, 1, 0)
    demand(b"\xff\xff\xff\xff\0" in escaped(highs), "no 255 four times in a row")
    rows = []
    for coder, (s, t) in ((coder, row) for coder in RANS_GAPS for row in ((0, 2), (0, 255), (3, 1))):
        gaps = [(h << s) + i % (1 << s) for i, h in enumerate(highs)]
        rows += [(after_gaps(gaps, tail, coder), (coder, s, t, lanes)) for tail, lanes in ((0, 1), (700, 5))]
    return coded(*rows)


@valid
def rans_gaps_most_bytes() -> Valid:
    """Coders 6 and 7: as many gap bytes as are allowed, positions + floor(length / 255); the last bit a position."""
    rows = [(row, (RANS_GAPS_OF_ONES, 0, 9, 1)) for row in (*gap_patterns(), np.arange(511) == 510)]
    return coded(*rows, *((~row, (RANS_GAPS_OF_ZEROS, 0, 9, 1)) for row, _ in rows))


@valid
def rans_gaps_lanes() -> Valid:
    """Coders 6 and 7: 24 and 25 gap bytes in 1 to 25 lanes; exactly 8,192 in one lane."""
    rows = [(K, lanes, c) for K in (24, 25) for lanes in (1, 2, 3, 5, 24, 25) if lanes <= K for c in RANS_GAPS]
    made = [(after_gaps([7 * i % 40 for i in range(K)], 5, c), (c, 2, 90, lanes)) for K, lanes, c in rows]
    return coded(*made, *((after_gaps([3, 0] * (MOST // 2), 1, c), (c, 1, 250, 1)) for c in RANS_GAPS))


@valid
def rans_same_mask() -> Valid:
    """The same masks by every coder from 1 to 7."""
    patterns = [noise(331, density) for density in (10, 128, 246)]
    old = [(p, mask(p, c)) for p in patterns for c in (RAW_MASK, ZSTD_MASK, GAPS_OF_ONES, GAPS_OF_ZEROS)]
    return mask_cases([*old, *((p, rans_mask(p, *how)) for p in patterns for how in EACH)], 1)


def recoded(base: str, shift: int) -> Valid:
    """Return a vector of before whose masks, raw or constant, are coded by coders 5 to 7 in turn."""
    made = again(base)
    for i, old in enumerate(made.file.masks):
        demand(old.coder in (CONSTANT, RAW_MASK), "a mask of another coder")
        length, raw = int(old.length), np.frombuffer(old.payload, np.uint8)
        full = np.full(length, bool(old.ones), dtype=np.bool_)
        values = np.unpackbits(raw, bitorder="little").astype(np.bool_)[:length]
        made.file.masks[i] = rans_mask(values if old.coder == RAW_MASK else full, *EACH[(i + shift) % 3])
    return since(1, made)


for number, name in enumerate(("masks_shared", "kept_layers", "partial_prototypes", "idle_zeros", "zero_second")):
    about = "The vector of this name without rans_, its masks by coders 5 to 7."
    case(f"rans_{name}", about)(partial(recoded, name, number))


@valid
def rans_users() -> Valid:
    """Each of coders 5 to 7 for a mask of a partial prototype, of a kept layer and of a tiled layer."""
    file, layers, values = File(), [], counting(250)
    masks: list[list[Mask]] = [[], [], []]
    ones = [int(noise(n, density, i).sum()) for n, density in ((41, 120), (35, 40)) for i in range(3)]
    stored = np.split(values[: sum(ones)], np.cumsum(ones)[:-1])
    for i, how in enumerate(EACH):
        presence, choice = noise(41, 120, i), noise(35, 40, i)
        bits_of_layer, full = choose(noise(99, 90, i), tile(keep(presence, stored[i]), 99, 5))
        for part, pattern in zip(masks, (presence, choice, bits_of_layer), strict=True):
            part.append(rans_mask(pattern, *how))
        file.prototypes.append(Values(41, 0, presence=i))
        file.entries += [kept(f"k{i}", (35,), 3 + i), tiled(f"w{i}", (9, 11), 6 + i, i, 5)]
        layers += [(f"k{i}", (35,), keep(choice, stored[3 + i])), (f"w{i}", (9, 11), full)]
    file.masks = [row for part in masks for row in part]
    file.blocks = [Block(D.UINT8, RAW, values[: sum(ones)].tobytes())]
    return since(1, same(file, D.UINT8, *layers))


# --- invalid ------------------------------------------------------------------------------------------------


def broken(coder: int, length: int, ones: int, payload: bytes) -> File:
    """Return a layer of one prototype element with this mask, in a file of minor 1."""
    return shows(Mask(coder, length, ones, payload), minor=1)


def ids() -> Iterator[Row]:
    """Yield files that are valid but for the minor version or the id (sections 3 and 4.3)."""
    pattern = noise(100, 60)
    for coder, *numbers in EACH:
        made = rans_mask(pattern, coder, *numbers)
        file = edited(broken(coder, 100, int(pattern.sum()), made.payload), minor(0))
        yield Row(f"rans_minor_0_{coder}", MANIFEST, f"3: mask coder {coder} in a file of minor 0", file)
    for coder in (8, 255):
        file = broken(coder, 100, int(pattern.sum()), made.payload)
        yield Row(f"rans_coder_{coder}", MANIFEST, f"4.3: unknown mask coder {coder} in minor 1", file)


NONE = {
    "empty": ("nothing at all", b""),
    "lanes_0": ("no lanes", Coded(0, [], []).build()),
    "lanes_2": ("two lanes", Coded(2, [END, END], []).build()),
    "state": ("a state that is not 2^16", Coded(1, [END + 1], []).build()),
    "state_low": ("a state below 2^16", Coded(1, [END - 1], []).build()),
    "word": ("a word", Coded(1, [END], [0]).build()),
}


def strings(
    name: str, coder: int, pattern: Bits, head: bytes, content: bytes, table: list[int], none: bytes
) -> Iterator[Row]:
    """Yield the rANS of a mask in three lanes (5.1); `none` is the head for a mask of zero bits whose count is 0."""

    def row(what: str, reason: str, payload: bytes) -> Row:
        file = broken(coder, len(pattern), int(pattern.sum()), payload)
        return Row(f"rans_{name}_{what}", PAYLOAD, f"5.1: {reason}", file)

    good = rans(content, table, 3)
    states, words, whole = good.states, good.words, head + good.build()
    demand(words[-1] == 0, "the last word is not 0")
    count, at = len(content), len(head) + 1
    more = rans(content, table, count)
    more.lanes, more.states = count + 1, [*more.states, END]
    yield row("empty", "a payload of no bytes", b"")
    yield row("head_only", "ends before the lanes", head)
    yield row("lanes_cut", "ends within the lanes", head + b"\x83")
    yield row("lanes_0", "no lanes", head + Coded(0, [], words).build())
    yield row("lanes_above_count", "a lane more than bytes", head + more.build())
    yield row("lanes_2_62", "2^62 lanes, of 2^64 bytes", head + Coded(1 << 62, states, words).build())
    yield row("lanes_not_minimal", "3 lanes in two bytes", head + Coded(b"\x83\0", states, words).build())
    yield row("states_cut", "ends within the states", whole[: at + 11])
    yield row("states_missing", "ends before the last state", whole[: at + 8])
    yield row("states_only", "ends before the words", whole[: at + 12])
    for lane in range(3):
        low = rans(content, table, 3, below=lane)
        demand([state < END for state in low.states].index(True) == lane, "no state is too small")
        yield row(f"state_{lane}_low", "a state below 2^16, and all else as if it might be", head + low.build())
    yield row("state_zero", "a state of 0", head + Coded(3, [*states[:2], 0], words).build())
    yield row("odd", "half a word more", whole + b"\0")
    yield row("odd_cut", "half a word less", whole[:-1])
    yield row("word_missing", "a word too few, which was 0", whole[:-2])
    yield row("word_more", "a word too many, of 0", whole + b"\0\0")
    yield row("word_before", "a word too many, before the others", head + Coded(3, states, [0, *words]).build())
    for lane, end in ((0, END + 1), (1, END << 1), (2, 2**32 - 1)):
        payload = head + rans(content, table, 3, ends={lane: end}).build()
        yield row(f"end_{lane}", f"the last state of one lane is {end:#x}", payload)
    for what, (reason, coded_none) in NONE.items():
        file = broken(coder, 0 if coder == RANS_BYTES else 9, 0, none + coded_none)
        yield Row(f"rans_{name}_none_{what}", PAYLOAD, f"5.1: for no bytes {reason}", file)


def of_bytes() -> Iterator[Row]:
    """Yield the defects of section 5.2."""

    def row(name: str, reason: str, length: int, ones: int, payload: bytes) -> Row:
        return Row(f"rans_bytes_{name}", PAYLOAD, reason, broken(RANS_BYTES, length, ones, payload))

    pattern = noise(187, 40)
    pattern[:24] = False  # so frequent that the states may begin below 2^16
    pattern[176:184] = True  # so rare, and the last of its lane, that its word is the last, and 0
    content, ones = pack(pattern), int(pattern.sum())
    yield from strings("bytes", RANS_BYTES, pattern, b"\x28", content, byte_frequencies(40), b"\x28")
    yield row("lanes_too_few", "5.1: 8,193 bytes in one lane", 8 * MOST + 8, 0, bytes_payload(bytes(MOST + 1), 1))
    many = bytes_payload(bytes(2 * MOST + 1), 1, 2)
    yield row("lanes_too_few_2", "5.1: 16,385 bytes in two lanes", 16 * MOST + 1, 0, many)
    huge = b"\x01" + Coded(1, [END], []).build()
    yield row("lanes_far_too_few", "5.1: 2^27 bytes in one lane", 1 << 30, 0, huge)
    yield row("q_0", "5.2: q = 0", 187, ones, bytes_payload(content, 0))
    for name, count in (("more", ones - 1), ("fewer", ones + 1)):
        yield row(f"ones_{name}", f"5: one {name} than the manifest says", 187, count, bytes_payload(content, 40, 3))
    for name, extra in (("padding", 0), ("padding_counted", 1)):
        payload = bytes_payload(content[:-1] + bytes([content[-1] | 0x80]), 40)
        yield row(name, "5.2: an unused bit of the last byte is 1", 187, ones + extra, payload)


FEW = [3, 9, 70, 2, 31]  # gaps of five positions in 600 bits
LOW, HIGHS = low_bits(FEW, 3), escaped(gap >> 3 for gap in FEW)


def raw(what: bytes, s: int = 0, low: bytes = b"", count: int | bytes | None = None) -> bytes:
    """Return a payload of gap bytes and low bits that need not fit together; `count` replaces K."""
    return bytes([s, 90]) + u(len(what) if count is None else count) + low + rans(what, gap_frequencies(90)).build()


# What is wrong with gaps: reason, payload, and positions and length where they are not 5 in 600.
GAPS: dict[str, tuple[str, bytes] | tuple[str, bytes, int] | tuple[str, bytes, int, int]] = {
    "t_0": ("t = 0", gaps_payload(FEW, 3, 0)),
    "s_32": ("s = 32", gaps_payload(FEW, 32, 90)),
    "s_255": ("s = 255", gaps_payload(FEW, 255, 90)),
    "cut": ("ends after s", b"\3"),
    "K_missing": ("ends before K", b"\3\x5a"),
    "K_not_minimal": ("K is not minimal", raw(HIGHS, 3, LOW, b"\x85\0")),
    "K_smaller": ("K is one too small for the rANS", raw(HIGHS, 3, LOW, 4)),
    "K_greater": ("K is one too great for the rANS", raw(HIGHS, 3, LOW, 6)),
    "K_above_maximum": ("more than positions + floor(length / 255)", raw(b"\xff\1\0"), 1, 300),
    "K_2_62": ("2^62 gap bytes", raw(HIGHS, 3, LOW, 1 << 62)),
    "lanes_too_few": ("8,193 gap bytes in one lane", raw(bytes(MOST + 1)), MOST + 1, MOST + 1),
    "low_cut": ("ends within the low bits", raw(HIGHS, 3, LOW)[:4]),
    "low_missing": ("a byte of the low bits is missing", raw(HIGHS, 3, LOW[:-1])),
    "low_more": ("a byte more of low bits", raw(HIGHS, 3, LOW + b"\0")),
    "low_2_32": ("2^32 low bits are missing", raw(b"\0", 16), 1 << 28, 1 << 28),
    "low_padding": ("an unused bit of the low bits is 1", raw(HIGHS, 3, LOW[:-1] + b"\x80")),
    "open_end": ("the last gap byte is 255, after as many gaps as positions", raw(escaped(FEW) + b"\xff")),
    "open_end_only": ("the only gap byte is 255", raw(b"\xff"), 1),
    "open_end_none": ("no positions, but a gap byte of 255", raw(b"\xff"), 0),
    "any": ("no positions, but a gap", raw(b"\5"), 0),
    "none": ("five positions, but no gaps", raw(b"", 3, LOW)),
    "more": ("a gap more than positions", raw(HIGHS + b"\1", 3, LOW)),
    "fewer": ("a gap less than positions", raw(HIGHS[:-1], 3, LOW)),
    "fewer_escaped": ("a gap less in as many bytes as positions", raw(b"\0\xff\0\0\0")),
    "more_s_0": ("a gap more than positions, without low bits", raw(escaped(FEW) + b"\1")),
    "fewer_s_0": ("a gap less than positions, without low bits", raw(escaped(FEW)[:-1])),
}
for which, positions in (("at_length", [3, 600]), ("beyond_length", [3, 700])):
    for shift in (0, 3, 31):
        payload = gaps_payload(gaps_of(positions), shift, 90)
        GAPS[f"{which}_s_{shift}"] = ("a position that is not below length", payload, 2)
FARTHER = {"31": [2**31 + 5], "32": [2**32 + 5], "32_sum": [2**31 + 5, 2**31 + 4], "39": [255 << 31 | 5]}
for which, far in FARTHER.items():
    why = f"a position of 2^{which[:2]} or more, the lowest bits of which are below length"
    GAPS[f"wraps_{which}"] = (why, gaps_payload(far, 31, 1), len(far))
GAPS["wraps_52"] = ("a position of about 2^52", gaps_payload([8193 * 255 << 31], 31, 1, 2), 1, 8193 * 255)


def of_gaps() -> Iterator[Row]:
    """Yield the defects of section 5.3."""
    gaps = [0, 1, 2, *(7 * i % 40 for i in range(19)), 200 << 2, 5]  # the first and last ones as in `of_bytes`
    pattern = after_gaps(gaps, 9, RANS_GAPS_OF_ONES)
    content = escaped(gap >> 2 for gap in gaps)
    table, head = gap_frequencies(140), gaps_head(gaps, 2, 140)
    yield from strings("gaps", RANS_GAPS_OF_ONES, pattern, head, content, table, bytes([2, 140, 0]))
    for coder, of in zip(RANS_GAPS, ("ones", "zeros"), strict=True):
        for name, (reason, payload, *numbers) in GAPS.items():
            count, length = ([*numbers, 600] if numbers else [5, 600])[:2]
            file = broken(coder, length, count if coder == RANS_GAPS_OF_ONES else length - count, payload)
            yield Row(f"rans_gaps_of_{of}_{name}", PAYLOAD, f"5.3: {reason}", file)


def rans_rows() -> Iterator[Row]:
    """Yield every invalid vector of this module."""
    yield from (*ids(), *of_bytes(), *of_gaps())
