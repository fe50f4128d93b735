"""The invalid vectors for mask coders 5 to 7, rANS: sections 5.1 to 5.3 of the specification, with 3, 4.3 and 5.

Every row is one defect of a mask that is valid without it, as far as that is possible; the class is `payload`
but for the ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from vector_cases_arranged import MINOR_1, demand
from vector_cases_invalid import MANIFEST, PAYLOAD, Row
from vector_cases_rans import EACH, RANS_GAPS, after_gaps, noise
from vector_coders import RAW, Bits, D, pack, u
from vector_rans import (
    END,
    MOST,
    RANS_BYTES,
    RANS_GAPS_OF_ONES,
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
from vector_writer import Block, File, Mask, Values, tiled


def broken(coder: int, length: int, ones: int, payload: bytes) -> File:
    """A layer of one prototype element with this mask, in a file of minor 1."""
    file = File([], [], [Mask(coder, length, ones, payload)], [Block(D.INT8, RAW, b"\x05")], [Values(1, 0)])
    file.entries, file.header = [tiled("w", (length,), 0)], MINOR_1
    return file


def ids() -> Iterator[Row]:
    """Sections 3 and 4.3: files that are valid but for the minor version or the id."""
    for coder, *numbers in EACH:
        made = rans_mask(noise(100, 60), coder, *numbers)
        file = broken(coder, 100, int(noise(100, 60).sum()), made.payload)
        file.header = {}
        yield Row(f"rans_minor_0_{coder}", MANIFEST, f"3: mask coder {coder} in a file of minor 0", file)
    for coder in (8, 255):
        file = broken(coder, 100, int(noise(100, 60).sum()), made.payload)
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
