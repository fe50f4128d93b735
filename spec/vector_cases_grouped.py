"""The valid vectors for block coder 5, grouped planes: section 6.1 of the specification, with 3, 4.4 and 4.8.

Those of its tables and lanes are in `vector_cases_grouped_tables`, those of several users in
`vector_cases_grouped_users`. The content is noise, or stated by
hand, never read from a payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import vector_numbers
from vector_cases_arranged import demand
from vector_cases_layers import MINUS, ONE
from vector_cases_rotated import COMPLEX, MANTISSA, WIDTHS, numbers
from vector_cases_valid import Valid, blobs, valid
from vector_coders import SIZES, D, rotated
from vector_grouped import GROUPED_PLANES, How, Table, fitted, grouped, in_turn, parts

MINOR_2 = {"minor": 2}


def since_2(case: Valid) -> Valid:
    """The case as a file of version 1.2."""
    case.file.header = MINOR_2
    return case


def noise(count: int, seed: str) -> bytes:
    """Bytes that look random."""
    return hashlib.shake_256(f"pemn grouped {seed}".encode()).digest(count)


def back(size: int, *turned: int) -> bytes:
    """Elements from their numbers after rotation."""
    return numbers(size, *(n // 2 + n % 2 * (1 << 8 * size - 1) for n in turned))


def group(dtype: D, data: bytes, *hows: How, shift: int = 0) -> tuple[D, int, bytes, bytes]:
    """A block by coder 5 and its elements; without methods they are taken in turn."""
    return dtype, GROUPED_PLANES, grouped(data, SIZES[dtype], hows or None, shift), data


def hex_rows(*rows: tuple[D, str, bytes]) -> Valid:
    """Blocks by coder 5 whose payloads were written by hand."""
    return since_2(blobs(*((dtype, GROUPED_PLANES, bytes.fromhex(hand), data) for dtype, hand, data in rows)))


# --- by hand ------------------------------------------------------------------------------------------------


@valid
def grouped_by_hand() -> Valid:
    """Payloads written by hand: 1.0, -0.0, -2.0 as float32 and bfloat16; integers; bools; complex, rotated whole."""
    return hex_rows(
        (D.FLOAT32, "00 7F 00 80  01 00 01 00 01 00  01 00  00 00 01 01", numbers(4, ONE, MINUS, 0xC0000000)),
        (D.BFLOAT16, "00 7F 00 80  00 01 00 00 00 01", numbers(2, 0x3F80, 0x8000, 0xC000)),
        (D.UINT8, "00 00 01 02 03 FE FF", bytes([0, 0x80, 1, 0x81, 0x7F, 0xFF])),
        (D.INT64, "01 00" * 7 + "01 05", numbers(8, 1 << 63 | 2)),
        (D.BOOL, "00 02 00", b"\1\0"),
        (D.COMPLEX64, "01 00 01 00 01 00  00 01 00  01 00 01 00 01 00  00 00 01", numbers(8, 1 << 31, 1 << 63)),
        # In turn the groups of 5, of 9 and of 200: of two, one and three elements.
        (
            D.UINT16,
            "00 C8 05 C8 09 05 C8  00 11 22  00 33  00 44 55 66",
            back(2, 0xC844, 0x0511, 0xC855, 0x0933, 0x0522, 0xC866),
        ),
    )


@valid
def grouped_by_hand_rans() -> Valid:
    """rANS written by hand: two bins of 128 byte values each, so that every byte has the frequency 256."""
    table = "07 00 01 01 01"
    two, lanes = "09 01 00 41 01 00 00 42", "09 02 00 41 00 01 00 42 00 01"  # of 0x41 and 0x42
    return hex_rows(
        (D.UINT8, f"02 {table} 05 01 00 41 00 01", back(1, 0x41)),
        (D.UINT8, f"02 {table} 07 {two[3:]}", back(1, 0x41, 0x42)),
        (D.UINT8, f"02 {table} {lanes}", back(1, 0x41, 0x42)),
        (D.INT16, f"02 {table} {lanes}  02 {table} 05 01 00 43 00 01  00 44", back(2, 0x4143, 0x4244)),
        (D.INT16, f"01 41  02 {table} {lanes}", back(2, 0x4141, 0x4142)),
    )


# --- dtypes, widths, methods, groups ------------------------------------------------------------------------


@valid
def grouped_each_bit() -> Valid:
    """Elements of 1, 2, 4, 8 and 16 bytes: every bit alone, and every bit alone missing."""
    rows = []
    for size, dtype in WIDTHS.items():
        alone, full = [1 << k for k in range(8 * size)], (1 << 8 * size) - 1
        rows += [group(dtype, numbers(size, *alone)), group(dtype, numbers(size, *(full - n for n in alone)), shift=1)]
    return since_2(blobs(*rows))


@valid
def grouped_every_dtype() -> Valid:
    """Noise in every dtype, with the highest bit set and not; bools are noise of 0 and 1."""
    rows = []
    for dtype, size in SIZES.items():
        data = noise(9 * size, dtype.name)
        data = bytes(b & 1 for b in data) if dtype == D.BOOL else data
        demand(dtype == D.BOOL or len({b >> 7 for b in data[size - 1 :: size]}) == 2, "all highest bits are equal")
        rows.append(group(dtype, data, shift=int(dtype)))
    return since_2(blobs(*rows))


@valid
def grouped_special_floats() -> Valid:
    """+0.0 and -0.0, infinities, NaNs quiet and signalling with payloads, subnormals, the largest; complex too."""
    rows = []
    for dtype, mantissa in MANTISSA.items():
        size = SIZES[dtype]
        top, infinity = 1 << 8 * size - 1, (1 << 8 * size - 1) - (1 << mantissa)
        values = [0, 1, (1 << mantissa) - 1, 1 << mantissa, infinity - 1, infinity, infinity | 1]
        values += [infinity | 1 << mantissa - 1, infinity | 5 << mantissa - 3, top - 1]
        data = numbers(size, *values, *(top | value for value in values))
        rows += [group(dtype, data), group(dtype, data, *(fitted(content) for content in parts(data, size)))]
        if dtype in COMPLEX:  # each value with the one after it, and the other way round
            rows.append(group(COMPLEX[dtype], data + data[size:] + data[:size], shift=2))
    return since_2(blobs(*rows))


@valid
def grouped_methods() -> Valid:
    """Every method for every byte string of 1, 2, 4, 8 and 16 bytes: one element often, and in three groups."""
    rows = []
    for size, dtype in WIDTHS.items():
        same = noise(size, f"same {size}") * 5
        three = (
            (noise(size - 1, "") + b"\x11") * 2 + (noise(size - 1, "") + b"\x48") * 3 + noise(size - 1, "") + b"\x05"
        )
        for data in (same, three):
            constant = [len(set(content)) == 1 for content in parts(data, size)]
            demand(constant.count(False) <= 1, "too few byte strings are constant")
            for shift in range(3):
                hows = in_turn(parts(data, size), shift)
                rows.append(group(dtype, data, *hows))
    return since_2(blobs(*rows))


@valid
def grouped_methods_one() -> Valid:
    """A single element of every width, all byte strings by the same method: groups of one byte."""
    rows = []
    for size, dtype in WIDTHS.items():
        data = noise(size, f"one {size}")
        strings = parts(data, size)
        rows += [group(dtype, data, *[method] * len(strings)) for method in (0, 1)]
        rows.append(group(dtype, data, *(Table(7, 0, [1, 2]) for _ in strings)))
        rows.append(group(dtype, data, *(Table(0, 255, [1]) for _ in strings)))
    return since_2(blobs(*rows))


def of_groups(size: int, values: Iterable[int], seed: str) -> bytes:
    """Elements whose bytes in the last plane are these, and noise otherwise."""
    return b"".join(
        back(size, int.from_bytes(noise(size - 1, f"{seed} {i}") + bytes([v]), "little")) for i, v in enumerate(values)
    )


@valid
def grouped_all_groups() -> Valid:
    """All 256 groups: of one byte each, descending; of one to four, in any order. Every width that has groups."""
    rows = []
    for size, dtype in WIDTHS.items():
        if size == 1:
            continue
        many = sorted((v for v in range(256) for _ in range(1 + v % 4)), key=lambda v: v * 89 % 257)
        for values in (range(255, -1, -1), many if size < 16 else range(256)):
            data = of_groups(size, values, f"all {size}")
            demand(len(parts(data, size)) == size - 1 + 256, "a group is missing")
            rows.append(group(dtype, data, shift=size))
    return since_2(blobs(*rows))


@valid
def grouped_one_group() -> Valid:
    """A single group, of the byte 0, 127 or 255, the last plane by every method; and two groups, 0 and 255."""
    rows = []
    for size, dtype in WIDTHS.items():
        for shift, v in enumerate((0, 127, 255)):
            rows.append(group(dtype, of_groups(size, [v] * 7, f"one {v}"), shift=shift))
        rows.append(group(dtype, of_groups(size, [255, 0, 0, 255, 255], "two")))
    return since_2(blobs(*rows))


@valid
def grouped_order() -> Valid:
    """Elements of three groups in every order: the bytes of a group are in the order of the elements."""
    orders = ([9, 9, 70, 200, 70, 9], [200, 70, 9, 200, 70, 9], [70, 9, 9, 9, 200, 70], [200, 200, 70, 70, 9, 9])
    rows = [back(2, *(v << 8 | 20 + i * 3 % 7 for i, v in enumerate(values))) for values in orders]
    for row in rows:
        joined = b"".join(parts(row, 2)[1:])
        demand(sorted(joined) != list(joined) != list(rotated(row, 2)[::2]), "nothing is out of order")
    return since_2(blobs(*(group(D.UINT16, row, shift=shift) for row in rows for shift in (0, 1))))


@valid
def grouped_lengths() -> Valid:
    """1 to 65 elements of every width: what is worked on several at a time has an end."""
    counts = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65)
    rows = []
    for size, dtype in WIDTHS.items():
        for n in counts if size < 8 else counts[:9]:
            data = of_groups(size, (v % 3 for v in noise(n, f"{n}")), f"{n}")
            rows.append(group(dtype, data, shift=n))
    return since_2(blobs(*rows))


@valid
def grouped_bools() -> Valid:
    """Bools, which are 0 and 2 when rotated, by every method."""
    some = bytes([1, 0, 0, 1, 1, 0, 1])
    tables = [Table(0, 0, [1, 0, 2]), Table(1, 0, [3, 4], 2), Table(7, 1, [5])]
    rows = [group(D.BOOL, some, 0), *(group(D.BOOL, some, table) for table in tables)]
    hows: list[How] = [0, 1, tables[0]]
    rows += [group(D.BOOL, bytes([value]) * 5, how) for value in (0, 1) for how in hows]
    return since_2(blobs(*rows))


@valid
def grouped_normal() -> Valid:
    """Normal float32 and bfloat16, every byte string under a table that suits it, in several lanes."""
    bits = vector_numbers.elements(vector_numbers.NORMAL, 60, 1, 0x3D000000, 1500)
    rows = []
    for dtype, data in ((D.FLOAT32, bits[:600].tobytes()), (D.BFLOAT16, (bits >> 16).astype("<u2").tobytes())):
        strings = parts(data, SIZES[dtype])
        demand(len(strings) > 8, "few groups")
        hows: list[How] = [fitted(content, (3 + i) % 4, 1 + len(content) // 100) for i, content in enumerate(strings)]
        rows.append(group(dtype, data, *hows))
    return since_2(blobs(*rows))


@valid
def grouped_pages() -> Valid:
    """Byte strings that lie across the end of a page; more elements than one page has bytes."""
    few, many = of_groups(2, [5, 6, 5] * 11_001, "few"), noise(16, "many") * 70_001
    return since_2(blobs(group(D.BFLOAT16, few, 0, 0, 0), group(D.COMPLEX128, many, *[1] * 16)))
