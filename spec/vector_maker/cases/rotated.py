"""The vectors for block coder 4, rotated planes: section 6 of the specification, with 3, 4.4, 4.7 and 4.8.

First the valid ones. Below them the invalid ones, each with one defect of a file that is valid without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from writer.coders import SIZES, D, frame, palette, planes, rotated, u, zstd
from writer.ids import PALETTE, PLANES, RAW, ROTATED_PLANES, ZSTD
from writer.writer import Block, File, Values, kept, mask, tensor, tiled

from cases.content import HALF, MINUS, ONE, TWO, u4
from cases.files import blobs, blocked
from cases.masks import EMPTY_FRAMES, FRAMES
from cases.rows import LIMIT, MANIFEST, PAYLOAD, Row, minor, of, put, whole
from cases.valid import Valid, again, case, demand, expect, one, since, valid

WIDTHS = {1: D.UINT8, 2: D.FLOAT16, 4: D.FLOAT32, 8: D.FLOAT64, 16: D.COMPLEX128}
MANTISSA = {D.FLOAT16: 10, D.BFLOAT16: 7, D.FLOAT32: 23, D.FLOAT64: 52}  # bits
COMPLEX = {D.FLOAT16: D.COMPLEX32, D.FLOAT32: D.COMPLEX64, D.FLOAT64: D.COMPLEX128}


def numbers(size: int, *values: int) -> bytes:
    """Elements of `size` bytes from their numbers."""
    return b"".join(value.to_bytes(size, "little") for value in values)


def noise(count: int, seed: str) -> bytes:
    """Bytes that look random."""
    return hashlib.shake_256(f"pemn rotated {seed}".encode()).digest(count)


def in_turn(data: bytes, size: int, shift: int = 0) -> list[int]:
    """Methods 0, 1 and 2 in turn for the planes of rotated elements; only constant planes get method 2."""
    turned = rotated(data, size)
    constant = [len(set(turned[j::size])) <= 1 for j in range(size)]
    return [(j + shift) % (3 if constant[j] else 2) for j in range(size)]


def coded(data: bytes, size: int, methods: Sequence[int]) -> bytes:
    """The payload of coder 4."""
    turned = rotated(data, size)
    for j, method in enumerate(methods):
        demand(method != 2 or len(set(turned[j::size])) <= 1, "a plane by method 2 is not constant")
    demand(len(methods) == size, "not as many planes as bytes")
    return planes(turned, size, methods)


def turn(dtype: D, data: bytes, *methods: int, shift: int = 0) -> tuple[D, int, bytes, bytes]:
    """A block by coder 4 and its elements; without methods they are taken in turn."""
    size = SIZES[dtype]
    return dtype, ROTATED_PLANES, coded(data, size, methods or in_turn(data, size, shift)), data


@valid
def rotated_by_hand() -> Valid:
    """Payloads written by hand: 1.0, -0.0, -2.0 as float32 and bfloat16; integers; bools; complex, rotated whole."""
    single = numbers(4, 0x3F800000, 0x80000000, 0xC0000000)
    brain = numbers(2, 0x3F80, 0x8000, 0xC000)
    rows = (
        (D.FLOAT32, "00 00 01 01  02 00  02 00  00 7F 00 80", single),
        (D.BFLOAT16, "00 00 01 01  00 7F 00 80", brain),
        (D.UINT8, "00 00 01 02 03 FE FF", bytes([0, 0x80, 1, 0x81, 0x7F, 0xFF])),
        (D.INT64, "02 05  02 00 02 00 02 00 02 00 02 00 02 00 02 00", numbers(8, 1 << 63 | 2)),
        (D.BOOL, "00 02 00", b"\1\0"),
        (D.COMPLEX64, "00 00 01  02 00 02 00 02 00  00 01 00  02 00 02 00 02 00", numbers(8, 1 << 31, 1 << 63)),
        (D.COMPLEX128, "02 01 02 02" + "02 00" * 6 + "02 05" + "02 00" * 7, numbers(16, 1 << 127 | 5 << 63 | 1 << 8)),
    )
    return since(1, blobs(*((dtype, ROTATED_PLANES, bytes.fromhex(hand), data) for dtype, hand, data in rows)))


@valid
def rotated_each_bit() -> Valid:
    """Elements of 1, 2, 4, 8 and 16 bytes: every bit alone, and every bit alone missing."""
    rows = []
    for size, dtype in WIDTHS.items():
        alone = [1 << k for k in range(8 * size)]
        full = (1 << 8 * size) - 1
        rows += [turn(dtype, numbers(size, *alone)), turn(dtype, numbers(size, *(full - n for n in alone)), shift=1)]
    return since(1, blobs(*rows))


@valid
def rotated_every_dtype() -> Valid:
    """Noise in every dtype, with the highest bit set and not; bools are noise of 0 and 1."""
    rows = []
    for dtype, size in SIZES.items():
        data = noise(9 * size, dtype.name)
        data = bytes(b & 1 for b in data) if dtype == D.BOOL else data
        demand(dtype == D.BOOL or len({b >> 7 for b in data[size - 1 :: size]}) == 2, "all highest bits are equal")
        rows.append(turn(dtype, data, shift=int(dtype)))
    return since(1, blobs(*rows))


@valid
def rotated_special_floats() -> Valid:
    """+0.0 and -0.0, infinities, NaNs quiet and signalling with payloads, subnormals, the largest; complex too."""
    rows = []
    for dtype, mantissa in MANTISSA.items():
        size = SIZES[dtype]
        top, infinity = 1 << 8 * size - 1, (1 << 8 * size - 1) - (1 << mantissa)
        quiet, some = infinity | 1 << mantissa - 1, 0x5A5A5A5A5A5A5A5A % (1 << mantissa - 1)
        values = [0, 1, (1 << mantissa) - 1, 1 << mantissa, infinity - 1, infinity]
        values += [infinity | 1, infinity | some, quiet, quiet | some, top - 1]
        data = numbers(size, *values, *(top | value for value in values))
        rows += [turn(dtype, data), turn(dtype, data, *[1] * size)]
        if dtype in COMPLEX:  # each value with the one after it, and the other way round
            rows.append(turn(COMPLEX[dtype], data + data[size:] + data[:size]))
    return since(1, blobs(*rows))


@valid
def rotated_methods() -> Valid:
    """Every method for every plane of 1, 2, 4, 8 and 16 bytes; constant planes by methods 0 and 1 as well."""
    rows = []
    for size, dtype in WIDTHS.items():
        same = noise(size, f"same {size}") * 5
        rows += [turn(dtype, same, *((j + shift) % 3 for j in range(size))) for shift in range(3)]
        other = noise(5 * size, f"other {size}")
        rows += [turn(dtype, other, *((j + shift) % 2 for j in range(size))) for shift in range(2)]
    return since(1, blobs(*rows))


@valid
def rotated_frames() -> Valid:
    """Planes in frames of the zstd library at several levels, and with a checksum; long constant planes."""
    data = np.arange(-600, 600, dtype="<i2").tobytes()
    low, high = (rotated(data, 2)[j::2] for j in range(2))
    frames = [(zstd(low, 1), zstd(high, 22)), (zstd(low, -5, checksum=True), zstd(high, 9, checksum=True))]
    rows = [(D.INT16, b"".join(b"\1" + u(len(made)) + made for made in pair)) for pair in frames]
    constant = numbers(4, 0xBF800001) * 1000
    return since(
        1,
        blobs(
            *((dtype, ROTATED_PLANES, payload, data) for dtype, payload in rows),
            turn(D.FLOAT32, constant, 2, 2, 2, 2),
            turn(D.FLOAT32, constant, 1, 1, 1, 1),
        ),
    )


@valid
def rotated_exponents() -> Valid:
    """Signed values of one exponent, so that the last plane is constant; of one sign, so that the lowest bit is."""
    rows = []
    for dtype, mantissa in ((D.FLOAT32, 23), (D.BFLOAT16, 7)):
        size = SIZES[dtype]
        raw = int.from_bytes(noise(40 * size, dtype.name), "little")
        parts = [raw >> 8 * size * i for i in range(40)]
        values = [(p & 1) << 8 * size - 1 | 0x7B << mantissa | p >> 1 & (1 << mantissa) - 1 for p in parts]
        data = numbers(size, *values)
        demand(len(set(data[size - 1 :: size])) > 1, "the last plane is constant before it is rotated")
        rows.append(turn(dtype, data, *[0] * (size - 1), 2))
        rows.append(turn(dtype, numbers(size, *(value | 1 << 8 * size - 1 for value in values)), *[1] * size))
    return since(1, blobs(*rows))


@valid
def rotated_bools() -> Valid:
    """Bools, which are 0 and 2 when rotated, by every method."""
    some = bytes([1, 0, 0, 1, 1, 0, 1])
    rows = [(some, 0), (some, 1)] + [(bytes([value]) * 5, method) for value in (0, 1) for method in range(3)]
    return since(1, blobs(*(turn(D.BOOL, data, method) for data, method in rows)))


case("rotated_lengths", "1 to 65 elements of every width: what is worked on several at a time has an end.")(
    lambda: since(
        1,
        blobs(
            *[
                turn(dtype, noise(n * size, f"{n}"), *[0] * size)
                for size, dtype in WIDTHS.items()
                for n in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65)
            ]
        ),
    )
)


@valid
def rotated_pages() -> Valid:
    """Planes that lie across the end of a page; more elements than one page has bytes."""
    few, many = noise(4 * 17_001, "few"), noise(16, "many") * 70_001
    return since(1, blobs(turn(D.FLOAT32, few, 0, 0, 0, 0), turn(D.COMPLEX128, many, *[2] * 16)))


@valid
def rotated_nothing() -> Valid:
    """No elements of every width, by every method; a plane of method 2 has its byte, which may be any."""
    rows = [(dtype, [method] * size) for size, dtype in WIDTHS.items() for method in range(3)]
    rows += [(D.FLOAT32, [0, 1, 2, 0]), (D.BOOL, [0]), (D.BOOL, [1])]
    made = [(dtype, ROTATED_PLANES, planes(b"", SIZES[dtype], methods), b"") for dtype, methods in rows]
    return since(1, blobs(*made, *((D.BOOL, ROTATED_PLANES, bytes([2, any_]), b"") for any_ in (0, 1, 2, 255))))


@valid
def rotated_beside_others() -> Valid:
    """The same elements by coders 0 to 4."""
    rows = []
    for size, dtype in WIDTHS.items():
        values = [noise(size, f"{size} {i}") for i in range(3)]
        values.sort(key=lambda value: int.from_bytes(value, "little"))
        indices = [2, 0, 1, 1, 2, 0, 2]
        data = b"".join(values[i] for i in indices)
        rows += [(dtype, RAW, data, data), (dtype, ZSTD, frame(data), data)]
        rows.append((dtype, PLANES, planes(data, size, [0, 1] * (size // 2) or [0]), data))
        rows += [(dtype, PALETTE, palette(values, indices, 0), data), turn(dtype, data)]
    return since(1, blobs(*rows))


def turned_again(base: str, shift: int) -> Valid:
    """A vector of before whose blocks, raw ones, are rotated planes."""
    case = again(base)
    for i, old in enumerate(case.file.blocks):
        assert isinstance(old.dtype, D)
        demand(old.coder == RAW, "a block of another coder")
        dtype, coder, payload, _ = turn(old.dtype, old.payload, shift=i + shift)
        case.file.blocks[i] = Block(dtype, coder, payload)
    return since(1, case)


AGAIN = ["shapes", "block_of_many_users", "kept_layers", "masks_shared", "partial_prototypes", "maskable_dtypes"]


AGAIN += ["idle_zeros", "zero_negated", "zero_second", "scaled", "scaled_zero", "tasks"]


for number, name in enumerate(AGAIN):
    case(f"rotated_{name}", "The vector of this name without rotated_, its blocks by coder 4.")(
        partial(turned_again, name, number)
    )


@valid
def rotated_users() -> Valid:
    """A block of a prototype, a partial one, kept layers and tensors, of which -0.0, NaN and +0.0 are elements."""
    nan = 0xFFC12345
    users = [u4(ONE, MINUS, nan), u4(0xC0400000, 0), u4(HALF), u4(nan, MINUS), u4(), u4(0, MINUS, TWO)]
    data = b"".join(part.tobytes() for part in users)
    file = File(masks=[mask("01001"), mask("10010"), mask("1101011"), mask("10111"), mask("001")])
    file.blocks = [Block(D.FLOAT32, ROTATED_PLANES, coded(data, 4, [0, 1, 0, 1]))]
    file.prototypes = [Values(3, 0), Values(5, 0, presence=0)]
    file.entries = [tensor("a", ()), kept("k", (5,), 1), tiled("w", (7,), 2, 0, 1), tensor("none", (0,))]
    file.entries += [tiled("n", (5,), 3, 0, zero=1), tensor("b", (3, 1)), tiled("p", (15,), 4, 1)]
    w = [MINUS, nan, 0, MINUS, 0, ONE, MINUS]  # of -0.0 NaN 1.0 ...
    n = [ONE, 0, nan, ONE, MINUS]  # a zero bit of -0.0 gives +0.0
    p = [0xC0400000 if i == 11 else 0 for i in range(15)]  # its bits are for 1, 6 and 11; 4, 9 and 14 are +0.0
    return since(
        1,
        one(
            file,
            expect("a", D.FLOAT32, (), users[2]),
            expect("k", D.FLOAT32, (5,), u4(nan, 0, 0, MINUS, 0)),
            expect("w", D.FLOAT32, (7,), u4(*w)),
            expect("none", D.FLOAT32, (0,), b""),
            expect("n", D.FLOAT32, (5,), u4(*n)),
            expect("b", D.FLOAT32, (3, 1), users[5]),
            expect("p", D.FLOAT32, (15,), u4(*p)),
        ),
    )


def broken(dtype: D, count: int, payload: bytes) -> File:
    """A tensor in a block by coder 4, in a file of minor 1."""
    file = blocked(dtype, ROTATED_PLANES, count, payload)
    file.header = {"minor": 1}
    return file


def ids() -> Iterator[Row]:
    """Sections 3 and 4.4: files that are valid but for the minor version or the id."""
    for name, base in (("", "by_hand"), ("_nothing", "nothing"), ("_users", "users")):
        file = of(f"rotated_{base}", whole(header={}))
        yield Row(f"rotated_minor_0{name}", MANIFEST, "3: block coder 4 in a file of minor 0", file)
    mixed = of("block_of_many_users", put("blocks", 1, coder=ROTATED_PLANES, payload=b"\0\x54"))
    yield Row("rotated_minor_0_one", MANIFEST, "3: one block of two by coder 4 in a file of minor 0", mixed)
    for coder in (5, 255):
        file = of("rotated_users", put("blocks", 0, coder=coder))
        yield Row(f"rotated_coder_{coder}", MANIFEST, f"4.4: unknown block coder {coder} in minor 1", file)
        file = of("one_tensor", put("blocks", 0, coder=coder), minor(1))
        yield Row(f"rotated_coder_{coder}_as_raw", MANIFEST, f"4.4: unknown block coder {coder} in minor 1", file)


def bools() -> Iterator[Row]:
    """Section 4.8: what counts is the element, not its rotated byte."""
    rows = {1: "1", 3: "3", 4: "4", 0x80: "128", 0xFF: "255"}
    for byte, name in rows.items():
        reason = f"4.8: a bool whose rotated byte is {byte}, so that it is {byte >> 1 | (byte & 1) << 7}"
        plane = frame(bytes([0, 2, byte]))
        payloads = (bytes([0, 0, 2, byte]), b"\1" + u(len(plane)) + plane, bytes([2, byte]))
        for method, payload in enumerate(payloads):
            yield Row(f"rotated_bool_{name}_method_{method}", PAYLOAD, reason, broken(D.BOOL, 3, payload))
    plain = planes(b"\1\0\1", 1, [0])
    yield Row("rotated_bool_not", PAYLOAD, "4.8: bools that were not rotated", broken(D.BOOL, 3, plain))


def cut_and_left_over() -> Iterator[Row]:
    """Section 6: planes that are no planes."""

    def row(name: str, reason: str, payload: bytes, count: int = 3, dtype: D = D.INT16) -> Row:
        return Row(f"rotated_{name}", PAYLOAD, f"6: {reason}", broken(dtype, count, payload))

    plane = frame(b"abc")
    size = u(len(plane))
    for method in (3, 4, 255):
        yield row(f"method_{method}", f"unknown plane method {method}", b"\x00abc" + bytes([method, 0]))
    yield row("method_3_first", "unknown plane method 3 of the first plane", b"\x03\x00\x02\x00")
    yield row("method_3_none", "unknown plane method 3, for no elements", b"\x02\x00\x03", 0)
    yield row("missing", "the second plane is missing", b"\x00abc")
    four = coded(numbers(4, ONE, MINUS, TWO), 4, [0, 1, 2, 0])
    yield row("missing_last", "the last of four planes is missing", four[:-4], 3, D.FLOAT32)
    yield row("nothing", "a payload of no bytes", b"")
    yield row("none_nothing", "a payload of no bytes for no elements", b"", 0)
    yield row("none_missing", "the second plane is missing, of no elements", b"\x00", 0)
    yield row("none_byte_missing", "the byte of a constant plane is missing, of no elements", b"\x00\x02", 0)
    yield row("left_over", "a byte after the last plane", b"\x00abc\x02\x00\x00")
    yield row("left_over_plane", "a third plane", b"\x00abc\x02\x00\x02\x00")
    yield row("none_left_over", "a byte after the last plane, of no elements", b"\x00\x00\x00", 0)
    yield row("method_0_cut", "the bytes of a plane run past the end", b"\x02\x00\x00ab")
    yield row("method_2_cut", "the byte of a constant plane is missing", b"\x00abc\x02")
    yield row("method_1_cut", "the frame of a plane runs past the end", b"\x02\x00\x01" + size + plane[:-1])
    yield row("size_short", "the size of a frame is one too small", b"\x02\x00\x01" + u(len(plane) - 1) + plane)
    yield row("size_long", "the size of a frame is one too large", b"\x02\x00\x01" + u(len(plane) + 1) + plane)
    yield row("size_huge", "the size of a frame is 2^62", b"\x02\x00\x01" + u(1 << 62) + plane)
    yield row("size_missing", "the size of a frame is missing", b"\x02\x00\x01")
    not_minimal = bytes([size[0] | 128, 0])
    yield row("size_not_minimal", "the size of a frame is not minimal", b"\x02\x00\x01" + not_minimal + plane)
    yield row("as_raw", "the elements as they are, without planes", b"\x05\x06\x07\x08\x09\x0a")
    yield row("as_zstd", "a frame of all elements", frame(bytes(6)))
    for name, (reason, wrap) in FRAMES.items():
        made = wrap(b"\x05\x01")
        payload = b"\1" + u(len(made)) + made
        yield row(f"frame_{name}", f"the frame of a plane {reason}", payload, 2, D.INT8)
    for name, (reason, made) in EMPTY_FRAMES.items():
        payload = b"\1" + u(len(made)) + made
        yield row(f"empty_frame_{name}", f"the frame for no elements {reason}", payload, 0, D.INT8)


def whole_files() -> Iterator[Row]:
    """Sections 4.7 and 7."""
    huge = broken(D.FLOAT32, 1 << 40, b"\2\0" * 4)
    yield Row("rotated_2_40", LIMIT, "4.7: 2^40 elements in constant planes", huge)
    yield Row("rotated_max_bytes", LIMIT, "4.7: 12 bytes", broken(D.FLOAT32, 3, b"\2\0" * 4), 11)

    def layer(values: list[int], bits: str, scale: bytes | None = None) -> File:
        data = u4(*values).tobytes()
        file = File(masks=[mask(bits)], prototypes=[Values(len(values), 0)], header={"minor": 1})
        file.blocks = [Block(D.FLOAT32, ROTATED_PLANES, coded(data, 4, [0] * 4))]
        file.entries = [tiled("w", (8,), 0, scale=scale)]
        return file

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"rotated_{name}", PAYLOAD, f"7: {reason}", file)

    for name, value in (("infinity", 0x7F800000), ("minus_infinity", 0xFF800000), ("nan", 0x7F800001)):
        file = layer([ONE, value], "1" * 8, b"\0\0\0\x40")
        yield row(f"scaled_{name}", f"{name} in the prototype of a scaled layer", file)
    yield row("mask_idle", "a bit for every element although +0.0 is idle", layer([ONE, 0, TWO, HALF], "10111011"))
    yield row("mask_minus_zero", "-0.0 is not idle, but has no bit", layer([ONE, MINUS, TWO, HALF], "101101"))


def rotated_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*ids(), *bools(), *cut_and_left_over(), *whole_files())
