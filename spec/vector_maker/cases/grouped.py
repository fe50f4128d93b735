"""The valid vectors for block coder 5, grouped planes: section 6.1 of the specification, with 3, 4.4 and 4.8.

The content is that of vectors of before, or stated by hand, never read from a payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial

import numpy as np
from writer import numbers as vector_numbers
from writer.coders import SIZES, D, frame, palette, planes, rotated
from writer.grouped import GROUPED_PLANES, How, Table, byte_string, fitted, grouped, in_turn, parts
from writer.ids import PALETTE, PLANES, RAW, ZSTD
from writer.rans import rans_mask
from writer.writer import Block, File, Values, kept, mask, tensor, tiled

from cases.content import HALF, MINUS, ONE, TWO, u4
from cases.files import blobs
from cases.rans import EACH
from cases.rans import noise as some_bits
from cases.rotated import AGAIN, COMPLEX, MANTISSA, WIDTHS, numbers, turn
from cases.valid import Valid, again, case, demand, expect, one, since, valid


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
    return since(2, blobs(*((dtype, GROUPED_PLANES, bytes.fromhex(hand), data) for dtype, hand, data in rows)))


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


@valid
def grouped_each_bit() -> Valid:
    """Elements of 1, 2, 4, 8 and 16 bytes: every bit alone, and every bit alone missing."""
    rows = []
    for size, dtype in WIDTHS.items():
        alone, full = [1 << k for k in range(8 * size)], (1 << 8 * size) - 1
        rows += [group(dtype, numbers(size, *alone)), group(dtype, numbers(size, *(full - n for n in alone)), shift=1)]
    return since(2, blobs(*rows))


@valid
def grouped_every_dtype() -> Valid:
    """Noise in every dtype, with the highest bit set and not; bools are noise of 0 and 1."""
    rows = []
    for dtype, size in SIZES.items():
        data = noise(9 * size, dtype.name)
        data = bytes(b & 1 for b in data) if dtype == D.BOOL else data
        demand(dtype == D.BOOL or len({b >> 7 for b in data[size - 1 :: size]}) == 2, "all highest bits are equal")
        rows.append(group(dtype, data, shift=int(dtype)))
    return since(2, blobs(*rows))


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
    return since(2, blobs(*rows))


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
    return since(2, blobs(*rows))


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
    return since(2, blobs(*rows))


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
    return since(2, blobs(*rows))


@valid
def grouped_one_group() -> Valid:
    """A single group, of the byte 0, 127 or 255, the last plane by every method; and two groups, 0 and 255."""
    rows = []
    for size, dtype in WIDTHS.items():
        for shift, v in enumerate((0, 127, 255)):
            rows.append(group(dtype, of_groups(size, [v] * 7, f"one {v}"), shift=shift))
        rows.append(group(dtype, of_groups(size, [255, 0, 0, 255, 255], "two")))
    return since(2, blobs(*rows))


@valid
def grouped_order() -> Valid:
    """Elements of three groups in every order: the bytes of a group are in the order of the elements."""
    orders = ([9, 9, 70, 200, 70, 9], [200, 70, 9, 200, 70, 9], [70, 9, 9, 9, 200, 70], [200, 200, 70, 70, 9, 9])
    rows = [back(2, *(v << 8 | 20 + i * 3 % 7 for i, v in enumerate(values))) for values in orders]
    for row in rows:
        joined = b"".join(parts(row, 2)[1:])
        demand(sorted(joined) != list(joined) != list(rotated(row, 2)[::2]), "nothing is out of order")
    return since(2, blobs(*(group(D.UINT16, row, shift=shift) for row in rows for shift in (0, 1))))


@valid
def grouped_lengths() -> Valid:
    """1 to 65 elements of every width: what is worked on several at a time has an end."""
    counts = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65)
    rows = []
    for size, dtype in WIDTHS.items():
        for n in counts if size < 8 else counts[:9]:
            data = of_groups(size, (v % 3 for v in noise(n, f"{n}")), f"{n}")
            rows.append(group(dtype, data, shift=n))
    return since(2, blobs(*rows))


@valid
def grouped_bools() -> Valid:
    """Bools, which are 0 and 2 when rotated, by every method."""
    some = bytes([1, 0, 0, 1, 1, 0, 1])
    tables = [Table(0, 0, [1, 0, 2]), Table(1, 0, [3, 4], 2), Table(7, 1, [5])]
    rows = [group(D.BOOL, some, 0), *(group(D.BOOL, some, table) for table in tables)]
    hows: list[How] = [0, 1, tables[0]]
    rows += [group(D.BOOL, bytes([value]) * 5, how) for value in (0, 1) for how in hows]
    return since(2, blobs(*rows))


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
    return since(2, blobs(*rows))


@valid
def grouped_pages() -> Valid:
    """Byte strings that lie across the end of a page; more elements than one page has bytes."""
    few, many = of_groups(2, [5, 6, 5] * 11_001, "few"), noise(16, "many") * 70_001
    return since(2, blobs(group(D.BFLOAT16, few, 0, 0, 0), group(D.COMPLEX128, many, *[1] * 16)))


case(
    "minor_2_without_its_ids",
    "Minor 2 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since(2, again("generator_layers")))
case("minor_2_with_ids_of_1", "Minor 2, and of the ids only some that came with minor 1: generator 2.")(
    lambda: since(2, again("arranged_layers"))
)


@valid
def grouped_beside_others() -> Valid:
    """The same elements by coders 0 to 5."""
    rows = []
    for size, dtype in WIDTHS.items():
        values = [noise(size, f"{size} {i}") for i in range(3)]
        values.sort(key=lambda value: int.from_bytes(value, "little"))
        indices = [2, 0, 1, 1, 2, 0, 2]
        data = b"".join(values[i] for i in indices)
        rows += [(dtype, RAW, data, data), (dtype, ZSTD, frame(data), data)]
        rows.append((dtype, PLANES, planes(data, size, [0, 1] * (size // 2) or [0]), data))
        rows += [(dtype, PALETTE, palette(values, indices, 0), data), turn(dtype, data), group(dtype, data)]
    return since(2, blobs(*rows))


def regrouped(base: str, shift: int) -> Valid:
    """A vector of before whose blocks, raw ones, are grouped planes, but those of no elements."""
    case = again(base)
    for i, old in enumerate(case.file.blocks):
        assert isinstance(old.dtype, D)
        demand(old.coder == RAW, "a block of another coder")
        if old.payload:
            dtype, coder, payload, _ = group(old.dtype, old.payload, shift=i + shift)
            case.file.blocks[i] = Block(dtype, coder, payload)
    return since(2, case)


for number, name in enumerate(AGAIN):
    case(f"grouped_{name}", "The vector of this name without grouped_, its blocks by coder 5.")(
        partial(regrouped, name, number)
    )


@valid
def grouped_users() -> Valid:
    """A block of a prototype, a partial one, kept layers and tensors; their masks by coders of minor 1 as well."""
    nan = 0xFFC12345
    users = [u4(ONE, MINUS, nan), u4(0xC0400000, 0), u4(HALF), u4(nan, MINUS), u4(), u4(0, MINUS, TWO)]
    data = b"".join(part.tobytes() for part in users)
    file = File(masks=[mask("01001"), mask("10010"), mask("1101011"), mask("10111"), mask("001")])
    strings = parts(data, 4)
    hows = [fitted(strings[0], 2, 3), *in_turn(strings[1:-2]), fitted(strings[-2], 0, 2), 0]
    file.blocks = [Block(D.FLOAT32, GROUPED_PLANES, b"".join(map(byte_string, strings, hows)))]
    file.prototypes = [Values(3, 0), Values(5, 0, presence=0)]
    file.entries = [tensor("a", ()), kept("k", (5,), 1), tiled("w", (7,), 2, 0, 1), tensor("none", (0,))]
    file.entries += [tiled("n", (5,), 3, 0, zero=1), tensor("b", (3, 1)), tiled("p", (15,), 4, 1)]
    file.masks.append(rans_mask(some_bits(11, 99), *EACH[0]))
    ones = int(some_bits(11, 99).sum())
    file.blocks.append(Block(D.UINT8, GROUPED_PLANES, grouped(bytes(range(1, ones + 1)), 1)))
    file.masks.insert(2, file.masks.pop())  # kept layers come before tiled ones
    file.entries[2].mask, file.entries[4].mask, file.entries[6].mask = 3, 4, 5
    file.entries.append(kept("r", (11,), 2, 1))
    r = np.zeros(11, np.uint8)
    r[some_bits(11, 99)] = range(1, ones + 1)
    w = [MINUS, nan, 0, MINUS, 0, ONE, MINUS]  # of -0.0 NaN 1.0 ...
    n = [ONE, 0, nan, ONE, MINUS]  # a zero bit of -0.0 gives +0.0
    p = [0xC0400000 if i == 11 else 0 for i in range(15)]  # its bits are for 1, 6 and 11; 4, 9 and 14 are +0.0
    return since(
        2,
        one(
            file,
            expect("a", D.FLOAT32, (), users[2]),
            expect("k", D.FLOAT32, (5,), u4(nan, 0, 0, MINUS, 0)),
            expect("w", D.FLOAT32, (7,), u4(*w)),
            expect("none", D.FLOAT32, (0,), b""),
            expect("n", D.FLOAT32, (5,), u4(*n)),
            expect("b", D.FLOAT32, (3, 1), users[5]),
            expect("p", D.FLOAT32, (15,), u4(*p)),
            expect("r", D.UINT8, (11,), r),
        ),
    )
