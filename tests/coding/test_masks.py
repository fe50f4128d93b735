"""All mask coders against each other, an independent reading, the second decoder and the entropy; `Mask` as a set."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from bitarray import bitarray
from numpy.typing import NDArray

from pemncodec import Mask
from pemncodec.coding.masks import coders as masks
from pemncodec.common import bits
from pemncodec.container.manifest.rows import MaskRow
from pemncodec.errors import NetworkError, PayloadError
from pemncodec.loading.file import PemnFile

from .. import plain_rans as plain
from ..networks import assemble, assert_same, u

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

Flags = NDArray[np.bool_]
CONSTANT, RAW, ZSTD, GAPS_OF_ONES, GAPS_OF_ZEROS, RANS_BYTES, RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS = range(8)
LENGTHS = (0, 1, 7, 8, 9, 255, 256, 4096, 70_000)
DENSITIES = (0, 0.001, 0.05, 0.3, 0.5, 0.97, 1)


def draw(length: int, density: float) -> Flags:
    """Random bits; no density but 0 and 1 gives a constant mask by chance, where that can be."""
    flags = np.random.default_rng([length, int(1000 * density)]).random(length) < density
    if 0 < density < 1 and length > 1:
        flags[length // 3], flags[-1] = True, False
    return flags


def mask_file(coder: int, length: int, ones: int, payload: bytes) -> bytes:
    """A file with one kept uint8 layer `t`, whose kept values are all 1: it shows the mask."""
    table = b"\x01" + bytes([coder]) + u(length) + u(ones) + u(len(payload))
    blocks = b"\x01\x02\x03\x03"  # one block of uint8, a palette of the one value 1
    entry = b"\x01\x00\x01t\x01\x01" + u(length) + b"\x00\x00"
    return assemble(b"\x00\x00" + table + blocks + b"\x00" + entry, payload + b"\x00\x00\x01")


def gap_bytes(positions: list[int]) -> bytes:
    """Section 5, position by position."""
    out, before = b"", -1
    for position in positions:
        gap = position - before - 1
        out += b"\xff" * (gap // 255) + bytes([gap % 255])
        before = position
    return out


def by_hand(coder: int, flags: Flags) -> bytes | None:
    """A payload made without the package; None where the coder cannot say the mask."""
    raw = bytes(sum(1 << k for k in range(8) if flags[i + k : i + k + 1].any()) for i in range(0, len(flags), 8))
    if coder == CONSTANT:
        return None if flags.any() and not flags.all() else b""
    if coder == RAW:
        return raw
    if coder == RANS_BYTES:
        return bytes([99]) + plain.encode(raw, plain.byte_frequencies(99))
    positions = np.flatnonzero(flags == (coder in (GAPS_OF_ONES, RANS_GAPS_OF_ONES))).tolist()
    if coder in (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS):
        return plain.encode_gaps(positions, s=2, t=50)
    content = raw if coder == ZSTD else gap_bytes(positions)
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(content)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("length", LENGTHS)
def test_every_coder(length: int, density: float) -> None:
    flags = draw(length, density)
    ones = int(flags.sum())
    packed = bits.pack(flags)
    payloads: dict[int, list[bytes]] = {}
    for coder, module in masks.CODERS.items():
        made = [module.encode(packed, length, ones, len(packed)), by_hand(coder, flags)]
        assert made[1] is not None or made[0] is None  # what cannot be said is not encoded
        payloads[coder] = [payload for payload in made if payload is not None]
        for payload in payloads[coder]:
            decoded = masks.decode_mask(MaskRow(coder, length, ones, len(payload)), payload, 0)
            assert decoded.dtype == np.uint8
            assert bytes(decoded) == by_hand(RAW, flags)
            content = assert_same(mask_file(coder, length, ones, payload))
            assert content[""] == [("t", "uint8", (length,), flags.astype(np.uint8).tobytes())]
    row, best = masks.encode_mask(packed, length)
    assert (row.length, row.ones, row.size) == (length, ones, len(best))
    encoded = {coder: len(made[0]) for coder, made in payloads.items() if made}
    assert len(best) <= min([bits.byte_length(length), *encoded.values()])
    assert len(best) == len(payloads[row.coder][0])
    assert all(encoded[coder] > len(best) for coder in encoded if coder < row.coder)  # the lowest id on a tie


def test_which_coder_wins() -> None:
    """Each coder is the best for some mask."""
    wins = {density: masks.encode_mask(bits.pack(draw(70_000, density)), 70_000)[0].coder for density in DENSITIES}
    assert wins == {
        0: CONSTANT,
        0.001: RANS_GAPS_OF_ONES,
        0.05: RANS_BYTES,
        0.3: RANS_BYTES,
        0.5: RAW,
        0.97: RANS_GAPS_OF_ZEROS,
        1: CONSTANT,
    }


@pytest.mark.parametrize("coder", [GAPS_OF_ONES, GAPS_OF_ZEROS])
def test_gaps_around_multiples_of_255(coder: int) -> None:
    gaps = [0, 1, 253, 254, 255, 256, 509, 510, 511, 764, 765, 766, 5100, 0]
    for order in (gaps, gaps[::-1], [254], [255], [510, 254]):
        positions = np.cumsum(np.array(order) + 1) - 1
        for after in (0, 1, 254, 255, 256):
            flags = np.full(positions[-1] + 1 + after, coder == GAPS_OF_ZEROS)
            flags[positions] ^= True
            length, ones = len(flags), int(flags.sum())
            payload = masks.CODERS[coder].encode(bits.pack(flags), length, ones, length)
            assert payload is not None
            assert zstandard.decompress(payload) == gap_bytes(positions.tolist())
            content = assert_same(mask_file(coder, length, ones, payload))
            assert content[""][0][3] == flags.astype(np.uint8).tobytes()


def excess(flags: Flags) -> float:
    """The size of a mask over its order-0 entropy."""
    p = float(flags.mean())
    entropy = -len(flags) * (p * math.log2(p) + (1 - p) * math.log2(1 - p)) / 8
    return len(masks.encode_mask(bits.pack(flags), len(flags))[1]) / entropy


@pytest.mark.parametrize(
    ("length", "density", "most"),
    [
        (200_000, 0.3, 1.005),
        (200_000, 0.5, 1.0001),
        (200_000, 0.05, 1.007),
        (200_000, 0.02, 1.006),
        (2_000_000, 0.02, 1.005),
        (2_000_000, 0.98, 1.005),
        (10_000_000, 0.15, 1.005),
    ],
)
def test_size_against_the_entropy(length: int, density: float, most: float) -> None:
    flags = np.random.default_rng(1).random(length) < density
    assert 0.995 < excess(flags) < most  # less would be a miracle, or bits that are lost


@pytest.mark.parametrize("density", [0.001, 0.003, 0.01, 0.03, 0.07, 0.1, 0.2, 0.3, 0.4, 0.45, 0.49, 0.5])
@pytest.mark.parametrize("length", [16_384, 65_536, 1_000_003])
def test_size_against_the_number_of_masks(length: int, density: float) -> None:
    """Half a percent and 32 bytes over what tells one mask of so many ones from all others; never over one bit."""
    ones = round(length * density)
    choices = math.lgamma(length + 1) - math.lgamma(ones + 1) - math.lgamma(length - ones + 1)
    least = choices / math.log(2) / 8
    for flipped in (False, True):
        flags = np.full(length, flipped)
        flags[np.random.default_rng(ones).permutation(length)[:ones]] ^= True
        size = len(masks.encode_mask(bits.pack(flags), length)[1])
        assert least < size <= least * (1.005 if length >= 65_536 else 1.01) + 32
        assert size <= bits.byte_length(length)


def test_long_noise_is_stored_as_it_is() -> None:
    """Also beyond the sample of the zstd coder: it declines, and does not lose."""
    length = 8 * (1 << 18) + 8 * 1000 + 3
    flags = np.random.default_rng(2).random(length) < 0.5
    row, payload = masks.encode_mask(bits.pack(flags), length)
    assert (row.coder, len(payload)) == (RAW, -(-length // 8))
    skewed = np.random.default_rng(3).random(length) < 0.25
    row, payload = masks.encode_mask(bits.pack(skewed), length)
    assert row.coder == RANS_BYTES
    assert len(payload) < 0.816 * length / 8
    assert bytes(masks.decode_mask(row, payload, 0)) == np.packbits(skewed, bitorder="little").tobytes()


@pytest.mark.parametrize(
    ("coder", "length", "ones", "payload", "phrase"),
    [
        (CONSTANT, 9, 4, b"", "cannot have 4 ones"),
        (CONSTANT, 9, 9, b"x", "has no payload"),
        (RAW, 9, 1, b"\x01", "9 raw bits in 1 bytes"),
        (RAW, 9, 1, b"\x01\x02", "padding after its 9 bits is not zero"),
        (RAW, 9, 2, b"\x01\x00", "1 of its bits are one, but the manifest says 2"),
        (ZSTD, 9, 1, b"\x01\x00", "not a zstd frame"),
        (GAPS_OF_ONES, 300, 1, zstandard.compress(b"\xff"), "last gap is cut off"),
        (GAPS_OF_ONES, 300, 2, zstandard.compress(b"\x07"), "give 1 positions, but the manifest says 2"),
        (GAPS_OF_ONES, 300, 1, zstandard.compress(b"\xff\x2d"), "lead to position 300 of 300"),
        (GAPS_OF_ZEROS, 300, 299, zstandard.compress(b"\xff\x2d"), "lead to position 300 of 300"),
        (GAPS_OF_ONES, 300, 1, zstandard.compress(b"\x00\x00\x00"), "3 gap bytes for 1 positions"),
    ],
)
def test_bad_payload(coder: int, length: int, ones: int, payload: bytes, phrase: str) -> None:
    with pytest.raises(PayloadError, match=f"mask 3: .*{phrase}"):
        masks.decode_mask(MaskRow(coder, length, ones, len(payload)), payload, 3)
    with PemnFile(mask_file(coder, length, ones, payload)) as file, pytest.raises(PayloadError, match=phrase):
        file.get_mask("t")


# --- Mask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_set_operations(length: int) -> None:
    one, two = draw(length, 0.3), draw(length, 0.97)
    first, second = Mask.from_bool(one), Mask.from_bool(two)
    operations: list[tuple[Callable[[Mask, Mask], Mask], Flags]] = [
        (operator.and_, one & two),
        (operator.or_, one | two),
        (operator.xor, one ^ two),
        (lambda a, b: ~a & b, ~one & two),
    ]
    for operation, expected in operations:
        result = operation(first, second)
        assert result.length == len(result) == length
        assert np.array_equal(result.to_bool(), expected)
        assert result == Mask.from_bool(expected)
        assert hash(result) == hash(Mask.from_bool(expected))
        assert result.count == expected.sum()
        assert result.packed.tobytes() == np.packbits(expected, bitorder="little").tobytes()  # padding is zero
    assert first.distance(second) == (one != two).sum()
    assert first.distance(first) == 0
    assert np.array_equal((~first).to_bool(), ~one)
    assert first.density == (one.mean() if length else 0)
    assert (first == second) == np.array_equal(one, two)
    assert first != one.tolist()


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("length", LENGTHS)
def test_bitarray(length: int, endian: str) -> None:
    flags = draw(length, 0.3)
    value = bitarray(flags.tolist(), endian=endian)
    mask = Mask.from_bitarray(value)
    assert np.array_equal(mask.to_bool(), flags)
    assert mask.to_bitarray().tolist() == flags.astype(int).tolist()
    assert mask.to_bitarray().endian == "little"
    assert mask.count == value.count()
    assert value.tolist() == flags.astype(int).tolist()  # the argument is left as it was


def test_shape_is_flattened_in_row_major_order() -> None:
    flags = np.array([[True, False, False], [False, True, True]])
    for array in (flags, np.asfortranarray(flags), flags[:, ::-1]):
        assert Mask.from_bool(array).to_bool().tolist() == array.reshape(-1).tolist()


@pytest.mark.parametrize(("packed", "length"), [([0, 0], 8), ([0], 9), ([], 1), ([8], 3), ([255, 128], 15), ([1], 0)])
def test_bits_that_do_not_fit(packed: list[int], length: int) -> None:
    with pytest.raises(NetworkError, match=f"{length} bits do not fit {len(packed)} bytes"):
        Mask(np.array(packed, dtype=np.uint8), length)


@pytest.mark.parametrize("operation", [operator.and_, operator.or_, operator.xor, Mask.distance])
def test_other_lengths_cannot_be_combined(operation: Callable[[Mask, Mask], object]) -> None:
    masks_ = [Mask.from_bool(np.ones(length, dtype=np.bool_)) for length in (8, 7)]
    with pytest.raises(NetworkError, match="masks of 8 and 7 bits cannot be combined"):
        operation(*masks_)
    assert masks_[0] != masks_[1]
