"""The invalid vectors for block coder 5, grouped planes: section 6.1 of the specification, with 3, 4.4, 4.7 and 4.8.

Every row is one defect of a file that is valid without it, as far as that is possible.
"""

from __future__ import annotations

from collections.abc import Iterator

from writer.coders import SIZES, D, frame, planes, rotated, u
from writer.grouped import GROUPED_PLANES, MOST_WEIGHT, Table, by_rans, byte_string, fitted, grouped, parts
from writer.rans import END, MOST, Coded, rans
from writer.writer import Block, File, Mask, Values, kept, mask, tiled

from cases.content import MINUS, ONE, TWO, u4
from cases.files import blocked
from cases.grouped import back, noise
from cases.rotated import WIDTHS, numbers
from cases.rows import LIMIT, MANIFEST, PAYLOAD, VERSION, Row, minor, of, put
from cases.valid import demand


def broken(dtype: D, count: int, payload: bytes) -> File:
    """A tensor in a block by coder 5, in a file of minor 2."""
    file = blocked(dtype, GROUPED_PLANES, count, payload)
    file.header = {"minor": 2}
    return file


def ids() -> Iterator[Row]:
    """Sections 3, 4.3, 4.4 and 4.5: files that are valid but for the minor version or an id."""
    for base in ("by_hand", "users", "shapes", "methods_one"):
        for number in (0, 1):
            file = of(f"grouped_{base}", minor(number))
            reason = f"3: block coder 5 in a file of minor {number}"
            yield Row(f"grouped_minor_{number}_{base}", MANIFEST, reason, file)
        file = of(f"grouped_{base}", minor(6))
        yield Row(f"grouped_minor_6_{base}", VERSION, "3: minor 6", file)
    payload = b"\0\x54"
    mixed = of("rotated_block_of_many_users", put("blocks", 1, coder=GROUPED_PLANES, payload=payload))
    yield Row("grouped_minor_1_one", MANIFEST, "3: one block of two by coder 5 in a file of minor 1", mixed)
    for coder in (6, 255):
        file = of("grouped_users", put("blocks", 0, coder=coder))
        yield Row(f"grouped_coder_{coder}", MANIFEST, f"4.4: unknown block coder {coder} in minor 2", file)
        file = of("one_tensor", put("blocks", 0, coder=coder), minor(2))
        yield Row(f"grouped_coder_{coder}_as_raw", MANIFEST, f"4.4: unknown block coder {coder} in minor 2", file)
    file = of("grouped_users", put("masks", 0, coder=8))
    yield Row("grouped_mask_coder_8", MANIFEST, "4.3: unknown mask coder 8 in minor 2", file)
    file = of("arranged_layers", put("prototypes", 0, generator=3), minor(2))
    yield Row("generator_3_minor_2", MANIFEST, "4.5: unknown generator 3 in minor 2, in a row like that of 2", file)


def nothing() -> Iterator[Row]:
    """Section 6.1: there must be an element."""
    for size, dtype in WIDTHS.items():
        state = by_rans(Table(7, 0, [1, 1]), Coded(1, [END], []).build())
        payloads = {"empty": b"", "method_0": bytes(size), "method_1": b"\1\x07" * size, "method_2": state * size}
        payloads |= {"without_groups_0": bytes(max(size - 1, 1)), "without_groups_1": b"\1\x07" * max(size - 1, 1)}
        for name, payload in payloads.items() if size > 1 else list(payloads.items())[:4]:
            file = broken(dtype, 0, payload)
            yield Row(f"grouped_none_{size}_{name}", PAYLOAD, f"6.1: no elements of {size} bytes", file)
    file = File(masks=[Mask(0, 3, 0)], blocks=[Block(D.UINT8, GROUPED_PLANES, b"\0")], header={"minor": 2})
    file.entries = [kept("k", (3,), 0)]
    yield Row("grouped_none_kept", PAYLOAD, "6.1: no elements, for a kept layer of zeros", file)
    file = of("grouped_users", put("blocks", 1, dtype=D.BFLOAT16, payload=b"\0\0"))
    file.masks[2] = Mask(0, 11, 0)
    yield Row("grouped_none_beside", PAYLOAD, "6.1: no elements in the second of two blocks", file)


def tables() -> Iterator[Row]:
    """Section 6.1: tables that are no tables; the rANS is what a decoder would read that does not look."""
    content = bytes([0x20, 0x21, 0x20, 0x23, 0x20])

    def row(name: str, reason: str, table: Table) -> Row:
        payload = byte_string(content, table)
        return Row(f"grouped_table_{name}", PAYLOAD, f"6.1: {reason}", broken(D.UINT8, 5, payload))

    for b in (8, 9, 64, 255):
        yield row(f"b_{b}", f"b = {b}", Table(7, 0, [1], coded_b=b))
    yield row("b_8_alone", "b = 8, and one bin of all byte values", Table(8, 0, [1]))
    ends = {(0, 1, 256), (0, 255, 2), (0, 255, 256), (1, 127, 2), (1, 0, 129), (3, 32, 1), (3, 255, 1), (4, 15, 2)}
    for b, first, bins in sorted(ends | {(5, 2, 7), (6, 4, 1), (7, 2, 1), (7, 1, 2), (7, 0, 3), (7, 0, 256)}):
        reason = f"bins end at {first + bins << b}: b = {b}, first = {first}, bins = {bins}"
        yield row(f"ends_{b}_{first}_{bins}", reason, Table(b, first, [3] * bins))
    for name, zeros in (("one", 1), ("two", 2), ("256", 256)):
        yield row(f"zeros_{name}", f"all weights are 0: {zeros}", Table(0, 0, [0] * zeros))
    yield row("zeros_7", "all weights are 0, of two bins of 128", Table(7, 0, [0, 0]))
    big = MOST_WEIGHT + 1
    for name, weights in (
        ("2_24", [big]),
        ("2_24_first", [big, 1, 2]),
        ("2_24_last", [0, 1, big]),
        ("2_24_all", [big] * 8),
        ("2_32", [1, 1 << 32, 1]),
        ("2_32_only", [1 << 32]),
        ("2_32_1", [(1 << 32) + 1, 1]),
        ("2_48", [1 << 48, 1 << 47]),
        ("2_63_less_1", [1, (1 << 63) - 1]),
        ("2_62_wraps", [1 << 62] * 4),
    ):
        yield row(f"weight_{name}", "a weight of 2^24 or more", Table(0, 30, weights))
    for name, above in (("2_24", 1 << 24), ("2_32", 1 << 32), ("2_62", 1 << 62)):
        reason = f"a weight of {above} + 3, under whose lowest bits the rANS is right"
        yield row(f"weight_low_{name}", reason, Table(0, 32, [3, 2], coded_weights=u(above + 3) + u(2)))
    for name, reason, coded_weights in (
        ("not_minimal", "a weight that is not minimal", b"\x81\x80\x00\x01"),
        ("zero_not_minimal", "a weight of 0 that is not minimal", b"\x01\x80\x00"),
        ("ten_bytes", "a weight of 10 bytes", b"\x01" + b"\x80" * 9 + b"\x01"),
        ("cut", "a weight whose last byte is missing", b"\x81\x80"),
    ):
        yield row(f"weight_{name}", reason, Table(0, 32, [1, 1], coded_weights=coded_weights))
    yield row("weight_more", "a weight more than bins", Table(0, 32, [1, 1, 5], bins=1))
    yield row("weight_fewer", "a weight less than bins", Table(0, 32, [1, 1, 5], bins=3))
    whole_of_it = Table(0, 32, [3, 200, 1, 1]).build()
    for size in range(len(whole_of_it) + 1):
        file = broken(D.UINT8, 5, b"\2" + whole_of_it[:size])
        yield Row(f"grouped_table_cut_{size}", PAYLOAD, "6.1: ends in the table, or before the size", file)


# A content by three lanes in a byte string of its own: a plane of int8; the first plane, a group, the second group,
# or the last plane of int32, the other byte strings of which are method 0.
PLACES = ("only", "first", "group", "group_2", "last")


def strings() -> Iterator[Row]:
    """Section 5.1 in 6.1: the rANS of a byte string in every place."""
    content = bytes([0x10] * 9 + [1, 0x10, 9, 0x77, 0x10, 0x11] * 3 + [0x10, 0x10, 0xF0])
    table = Table(0, 16, [9, 2], lanes=3)  # so that the states may begin below 2^16
    count = len(content)
    good = table.string(content)
    coded, words = good.build(), good.words
    demand(words[-1] == 0 and len(good.states) == 3, "the last word is not 0")
    bytes_of = {"only": (D.INT8, back(1, *content))}
    low, high = noise(count, "low"), b"".join(bytes([v]) * count for v in (3, 4))
    two = noise(2 * count, "two")
    for place, rows in {
        "first": (low, low, low, content),
        "group": (two, two, content + low, high),
        "group_2": (two, two, low + content, high),
        "last": (content, low, low, low),
    }.items():
        plain = b"".join(bytes(element) for element in zip(*rows, strict=True))
        elements = (int.from_bytes(plain[i : i + 4], "little") for i in range(0, len(plain), 4))
        bytes_of[place] = D.INT32, back(4, *elements)

    def payload(place: str, made: bytes, size: int | bytes | None = None) -> File:
        """A file in which the content, in its place, is this rANS."""
        dtype, data = bytes_of[place]
        out = b""
        for part in parts(data, SIZES[dtype]):
            out += by_rans(table, made, size) if part == content else byte_string(part, 0)
        return broken(dtype, len(data) // SIZES[dtype], out)

    above = Table(0, 16, [9, 2], lanes=count).string(content)
    more = Coded(count + 1, [*above.states, END], above.words)
    not_minimal = bytes([len(coded) | 128, 0])
    demand(len(coded) < 128, "a size of two bytes")
    below = {lane: rans(content, table.frequencies(), 3, below=lane).build() for lane in range(3)}
    ends = {
        lane: rans(content, table.frequencies(), 3, ends={lane: end}).build()
        for lane, end in ((0, END + 1), (1, END << 1), (2, 2**32 - 1))
    }
    for place in PLACES:
        made: dict[str, tuple[str, File]] = {
            "size_0": ("no bytes of rANS", payload(place, b"")),
            "size_small": ("a size that is a word too small", payload(place, coded, len(coded) - 2)),
            "size_odd": ("a size that is a byte too small", payload(place, coded, len(coded) - 1)),
            "size_states": ("a size that ends at the states", payload(place, coded, 13)),
            "size_large": ("a size that is a word too large", payload(place, coded, len(coded) + 2)),
            "size_larger": ("a size that is a byte too large", payload(place, coded, len(coded) + 1)),
            "size_rest": ("a size beyond the payload", payload(place, coded, len(coded) + 1000)),
            "size_2_62": ("a size of 2^62", payload(place, coded, 1 << 62)),
            "size_not_minimal": ("a size that is not minimal", payload(place, coded, not_minimal)),
            "lanes_0": ("no lanes", payload(place, Coded(0, [], words).build())),
            "lanes_0_only": ("no lanes and nothing after", payload(place, b"\0")),
            "lanes_above_count": ("a lane more than bytes", payload(place, more.build())),
            "lanes_2_62": ("2^62 lanes", payload(place, Coded(1 << 62, good.states, words).build())),
            "lanes_not_minimal": ("lanes in two bytes", payload(place, Coded(b"\x83\0", good.states, words).build())),
            "states_cut": ("ends within the states", payload(place, coded[:12])),
            "state_zero": ("a state of 0", payload(place, Coded(3, [*good.states[:2], 0], words).build())),
            "odd": ("half a word left over", payload(place, coded + b"\0")),
            "word_missing": ("a word too few, which was 0", payload(place, coded[:-2])),
            "word_more": ("a word left over, of 0", payload(place, coded + b"\0\0")),
            "word_before": (
                "a word more, before the others",
                payload(place, Coded(3, good.states, [0, *words]).build()),
            ),
        }
        for lane in range(3):
            made[f"state_{lane}_low"] = ("a state below 2^16", payload(place, below[lane]))
            made[f"end_{lane}"] = ("the last state of a lane is not 2^16", payload(place, ends[lane]))
        for name, (reason, file) in made.items():
            yield Row(f"grouped_{place}_{name}", PAYLOAD, f"6.1, 5.1: {reason}", file)


def lanes() -> Iterator[Row]:
    """Section 5.1: 8,192 bytes a lane at most, whatever the block has otherwise."""

    def row(name: str, reason: str, dtype: D, count: int, payload: bytes) -> Row:
        return Row(f"grouped_lanes_{name}", PAYLOAD, f"5.1: {reason}", broken(dtype, count, payload))

    one, two = Table(0, 0, [1]), Table(0, 0, [1], lanes=2)
    for name, table, count in (("few", one, MOST + 1), ("few_2", two, 2 * MOST + 1)):
        coded = byte_string(bytes(count), table)
        yield row(f"too_{name}", f"{count} bytes", D.INT8, count, coded)
        yield row(f"too_{name}_in_group", f"a group of {count} bytes", D.INT16, count, b"\1\5" + coded)
        yield row(f"too_{name}_in_last", f"a last plane of {count} bytes", D.INT32, count, b"\1\5" * 3 + coded)
    start = by_rans(one, Coded(1, [END], []).build())
    yield row("far_too_few", "2^30 bytes in one lane", D.INT8, 1 << 30, start)
    yield row("far_too_few_wide", "2^28 bytes in one lane", D.COMPLEX128, 1 << 28, start + b"\1\0" * 15)


def shapes() -> Iterator[Row]:
    """Section 6.1: payloads that end early or late, methods, groups."""
    data = back(4, *(int.from_bytes(noise(3, f"shape {v}") + bytes([v]), "little") for v in (9, 5, 9, 200, 9, 200)))
    last, five, nine, many, second, lowest = strings_of = parts(data, 4)
    coded = [byte_string(part, 0) for part in strings_of]
    whole_of_it = b"".join(coded)

    def row(name: str, reason: str, payload: bytes, count: int = 6, dtype: D = D.UINT32) -> Row:
        return Row(f"grouped_{name}", PAYLOAD, f"6.1: {reason}", broken(dtype, count, payload))

    def made(*pieces: bytes) -> bytes:
        return b"".join(pieces)

    yield row("empty", "a payload of no bytes", b"")
    at = 0
    for i, (name, part) in enumerate(
        zip(("first", "group", "group_2", "group_3", "second", "lowest"), coded, strict=True)
    ):
        if i:
            yield row(f"ends_before_{name}", "ends before a byte string", whole_of_it[:at])
        yield row(f"ends_in_{name}", "ends in a byte string", whole_of_it[: at + len(part) - 1])
        yield row(f"ends_after_method_of_{name}", "ends after a method", whole_of_it[: at + 1])
        constant = made(*coded[:i], b"\1")
        yield row(f"ends_before_byte_of_{name}", "ends before the byte of method 1", constant)
        for method in (3, 4, 128, 255):
            payload = made(*coded[:i], bytes([method]), part[1:], *coded[i + 1 :])
            yield row(f"method_{method}_of_{name}", f"unknown method {method}", payload)
        at += len(part)
    yield row("left_over", "a byte after the last byte string", whole_of_it + b"\0")
    yield row("left_over_plane", "a plane too many", whole_of_it + coded[-1])
    yield row("left_over_constant", "a constant plane too many", whole_of_it + b"\1\0")
    yield row("left_over_one_byte", "a byte after the only byte string", b"\0abc\0", 3, D.INT8)
    yield row("left_over_constants", "a byte after constant byte strings", b"\1\7\1\7\1", 3, D.INT16)
    table = byte_string(b"abc", fitted(b"abc"))
    yield row("left_over_rans", "a byte after a byte string by rANS", table + b"\0", 3, D.INT8)
    yield row("group_missing", "the second of three groups is missing", made(*coded[:2], *coded[3:]))
    yield row("group_last_missing", "the last of three groups is missing", made(*coded[:3], *coded[4:]))
    yield row("groups_missing", "all groups are missing", made(coded[0], *coded[4:]))
    yield row("groups_but_one_missing", "all groups but one are missing", made(*coded[:2], *coded[4:]))
    yield row("group_more", "a group of no element", made(*coded[:4], b"\0", *coded[4:]))
    yield row("group_more_constant", "a constant group of no element", made(*coded[:4], b"\1\0", *coded[4:]))
    every = made(*(b"\1\0" for _ in range(256)))
    yield row("group_every", "256 groups of which most have no element", made(coded[0], every, *coded[4:]))
    yield row("groups_descending", "the groups descend", made(coded[0], *coded[3:0:-1], *coded[4:]))
    yield row(
        "groups_none", "the plane as a whole, not in groups", made(coded[0], b"\0", rotated(data, 4)[2::4], *coded[4:])
    )
    yield row("groups_as_one", "one group of all bytes", made(coded[0], b"\0", five, nine, many, *coded[4:]))
    yield row("groups_of_third", "the groups of a third plane", made(*coded[:4], *coded[1:4], *coded[4:]))
    yield row("as_planes", "ascending planes, as those of coder 4", planes(rotated(data, 4), 4, [0, 0, 0, 0]))
    yield row("as_planes_reversed", "planes without groups", planes(rotated(data, 4)[::-1], 4, [0, 0, 0, 0]))
    yield row("as_raw", "the elements as they are", numbers(4, 3, 4, 5, 6, 7, 8))
    yield row("as_zstd", "a frame of all elements", frame(data))
    flat = frame(last)
    yield row("plane_zstd", "a plane by zstd, as method 1 of coder 2", made(b"\1", u(len(flat)), flat, *coded[1:]))
    yield row("plane_constant_2", "a constant plane as method 2 of coder 2", made(*coded[:5], b"\2\0"))
    demand(len(second) == len(lowest) == 6, "a plane is missing")


def elements() -> Iterator[Row]:
    """Sections 4.7, 4.8 and 7."""
    for byte in (1, 3, 4, 0x80, 0xFF):
        reason = f"4.8: a bool whose rotated byte is {byte}, so that it is {byte >> 1 | (byte & 1) << 7}"
        content = bytes([0, 2, byte])
        payloads = (b"\0" + content, bytes([1, byte]), byte_string(content, fitted(content)))
        for method, payload in enumerate(payloads):
            yield Row(f"grouped_bool_{byte}_method_{method}", PAYLOAD, reason, broken(D.BOOL, 3, payload))
    yield Row("grouped_bool_not", PAYLOAD, "4.8: bools that were not rotated", broken(D.BOOL, 3, b"\0\1\0\1"))
    huge = broken(D.FLOAT32, 1 << 40, b"\1\0" * 4)
    yield Row("grouped_2_40", LIMIT, "4.7: 2^40 elements in constant byte strings", huge)
    yield Row("grouped_max_bytes", LIMIT, "4.7: 12 bytes", broken(D.FLOAT32, 3, b"\1\0" * 4), 11)
    early = broken(D.FLOAT32, 1 << 31, b"\0" + bytes(99))
    yield Row("grouped_2_31_method_0", PAYLOAD, "6.1: 2^31 bytes of a plane, but 99 are there", early)

    def layer(values: list[int], bits: str, scale: bytes | None = None) -> File:
        payload = grouped(u4(*values).tobytes(), 4, shift=1)
        file = File(masks=[mask(bits)], prototypes=[Values(len(values), 0)], header={"minor": 2})
        file.blocks = [Block(D.FLOAT32, GROUPED_PLANES, payload)]
        file.entries = [tiled("w", (8,), 0, scale=scale)]
        return file

    for name, value in (("infinity", 0xFF800000), ("nan", 0x7F800001)):
        file = layer([ONE, value], "1" * 8, b"\0\0\0\x40")
        yield Row(f"grouped_scaled_{name}", PAYLOAD, f"7: {name} in the prototype of a scaled layer", file)
    file = layer([ONE, 0, TWO, MINUS], "10111011")
    yield Row("grouped_mask_idle", PAYLOAD, "7: a bit for every element although +0.0 is idle", file)


def grouped_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*ids(), *nothing(), *tables(), *strings(), *lanes(), *shapes(), *elements())
