"""All block coders on all dtypes, against an independent reading of their payloads and the second decoder."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import zstandard

from pemncodec.coding.blocks import coders as tensors
from pemncodec.coding.blocks import palette as palette_coder
from pemncodec.coding.blocks import planes, rotated_planes
from pemncodec.common.dtypes import BY_ID, BY_NAME, DType
from pemncodec.container.manifest.rows import BlockRow
from pemncodec.errors import PayloadError
from pemncodec.loading.file import PemnFile

from ..networks import Array, assemble, assert_same, u, words

RAW, ZSTD, PLANES, PALETTE, ROTATED_PLANES, GROUPED_PLANES = range(6)
KINDS = ("constant", "two", "300", "random")


def make(dtype: DType, kind: str, count: int) -> Array:
    """Elements as words: NaN payloads and −0.0 among them; bools are 0 and 1."""
    if kind == "random":
        return words(dtype, count, 5)
    pool = words(dtype, {"constant": 1, "two": 2, "300": 300}[kind], 6).reshape(-1, dtype.words_per_element)
    rng = np.random.default_rng(count)
    if kind == "300" and not dtype.words_per_element > 1 and dtype.kind != "bool" and dtype.itemsize > 1:
        pool = np.random.default_rng(7).permutation(1 << 16)[:300].astype(pool.dtype)[:, None]
        pool = pool << 8 * (dtype.word_bytes - 2)  # in the highest bytes
    return pool[rng.integers(0, len(pool), count)].reshape(-1)


def block_file(dtype: DType, coder: int, count: int, payload: bytes) -> bytes:
    """A file with one tensor `t` of `count` elements, alone in its block."""
    blocks = b"\x01" + bytes([dtype.id, coder]) + u(len(payload))
    entry = b"\x01\x00\x01t\x00\x01" + u(count) + b"\x00"
    return assemble(b"\x00\x00\x00" + blocks + b"\x00" + entry, payload)


# --- an independent reading ---------------------------------------------------------------------------------


def unzstd(frame: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)


def read_u(data: bytes) -> tuple[int, bytes]:
    value = shift = 0
    while data[0] > 127:
        value, shift, data = value | (data[0] & 127) << shift, shift + 7, data[1:]
    return value | data[0] << shift, data[1:]


def read_planes(payload: bytes, count: int, size: int) -> tuple[bytes, list[int]]:
    """The elements, and the method of every plane."""
    out, methods = bytearray(count * size), []
    for j in range(size):
        method, payload = payload[0], payload[1:]
        methods.append(method)
        if method == 0:
            plane, payload = payload[:count], payload[count:]
        elif method == 1:
            length, payload = read_u(payload)
            plane, payload = unzstd(payload[:length]), payload[length:]
        else:
            assert method == 2
            plane, payload = payload[:1] * count, payload[1:]
        out[j::size] = plane
    assert not payload
    return bytes(out), methods


def rotated(content: bytes, size: int, left: bool) -> bytes:
    """Every element of `size` bytes rotated by one bit."""
    out = b""
    for i in range(0, len(content), size):
        value, top = int.from_bytes(content[i : i + size], "little"), 8 * size - 1
        turned = (value << 1 | value >> top) & (2 << top) - 1 if left else value >> 1 | (value & 1) << top
        out += turned.to_bytes(size, "little")
    return out


def read_palette(payload: bytes, count: int, size: int) -> tuple[bytes, list[bytes]]:
    """The elements, and the palette."""
    distinct = int.from_bytes(payload[:2], "little") + 1
    palette = [payload[2 + i * size :][:size] for i in range(distinct)]
    rest = payload[2 + distinct * size :]
    if distinct == 1:
        assert not rest
        return palette[0] * count, palette
    method, rest = rest[0], rest[1:]
    content = unzstd(rest) if method else rest
    if method == 2:
        wide = 1 if distinct <= 256 else 2
        indices = [int.from_bytes(content[i : i + wide], "little") for i in range(0, len(content), wide)]
    else:
        width = max(w for w in range(1, 17) if 2 ** (w - 1) < distinct)
        text = "".join(f"{byte:08b}"[::-1] for byte in content)
        assert len(content) == -(-count * width // 8)
        assert "1" not in text[count * width :]
        indices = [int(text[i * width : (i + 1) * width][::-1], 2) for i in range(count)]
    assert len(indices) == count
    return b"".join(palette[index] for index in indices), palette


# --- the battery --------------------------------------------------------------------------------------------


def check(dtype: DType, values: Array) -> None:
    """Every coder that takes the block gives it back, to the package, the second decoder and the readers above."""
    count, content = len(values) // dtype.words_per_element, values.astype(values.dtype.newbyteorder("<")).tobytes()
    sizes = {}
    distinct = {content[i : i + dtype.itemsize] for i in range(0, len(content), dtype.itemsize)}
    for coder, module in tensors.CODERS.items():
        payload = module.encode(values, dtype, 1 << 40)
        if payload is None:
            wide = dtype.words_per_element > 1
            allowed = {RAW: False, ZSTD: not count, PLANES: not count or dtype.itemsize == 1}
            allowed[PALETTE] = not count or wide or len(distinct) > 65_536
            allowed[ROTATED_PLANES] = allowed[PLANES] or dtype.kind != "float"
            allowed[GROUPED_PLANES] = not count or dtype.kind != "float"
            assert allowed[coder], f"{module.__name__} declines {count} elements"
            continue
        sizes[coder] = len(payload)
        decoded = tensors.decode_block(BlockRow(dtype, coder, len(payload)), payload, count, 0)
        assert decoded.dtype == values.dtype
        assert decoded.tobytes() == values.tobytes()
        shown = assert_same(block_file(dtype, coder, count, payload))
        assert shown[""] == [("t", dtype.name, (count,), content)]
        if coder == RAW:
            assert payload == content
        elif coder == ZSTD:
            assert unzstd(payload) == content
        elif coder in (PLANES, ROTATED_PLANES):
            read, methods = read_planes(payload, count, dtype.itemsize)
            if coder == ROTATED_PLANES:
                assert rotated(read, dtype.itemsize, left=False) == content
                continue
            assert read == content
            for j, method in enumerate(methods):
                assert (method == 2) == (len(set(content[j :: dtype.itemsize])) == 1)
        elif coder == PALETTE:
            read, palette = read_palette(payload, count, dtype.itemsize)
            assert read == content
            assert set(palette) == distinct
            assert palette == sorted(palette, key=lambda value: int.from_bytes(value, "little"))
    row, payload = tensors.encode_block(values, dtype)
    assert row.size == len(payload) == min(sizes.values())
    assert row.coder == min(coder for coder, size in sizes.items() if size == row.size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", BY_ID.values(), ids=str)
def test_every_dtype(dtype: DType, kind: str) -> None:
    for count in (0, 1, 2, 3, 100):
        check(dtype, make(dtype, kind, count))


@pytest.mark.parametrize("dtype", BY_ID.values(), ids=str)
def test_every_dtype_may_be_rotated(dtype: DType) -> None:
    """Also those for which the encoder does not try it."""
    values = make(dtype, "random", 50)
    content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    turned = rotated(content, dtype.itemsize, left=True)
    payload = b"".join(b"\0" + turned[j :: dtype.itemsize] for j in range(dtype.itemsize))
    decoded = tensors.decode_block(BlockRow(dtype, ROTATED_PLANES, len(payload)), payload, 50, 0)
    assert decoded.tobytes() == values.tobytes()
    assert assert_same(block_file(dtype, ROTATED_PLANES, 50, payload))[""] == [("t", dtype.name, (50,), content)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["int8", "bfloat16", "float32"])
def test_long(name: str, kind: str) -> None:
    check(BY_NAME[name], make(BY_NAME[name], kind, 70_000))


@pytest.mark.parametrize("name", ["complex64", "complex128"])
def test_long_and_wide(name: str) -> None:
    check(BY_NAME[name], make(BY_NAME[name], "300", 70_000))


def test_more_values_than_a_palette_holds() -> None:
    """65,536 distinct values are the most; one more and the coder declines, early or late in the block."""
    uint32 = BY_NAME["uint32"]
    most = np.arange(65_536, dtype=np.uint32) * np.uint32(65_537)
    check(uint32, most)
    assert read_palette(palette_coder.encode(most, uint32, 1 << 40) or b"", 65_536, 4)[0] == most.tobytes()
    late = np.concatenate([np.zeros(200_000, dtype=np.uint32), np.arange(65_536, dtype=np.uint32) + 1])
    for values in (np.append(most, np.uint32(1)), late):
        assert palette_coder.encode(values, uint32, 1 << 40) is None


@pytest.mark.parametrize("distinct", [1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 4096, 4097])
def test_width_of_the_indices(distinct: int) -> None:
    """Around powers of two, and where an index takes two bytes; each of the three methods has its turn."""
    uint64 = BY_NAME["uint64"]
    palette = np.arange(distinct, dtype=np.uint64) * np.uint64(0x0123456789ABCD)
    ramp = np.resize(palette, 20_000)
    noise = palette[np.random.default_rng(distinct).integers(0, distinct, 20_000)]
    methods = []
    for values in (ramp, noise):
        check(uint64, values)
        payload = palette_coder.encode(values, uint64, 1 << 40)
        assert payload is not None
        methods.append(payload[2 + 8 * len(np.unique(values)) :][:1])
    if distinct in (2, 4, 16, 256):  # noise over all indices has nothing to gain
        assert methods[1] == b"\0"
    if distinct in (257, 4097):  # a whole number of bytes an index repeats better than 9 or 13 bits
        assert methods[0] == b"\2"
    if distinct > 1:  # by hand, for the coder prefers method 1 where both are the same
        indices = (np.arange(20_000) % distinct).astype("<u1" if distinct <= 256 else "<u2")
        front = struct.pack("<H", distinct - 1) + palette.astype("<u8").tobytes()
        coded = front + b"\2" + zstandard.compress(indices.tobytes())
        assert read_palette(coded, 20_000, 8)[0] == ramp.tobytes()
        assert assert_same(block_file(uint64, PALETTE, 20_000, coded))[""][0][3] == ramp.tobytes()


def test_indices_across_chunks() -> None:
    """The packing works in pieces; a width of 9 bits does not divide them into bytes by itself."""
    count = (1 << 18) + 77
    values = (np.arange(count, dtype=np.uint32) * 7919 % 257).astype(np.uint16)
    payload = palette_coder.encode(values, BY_NAME["int16"], 1 << 40)
    assert payload is not None
    packed = palette_coder._pack(values, 9)
    assert np.array_equal(palette_coder._unpack(np.frombuffer(packed, dtype=np.uint8), 9, 0, count), values)
    by_hand = payload[: 2 + 2 * 257] + b"\x00" + packed
    for coded in (payload, by_hand):
        assert read_palette(coded, count, 2)[0] == values.tobytes()
        row = BlockRow(BY_NAME["int16"], PALETTE, len(coded))
        assert tensors.decode_block(row, coded, count, 0).tobytes() == values.tobytes()


def test_what_each_coder_is_for() -> None:
    f32 = BY_NAME["float32"]
    normal = np.random.default_rng(0).normal(size=20_000).astype(np.float32).view(np.uint32)
    signs = np.random.default_rng(1).choice(np.array([0.1, -0.1], dtype=np.float32), 20_000).view(np.uint32)
    noise = np.random.default_rng(2).integers(0, 1 << 32, 20_000, dtype=np.uint32)
    repeated = np.tile(noise[:1000], 20)
    near_one = np.random.default_rng(4).uniform(0.5, 2, 20_000).astype(np.float32).view(np.uint32)
    ordered = np.sort(near_one.view(np.float32)).view(np.uint32)
    kinds = (noise, repeated, ordered, signs, normal, near_one)
    best = [tensors.encode_block(values, f32)[0] for values in kinds]
    assert [row.coder for row in best] == [RAW, ZSTD, PLANES, PALETTE, GROUPED_PLANES, PLANES]
    assert best[3].size <= 20_000 // 8 + 11  # a bit each, two values, K and the method
    assert best[5].size < 0.76 * normal.nbytes
    assert best[4].size < 0.83 * normal.nbytes
    weights = np.random.default_rng(3).normal(size=40_000).astype(np.float32)
    kept = weights[np.abs(weights) > 1].view(np.uint32)  # what magnitude pruning leaves: few exponents, any sign
    by_rotated = len(rotated_planes.encode(kept, f32, 1 << 40) or b"")
    assert by_rotated < 0.99 * len(planes.encode(kept, f32, 1 << 40) or b"")
    assert tensors.encode_block(kept, f32)[0].coder == GROUPED_PLANES
    assert tensors.encode_block(kept, f32)[0].size < 0.99 * by_rotated


@pytest.mark.parametrize(
    ("name", "coder", "count", "payload", "phrase"),
    [
        ("float32", RAW, 2, b"1234567", "2 raw elements of float32 in 7 bytes"),
        ("bool", RAW, 2, b"\x01\x02", "a bool is 2, and must be 0 or 1"),
        ("bool", PALETTE, 3, b"\x00\x00\xff", "a bool is 255"),
        ("int16", ZSTD, 2, zstandard.compress(b"123"), "declares 3 bytes, expected 4"),
        ("int16", PLANES, 2, b"\x02a\x03b", "plane 1 has the unknown method 3"),
        ("int16", PLANES, 2, b"\x02a\x02bc", "1 bytes are left over"),
        ("int16", PLANES, 2, b"\x02a\x00b", "plane 1 needs 2 bytes, but 1 are left"),
        ("bool", ROTATED_PLANES, 1, b"\x02\x01", "a bool is 128, and must be 0 or 1"),
        ("int16", ROTATED_PLANES, 2, b"\x02a\x02bc", "1 bytes are left over"),
        ("int8", PALETTE, 8, b"\x01\x00\x01\x00\x00\x00", "not in ascending order"),
        ("int8", PALETTE, 8, b"\x01\x00\x01\x01\x00\x00", "not in ascending order"),
        ("int8", PALETTE, 4, b"\x02\x00\x01\x02\x03\x00\xff", "index 3 in a palette of 3"),
        ("int8", PALETTE, 3, b"\x01\x00\x01\x02\x00\x08", "padding after the indices is not zero"),
        ("int8", PALETTE, 9, b"\x01\x00\x01\x02\x00\x00", "9 indices of 1 bits in 1 bytes"),
        ("int8", PALETTE, 3, b"\x01\x00\x01\x02\x03\x00", "unknown method 3"),
    ],
)
def test_bad_payload(name: str, coder: int, count: int, payload: bytes, phrase: str) -> None:
    with pytest.raises(PayloadError, match=f"block 4: .*{phrase}"):
        tensors.decode_block(BlockRow(BY_NAME[name], coder, len(payload)), payload, count, 4)
    with PemnFile(block_file(BY_NAME[name], coder, count, payload)) as file, pytest.raises(PayloadError, match=phrase):
        file.get_numpy("t")
