"""The invalid vectors for mask coders 5 to 7, rANS: sections 5.1 to 5.3 of the specification, with 3, 4.3 and 5.

Every row is one defect of a mask that is valid without it, as far as that is possible; the class is `payload`
but for the ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from writer.coders import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, RAW, RAW_MASK, ZSTD_MASK, Bits, D, bits, pack, u
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

from cases.kit import (
    MANIFEST,
    MINOR_1,
    PATTERNS,
    PAYLOAD,
    VALID,
    Row,
    Valid,
    case,
    counting,
    demand,
    expect,
    gap_patterns,
    gaps_file,
    keep,
    one,
    since_1,
    valid,
)
from cases.shapes import choose, tile

RANS_GAPS = (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS)
# Coder; q and lanes, or s, t and lanes.
EACH = ((RANS_BYTES, 100, 1), (RANS_GAPS_OF_ONES, 1, 90, 1), (RANS_GAPS_OF_ZEROS, 0, 140, 1))


def some_bits(n: int, density: int, seed: int = 0) -> Bits:
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


def shown_since_1(*rows: tuple[Bits, Mask]) -> Valid:
    """Layers of one prototype element, which show their masks."""
    made = gaps_file(RAW_MASK, *(pattern for pattern, _ in rows))
    made.file.masks = [coded for _, coded in rows]
    return since_1(made)


def coded(*rows: tuple[Bits, tuple[int, ...]]) -> Valid:
    """The same; each by a coder and its numbers."""
    return shown_since_1(*((pattern, rans_mask(pattern, *how)) for pattern, how in rows))


case(
    "rans_bytes",
    "Coder 5: q of 1, 127, 128, 129, 255 and others, near the density; lengths that are multiples of 8 or not.",
)(
    lambda: coded(
        *(
            (some_bits(n + i, q), (RANS_BYTES, q, 1))
            for i, q in enumerate((1, 3, 30, 127, 128, 129, 200, 254, 255))
            for n in (800, 801)
        )
    )
)
case("rans_bytes_far", "Coder 5: q far from the density; every byte takes 16 bits at worst.")(
    lambda: coded(
        *(
            (some_bits(203, density), (RANS_BYTES, q, 2))
            for density, q in (
                (0, 255),
                (5, 255),
                (250, 1),
                (256, 1),
                (128, 1),
                (128, 255),
                (0, 1),
                (256, 255),
                (40, 200),
            )
        )
    )
)


@valid
def rans_bytes_every() -> Valid:
    """Coder 5: every byte, ascending and descending, under several frequencies."""
    every = np.unpackbits(np.arange(256, dtype=np.uint8), bitorder="little").astype(np.bool_)
    return coded(*((row, (RANS_BYTES, q, 3)) for row in (every, every[::-1]) for q in (1, 60, 128, 129, 255)))


case(
    "rans_bytes_short",
    "Coder 5: lengths of 1 to 17, constant bits among them; and no bits, which take no bytes in one lane.",
)(
    lambda: coded(
        *(
            (row, (RANS_BYTES, 120, 1))
            for row in [
                *[some_bits(n, density, n) for n in (*range(1, 10), 15, 16, 17) for density in (0, 120, 256)],
                *map(bits, PATTERNS),
            ]
        )
    )
)
case(
    "rans_bytes_lanes",
    "Coder 5: 24 and 25 bytes in 1 to 25 lanes, a multiple of the lanes or not, or as many as the lanes.",
)(
    lambda: coded(
        *(
            (some_bits(n, 90, n), (RANS_BYTES, 90, lanes))
            for n, lanes in [
                (n, lanes) for n in (192, 193, 200) for lanes in (1, 2, 3, 5, 7, 8, 23, 24, 25) if 8 * lanes < n + 8
            ]
        )
    )
)
case(
    "rans_bytes_most",
    "Coder 5: exactly 8,192 bytes a lane, in one lane and in two; the last byte has all its bits, or one.",
)(
    lambda: coded(
        *(
            (row, (RANS_BYTES, 1, lanes))
            for row, lanes in [
                (some_bits(8 * MOST * lanes - 7 * i, 1, lanes), lanes) for lanes in (1, 2) for i in (0, 1)
            ]
        )
    )
)


@valid
def rans_bytes_long() -> Valid:
    """Coder 5: many lanes that give words in every order; states of 2^31 and more, and near 2^16."""
    rows = [
        (some_bits(30_003, 77, lanes), rans_mask(some_bits(30_003, 77, lanes), RANS_BYTES, 77, lanes))
        for lanes in (8, 999)
    ]
    states = rans(pack(rows[1][0]), byte_frequencies(77), 999).states
    demand(max(states) >= 1 << 31 and min(states) < 1 << 17, "no state is large, or none is small")
    return shown_since_1(*rows)


case(
    "rans_gaps",
    "Coders 6 and 7: s of 0, 3 and 31, t of 1, 128 and 255, in one lane and in four; the last bit is a position.",
)(
    lambda: coded(
        *(
            (np.append(some_bits(500, 12), True) ^ (c == RANS_GAPS_OF_ZEROS), (c, *row))
            for row in [(s, t, lanes) for s in (0, 3, 31) for t in (1, 128, 255) for lanes in (1, 4)]
            for c in RANS_GAPS
        )
    )
)


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


case("rans_gaps_none", "Coders 6 and 7: no positions, so K = 0 and no low bits: constant masks, and one of no bits.")(
    lambda: coded(
        *(
            (where(n, [], coder), (coder, s, t))
            for coder in RANS_GAPS
            for n, s, t in [(n, s, t) for n in (0, 1, 9, 600) for s, t in ((0, 1), (3, 128), (31, 255))]
        )
    )
)
case("rans_gaps_all", "Coders 6 and 7: every bit a position, so every gap is 0.")(
    lambda: coded(
        *(
            (~where(n, [], coder), (coder, s, t))
            for coder in RANS_GAPS
            for n, s, t in [(n, s, t) for n in (1, 9, 300) for s, t in ((0, 1), (3, 255), (31, 128))]
        )
    )
)
case("rans_gaps_one", "Coders 6 and 7: a single position: the first bit, one between, the last bit.")(
    lambda: coded(
        *(
            (where(300, [at], coder), (coder, s, 40))
            for coder in RANS_GAPS
            for at, s in [(at, s) for at in (0, 7, 299) for s in (0, 1, 3, 8, 9, 31)]
        )
    )
)
case("rans_gaps_lanes", "Coders 6 and 7: 24 and 25 gap bytes in 1 to 25 lanes; exactly 8,192 in one lane.")(
    lambda: coded(
        *[
            (after_gaps([7 * i % 40 for i in range(K)], 5, c), (c, 2, 90, lanes))
            for K, lanes in [(K, lanes) for K in (24, 25) for lanes in (1, 2, 3, 5, 24, 25) if lanes <= K]
            for c in RANS_GAPS
        ],
        *((after_gaps([3, 0] * (MOST // 2), 1, c), (c, 1, 250, 1)) for c in RANS_GAPS),
    )
)


@valid
def rans_same_mask() -> Valid:
    """The same masks by every coder from 1 to 7."""
    patterns = [some_bits(331, density) for density in (10, 128, 246)]
    old = [(p, mask(p, c)) for p in patterns for c in (RAW_MASK, ZSTD_MASK, GAPS_OF_ONES, GAPS_OF_ZEROS)]
    return shown_since_1(*old, *((p, rans_mask(p, *how)) for p in patterns for how in EACH))


def rans_again(base: str, shift: int) -> Valid:
    """A vector of before whose masks, raw or constant, are coded by coders 5 to 7 in turn."""
    case = VALID[base][1]()
    for i, old in enumerate(case.file.masks):
        demand(isinstance(old.length, int) and old.coder in (CONSTANT, RAW_MASK), "a mask of another coder")
        raw = np.frombuffer(old.payload, np.uint8)
        values = np.unpackbits(raw, bitorder="little").astype(np.bool_)[: int(old.length)]
        full = np.full(int(old.length), bool(old.ones), dtype=np.bool_)
        case.file.masks[i] = rans_mask(values if old.coder == RAW_MASK else full, *EACH[(i + shift) % 3])
    return since_1(case)


for number, name in enumerate(("masks_shared", "kept_layers", "partial_prototypes", "idle_zeros", "zero_second")):
    case(f"rans_{name}", "The vector of this name without rans_, its masks by coders 5 to 7.")(
        partial(rans_again, name, number)
    )


@valid
def rans_users() -> Valid:
    """Each of coders 5 to 7 for a mask of a partial prototype, of a kept layer and of a tiled layer."""
    file, expected, values = File(), [], counting(250)
    parts: list[list[Mask]] = [[], [], []]
    for i, how in enumerate(EACH):
        for part, pattern in zip(parts, (some_bits(41, 120, i), some_bits(35, 40, i)), strict=False):
            part.append(rans_mask(pattern, *how))
    stored = np.cumsum([0, *(m.ones for m in (*parts[0], *parts[1]))])
    for i, how in enumerate(EACH):
        prototype = keep(some_bits(41, 120, i), values[stored[i] : stored[i + 1]])
        bits_of_layer, full = choose(some_bits(99, 90, i), tile(prototype, 99, 5))
        parts[2].append(rans_mask(bits_of_layer, *how))
        file.prototypes.append(Values(41, 0, presence=i))
        file.entries += [kept(f"k{i}", (35,), 3 + i), tiled(f"w{i}", (9, 11), 6 + i, i, 5)]
        expected.append(
            expect(f"k{i}", D.UINT8, (35,), keep(some_bits(35, 40, i), values[stored[3 + i] : stored[4 + i]]))
        )
        expected.append(expect(f"w{i}", D.UINT8, (9, 11), full))
    file.masks = [row for part in parts for row in part]
    file.blocks = [Block(D.UINT8, RAW, values[: stored[-1]].tobytes())]
    return since_1(one(file, *expected))


def broken(coder: int, length: int, ones: int, payload: bytes) -> File:
    """A layer of one prototype element with this mask, in a file of minor 1."""
    file = File([], [], [Mask(coder, length, ones, payload)], [Block(D.INT8, RAW, b"\x05")], [Values(1, 0)])
    file.entries, file.header = [tiled("w", (length,), 0)], MINOR_1
    return file


def ids() -> Iterator[Row]:
    """Sections 3 and 4.3: files that are valid but for the minor version or the id."""
    for coder, *numbers in EACH:
        made = rans_mask(some_bits(100, 60), coder, *numbers)
        file = broken(coder, 100, int(some_bits(100, 60).sum()), made.payload)
        file.header = {}
        yield Row(f"rans_minor_0_{coder}", MANIFEST, f"3: mask coder {coder} in a file of minor 0", file)
    for coder in (8, 255):
        file = broken(coder, 100, int(some_bits(100, 60).sum()), made.payload)
        yield Row(f"rans_coder_{coder}", MANIFEST, f"4.3: unknown mask coder {coder} in minor 1", file)


def strings(
    name: str, coder: int, pattern: Bits, head: bytes, content: bytes, table: list[int], none: bytes
) -> Iterator[Row]:
    """Section 5.1: the rANS of a mask in three lanes; `none` is the head for a mask of zero bits whose count is 0."""

    def row(what: str, reason: str, payload: bytes) -> Row:
        file = broken(coder, len(pattern), int(pattern.sum()), payload)
        return Row(f"rans_{name}_{what}", PAYLOAD, f"5.1: {reason}", file)

    good = rans(content, table, 3)
    states, words, all_of_it = good.states, good.words, head + good.build()
    yield row("empty", "a payload of no bytes", b"")
    yield row("head_only", "ends before the lanes", head)
    yield row("lanes_cut", "ends within the lanes", head + b"\x83")
    yield row("lanes_0", "no lanes", head + Coded(0, [], words).build())
    count = len(content)
    more = rans(content, table, count)
    more.lanes, more.states = count + 1, [*more.states, END]
    yield row("lanes_above_count", "a lane more than bytes", head + more.build())
    yield row("lanes_2_62", "2^62 lanes, of 2^64 bytes", head + Coded(1 << 62, states, words).build())
    yield row("lanes_not_minimal", "3 lanes in two bytes", head + Coded(b"\x83\0", states, words).build())
    yield row("states_cut", "ends within the states", all_of_it[: len(head) + 1 + 11])
    yield row("states_missing", "ends before the last state", all_of_it[: len(head) + 1 + 8])
    yield row("states_only", "ends before the words", all_of_it[: len(head) + 1 + 12])
    for lane in range(3):
        low = rans(content, table, 3, below=lane)
        demand([state < END for state in low.states].index(True) == lane, "no state is too small")
        yield row(f"state_{lane}_low", "a state below 2^16, and all else as if it might be", head + low.build())
    yield row("state_zero", "a state of 0", head + Coded(3, [*states[:2], 0], words).build())
    yield row("odd", "half a word more", all_of_it + b"\0")
    yield row("odd_cut", "half a word less", all_of_it[:-1])
    demand(words[-1] == 0, "the last word is not 0")
    yield row("word_missing", "a word too few, which was 0", all_of_it[:-2])
    yield row("word_more", "a word too many, of 0", all_of_it + b"\0\0")
    yield row("word_before", "a word too many, before the others", head + Coded(3, states, [0, *words]).build())
    for lane, end in ((0, END + 1), (1, END << 1), (2, 2**32 - 1)):
        payload = head + rans(content, table, 3, ends={lane: end}).build()
        yield row(f"end_{lane}", f"the last state of one lane is {end:#x}", payload)
    for what, reason, coded_none in (
        ("empty", "nothing at all", b""),
        ("lanes_0", "no lanes", Coded(0, [], []).build()),
        ("lanes_2", "two lanes", Coded(2, [END, END], []).build()),
        ("state", "a state that is not 2^16", Coded(1, [END + 1], []).build()),
        ("state_low", "a state below 2^16", Coded(1, [END - 1], []).build()),
        ("word", "a word", Coded(1, [END], [0]).build()),
    ):
        file = broken(coder, 0 if coder == RANS_BYTES else 9, 0, none + coded_none)
        yield Row(f"rans_{name}_none_{what}", PAYLOAD, f"5.1: for no bytes {reason}", file)


def of_bytes() -> Iterator[Row]:
    """Section 5.2."""

    def row(name: str, reason: str, length: int, ones: int, payload: bytes) -> Row:
        return Row(f"rans_bytes_{name}", PAYLOAD, reason, broken(RANS_BYTES, length, ones, payload))

    pattern = some_bits(187, 40)
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


def of_gaps() -> Iterator[Row]:
    """Section 5.3."""
    gaps = [0, 1, 2, *(7 * i % 40 for i in range(19)), 200 << 2, 5]  # the first and last ones as in `of_bytes`
    pattern = after_gaps(gaps, 9, RANS_GAPS_OF_ONES)
    content = escaped(gap >> 2 for gap in gaps)
    table, head = gap_frequencies(140), gaps_head(gaps, 2, 140)
    yield from strings("gaps", RANS_GAPS_OF_ONES, pattern, head, content, table, bytes([2, 140, 0]))
    for coder, of in zip(RANS_GAPS, ("ones", "zeros"), strict=True):

        def row(name: str, reason: str, length: int, count: int, payload: bytes) -> Row:
            """A mask of `count` positions."""
            ones = count if coder == RANS_GAPS_OF_ONES else length - count  # noqa: B023
            file = broken(coder, length, ones, payload)  # noqa: B023
            return Row(f"rans_gaps_of_{of}_{name}", PAYLOAD, f"5.3: {reason}", file)  # noqa: B023

        def raw(what: bytes, s: int = 0, low: bytes = b"", count: int | bytes | None = None) -> bytes:
            """A payload of gap bytes and low bits that need not fit together."""
            K = len(what) if count is None else count  # noqa: N806
            return bytes([s, 90]) + u(K) + low + rans(what, gap_frequencies(90)).build()

        n, few = 600, [3, 9, 70, 2, 31]
        low = low_bits(few, 3)
        highs = escaped(gap >> 3 for gap in few)
        yield row("t_0", "t = 0", n, 5, gaps_payload(few, 3, 0))
        yield row("s_32", "s = 32", n, 5, gaps_payload(few, 32, 90))
        yield row("s_255", "s = 255", n, 5, gaps_payload(few, 255, 90))
        yield row("cut", "ends after s", n, 5, b"\3")
        yield row("K_missing", "ends before K", n, 5, b"\3\x5a")
        yield row("K_not_minimal", "K is not minimal", n, 5, raw(highs, 3, low, b"\x85\0"))
        yield row("K_smaller", "K is one too small for the rANS", n, 5, raw(highs, 3, low, 4))
        yield row("K_greater", "K is one too great for the rANS", n, 5, raw(highs, 3, low, 6))
        yield row("K_above_maximum", "more than positions + floor(length / 255)", 300, 1, raw(b"\xff\1\0"))
        yield row("K_2_62", "2^62 gap bytes", n, 5, raw(highs, 3, low, 1 << 62))
        yield row("lanes_too_few", "8,193 gap bytes in one lane", MOST + 1, MOST + 1, raw(bytes(MOST + 1)))
        yield row("low_cut", "ends within the low bits", n, 5, raw(highs, 3, low)[:4])
        yield row("low_missing", "a byte of the low bits is missing", n, 5, raw(highs, 3, low[:-1]))
        yield row("low_more", "a byte more of low bits", n, 5, raw(highs, 3, low + b"\0"))
        yield row("low_2_32", "2^32 low bits are missing", 1 << 28, 1 << 28, raw(b"\0", 16))
        yield row("low_padding", "an unused bit of the low bits is 1", n, 5, raw(highs, 3, low[:-1] + b"\x80"))
        yield row(
            "open_end", "the last gap byte is 255, after as many gaps as positions", n, 5, raw(escaped(few) + b"\xff")
        )
        yield row("open_end_only", "the only gap byte is 255", n, 1, raw(b"\xff"))
        yield row("open_end_none", "no positions, but a gap byte of 255", n, 0, raw(b"\xff"))
        yield row("any", "no positions, but a gap", n, 0, raw(b"\5"))
        yield row("none", "five positions, but no gaps", n, 5, raw(b"", 3, low))
        yield row("more", "a gap more than positions", n, 5, raw(highs + b"\1", 3, low))
        yield row("fewer", "a gap less than positions", n, 5, raw(highs[:-1], 3, low))
        yield row("fewer_escaped", "a gap less in as many bytes as positions", n, 5, raw(b"\0\xff\0\0\0"))
        yield row("more_s_0", "a gap more than positions, without low bits", n, 5, raw(escaped(few) + b"\1"))
        yield row("fewer_s_0", "a gap less than positions, without low bits", n, 5, raw(escaped(few)[:-1]))
        for name, positions in (("at_length", [3, n]), ("beyond_length", [3, 700])):
            for s in (0, 3, 31):
                payload = gaps_payload(gaps_of(positions), s, 90)
                yield row(f"{name}_s_{s}", "a position that is not below length", n, 2, payload)
        wraps = {"31": [2**31 + 5], "32": [2**32 + 5], "32_sum": [2**31 + 5, 2**31 + 4], "39": [255 << 31 | 5]}
        for name, far in wraps.items():
            reason = f"a position of 2^{name[:2]} or more, the lowest bits of which are below length"
            yield row(f"wraps_{name}", reason, n, len(far), gaps_payload(far, 31, 1))
        far = [8193 * 255 << 31]
        yield row("wraps_52", "a position of about 2^52", 8193 * 255, 1, gaps_payload(far, 31, 1, 2))


def rans_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*ids(), *of_bytes(), *of_gaps())
