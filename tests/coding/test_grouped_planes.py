"""Grouped planes (spec section 6.1), against a writer in plain Python and the second decoder."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pemncodec.coding.blocks import byte_strings, grouped_planes, rotated_planes
from pemncodec.coding.blocks import coders as tensors
from pemncodec.common.dtypes import BY_NAME, DType
from pemncodec.container.cursor import Cursor
from pemncodec.container.manifest.rows import BlockRow
from pemncodec.errors import PayloadError

from .. import plain_rans as plain
from ..networks import Array, assert_same, u
from .test_blocks import GROUPED_PLANES, block_file, rotated

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

F32, BF16 = BY_NAME["float32"], BY_NAME["bfloat16"]


def frequencies(b: int, first: int, weights: list[int]) -> list[int]:
    """The table of section 6.1, one value after the other."""
    table = [1] * 256
    for v in range(first << b, first + len(weights) << b):
        table[v] += weights[(v >> b) - first] * 65_280 // (sum(weights) << b)
    table[first + weights.index(max(weights)) << b] += 65_536 - sum(table)
    return table


def byte_string(content: bytes, method: int, b: int = 0, lanes: int | None = None) -> bytes:
    """Section 6.1, with the weights that come to mind: how often a bin is there."""
    if method == 0:
        return b"\x00" + content
    if method == 1:
        return b"\x01" + content[:1]
    bins = [0] * (256 >> b)
    for byte in content:
        bins[byte >> b] += 1
    coded = plain.encode(content, frequencies(b, 0, bins), lanes)
    return bytes([2, b, 0, len(bins) - 1]) + b"".join(map(u, bins)) + u(len(coded)) + coded


def payload(content: bytes, size: int, write: Callable[[bytes], bytes]) -> bytes:
    """Elements of `size` bytes, each byte string as `write` has it."""
    turned = rotated(content, size, left=True)
    planes = [turned[j::size] for j in range(size)]
    out = write(planes[-1])
    if size > 1:
        for value in sorted(set(planes[-1])):
            out += write(bytes(low for high, low in zip(planes[-1], planes[-2], strict=True) if high == value))
    return out + b"".join(write(plane) for plane in planes[-3::-1] if size > 2)


@pytest.mark.parametrize("name", ["bool", "int8", "float8_e5m2", "bfloat16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("count", [1, 2, 40, 700])
def test_what_a_plain_writer_writes(name: str, count: int) -> None:
    dtype = BY_NAME[name]
    rng = np.random.default_rng(count)
    content = rng.bytes(count * dtype.itemsize) if name != "bool" else bytes(rng.integers(0, 2, count).tolist())
    choices = iter(rng.integers(0, 2**16, 10_000).tolist())

    def write(string: bytes) -> bytes:
        choice = next(choices)
        method = 1 if len(set(string)) == 1 and choice % 3 else (0, 2)[choice % 2]
        return byte_string(string, method, choice % 8, 1 + choice % min(3, len(string)))

    assert_decodes(dtype, count, content, payload(content, dtype.itemsize, write))


def assert_decodes(dtype: DType, count: int, content: bytes, coded: bytes) -> None:
    decoded = tensors.decode_block(BlockRow(dtype, GROUPED_PLANES, len(coded)), coded, count, 0)
    assert decoded.astype(decoded.dtype.newbyteorder("<")).tobytes() == content
    shown = assert_same(block_file(dtype, GROUPED_PLANES, count, coded))
    assert shown[""] == [("t", dtype.name, (count,), content)]


@pytest.mark.parametrize(("count", "lanes"), [(9_000, 2), (20_000, 40)])
def test_long_strings_of_several_lanes(count: int, lanes: int) -> None:
    values = np.random.default_rng(1).standard_normal(count).astype(np.float32).view(np.uint32)
    coded = payload(values.tobytes(), 4, lambda string: byte_string(string, 2, 3, min(lanes, len(string))))
    assert_decodes(F32, count, values.tobytes(), coded)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_any_table(data: st.DataObject) -> None:
    b = data.draw(st.integers(0, 7))
    first = data.draw(st.integers(0, (256 >> b) - 1))
    most = data.draw(st.sampled_from([1, 300, (1 << 24) - 1]))
    weights = data.draw(st.lists(st.integers(0, most), min_size=1, max_size=(256 >> b) - first).filter(any))
    table = frequencies(b, first, weights)
    assert sum(table) == 65_536
    assert min(table) >= 1
    assert byte_strings.model(b, first, weights).frequencies.tolist() == table
    content = data.draw(st.binary(min_size=1, max_size=60))
    coded = plain.encode(content, table)
    string = bytes([2, b, first, len(weights) - 1]) + b"".join(map(u, weights)) + u(len(coded)) + coded
    cursor = Cursor(string, PayloadError)
    assert byte_strings.decode(cursor, len(content), "it").tobytes() == content
    cursor.end("it")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e30])
def test_size_of_normal_values_against_their_entropy(scale: float) -> None:
    """Sign, mantissa below the first eight bits, and what is known of the distribution: nothing else is paid for."""
    count = 200_000
    values = (np.random.default_rng(2).standard_normal(count) * scale).astype(np.float32)
    size = len(grouped_planes.encode(values.view(np.uint32), F32, 1 << 40) or b"")
    octave = math.floor(math.log2(scale))
    edges = [2.0**e * (1 + i / 256) for e in range(octave - 24, octave + 4) for i in range(256)]
    below = [math.erf(edge / scale / math.sqrt(2)) for edge in edges]
    chances = np.diff([0.0, *below])
    chances = chances[chances > 0]
    entropy = float(-(chances * np.log2(chances)).sum()) + 1 + 15
    assert 0.995 * entropy * count / 8 < size < 1.004 * entropy * count / 8


def test_pruned_values_pay_for_no_mantissa_that_cannot_be() -> None:
    """Of two octaves with a cut in the lower one, rotated planes see one distribution of mantissas."""
    values = np.random.default_rng(3).uniform(1.75, 3.0, 50_000).astype(np.float32).view(np.uint32)
    row, _ = tensors.encode_block(values, F32)
    assert row.coder == GROUPED_PLANES
    assert row.size < 0.98 * len(rotated_planes.encode(values, F32, 1 << 40) or b"")


def test_bfloat16() -> None:
    values = (np.random.default_rng(4).standard_normal(30_000).astype(np.float32).view(np.uint32) >> 16).astype(
        np.uint16
    )
    row, coded = tensors.encode_block(values, BF16)
    assert row.coder == GROUPED_PLANES
    assert row.size < 0.992 * len(rotated_planes.encode(values, BF16, 1 << 40) or b"")
    assert tensors.decode_block(row, coded, 30_000, 0).tobytes() == values.tobytes()


def test_groups_that_reach_over_pieces() -> None:
    """More elements than are put into groups at a time, and groups that are missing in some of the pieces."""
    rng = np.random.default_rng(6)
    spread = np.repeat(np.array([1.0, 1e-9, 1e9]), 200_000)
    values = (rng.standard_normal(600_000) * spread).astype(np.float32).view(np.uint32)
    coded = grouped_planes.encode(values, F32, 1 << 40) or b""
    assert np.array_equal(grouped_planes.decode(coded, F32, len(values)), values)
    apart = [grouped_planes.encode(part, F32, 1 << 40) or b"" for part in np.split(values, 3)]
    mixed = len(values) * math.log2(3) / 8  # which of the three it is
    assert len(coded) < sum(map(len, apart)) + 1.01 * mixed


# --- what is no byte string -----------------------------------------------------------------------------------

TABLE = bytes([2, 0, 7, 0, 1])  # all weight on byte 7
GOOD = plain.encode(b"\x07" * 5, frequencies(0, 7, [1]))
BAD = {
    "of no elements": (0, b""),
    "method of the highest plane": (5, b""),
    "unknown method 3": (5, b"\x03" + bytes(5)),
    "the highest plane needs 5 bytes": (5, b"\x00" + bytes(4)),
    "does not fit 256 bytes": (5, bytes([2, 8, 0, 0, 1])),
    "3 bins of 2\\^7 bytes from bin 0": (5, bytes([2, 7, 0, 2, 1, 1, 1])),
    "1 bins of 2\\^4 bytes from bin 16": (5, bytes([2, 4, 16, 0, 1])),
    "all weights of its table are 0": (5, bytes([2, 0, 7, 1, 0, 0])),
    "weight of the highest plane is 16777216": (5, bytes([2, 0, 7, 0]) + u(1 << 24)),
    "needless bytes": (5, bytes([2, 0, 7, 0, 0x81, 0])),
    "size of the highest plane|are left": (5, TABLE + u(99) + GOOD),
    "do not fit 0 bytes": (5, TABLE + u(1) + GOOD[:1]),
    "0 rANS lanes": (5, TABLE + u(1) + b"\x00"),
    "6 rANS lanes for 5 bytes": (5, TABLE + u(25) + u(6) + bytes(24)),
    "a rANS state is below": (5, TABLE + u(5) + u(1) + bytes(4)),
    "did not end in the states": (4, TABLE + u(len(GOOD)) + GOOD),
    "bytes are left over": (5, TABLE + u(len(GOOD)) + GOOD + b"x"),
}


def test_the_good_one() -> None:
    decoded = tensors.decode_block(BlockRow(BY_NAME["uint8"], GROUPED_PLANES, 0), TABLE + u(len(GOOD)) + GOOD, 5, 0)
    assert decoded.tolist() == [0x83] * 5  # 7 rotated right


@pytest.mark.parametrize("phrase", BAD)
def test_bad_payload(phrase: str) -> None:
    count, coded = BAD[phrase]
    with pytest.raises(PayloadError, match=phrase):
        tensors.decode_block(BlockRow(BY_NAME["uint8"], GROUPED_PLANES, len(coded)), coded, count, 0)


def test_every_prefix_is_an_error() -> None:
    values: Array = np.random.default_rng(5).standard_normal(300).astype(np.float32).view(np.uint32)
    coded = grouped_planes.encode(values, F32, 1 << 40) or b""
    assert 2 in coded[:1]
    for length in range(len(coded)):
        with pytest.raises(PayloadError):
            tensors.decode_block(BlockRow(F32, GROUPED_PLANES, length), coded[:length], 300, 0)
