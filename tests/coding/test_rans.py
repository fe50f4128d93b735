"""rANS masks: every parameter by an encoder of its own, both decoders, and payloads that do not fit."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pemncodec.coding import rans
from pemncodec.coding.masks import coders as masks
from pemncodec.coding.masks import rans_bytes, rans_gaps
from pemncodec.common import bits
from pemncodec.container.manifest.rows import MaskRow
from pemncodec.errors import PayloadError

from .. import plain_rans as plain
from ..networks import assert_same, second, u
from .test_masks import RANS_BYTES, RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS, mask_file

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without


def test_frequencies() -> None:
    for parameter in range(1, 256):
        for ours, theirs in (
            (rans_bytes.model(parameter), plain.byte_frequencies(parameter)),
            (rans_gaps.model(parameter), plain.gap_frequencies(parameter)),
        ):
            assert ours.frequencies.tolist() == theirs
            assert sum(theirs) == 65536
            assert min(theirs) >= 1


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_parameters(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 4000))
    density = data.draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.99, 1.0]))
    flags = np.random.default_rng(data.draw(st.integers(0, 1000))).random(length) < density
    lanes = data.draw(st.integers(1, 200))
    parameter = data.draw(st.sampled_from([1, 2, 64, 127, 128, 129, 200, 254, 255]))
    raw = np.packbits(flags, bitorder="little").tobytes()
    coded = plain.encode(raw, plain.byte_frequencies(parameter), min(lanes, len(raw)))
    payloads = {RANS_BYTES: bytes([parameter]) + coded}
    for coder in (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS):
        positions = np.flatnonzero(flags == (coder == RANS_GAPS_OF_ONES)).tolist()
        s = data.draw(st.sampled_from([0, 1, 3, 8, 31]))
        payloads[coder] = plain.encode_gaps(positions, s, parameter, min(lanes, max(len(positions), 1)))
    for coder, payload in payloads.items():
        row = MaskRow(coder, length, int(flags.sum()), len(payload))
        assert bytes(masks.decode_mask(row, payload, 0)) == raw
        content = assert_same(mask_file(coder, length, row.ones, payload))
        assert content[""][0][3] == flags.astype(np.uint8).tobytes()


@pytest.mark.parametrize("lanes", [1, 2, rans._FEW - 1, rans._FEW, rans._FEW + 1, 999, 5000])
def test_the_encoder_writes_what_the_plain_one_does(lanes: int) -> None:
    """Byte by byte and row by row are one format."""
    content = np.random.default_rng(lanes).choice([0, 1, 2, 16, 255], p=[0.7, 0.1, 0.1, 0.05, 0.05], size=5000)
    stream = content.astype(np.uint8)
    model = rans_bytes.model(30)
    made = rans.encode(stream, model, lanes)
    assert u(lanes) + made == plain.encode(stream.tobytes(), model.frequencies.tolist(), lanes)
    assert np.array_equal(rans.decode(rans.stream(memoryview(made), 5000, model, lanes)), stream)


def test_a_lane_makes_8192_bytes_at_most() -> None:
    model = rans_bytes.model(128)
    for count in (8192, 8193):
        made = rans.encode(np.zeros(count, dtype=np.uint8), model, 1)
        if count == 8192:
            assert not rans.decode(rans.stream(memoryview(made), count, model, 1)).any()
        else:
            with pytest.raises(PayloadError, match="1 rANS lanes for 8193 bytes"):
                rans.stream(memoryview(made), count, model, 1)
    assert [rans.lanes_for(count, 0) for count in (0, 1, 8192, 8193)] == [1, 1, 1, 2]


def bad_payloads() -> dict[str, tuple[int, int, int, bytes, str]]:
    """Coder, length, ones, payload, phrase."""
    raw = bytes(range(200))
    ones = sum(value.bit_count() for value in raw)
    good = plain.encode(raw, plain.byte_frequencies(128), 3)
    positions = list(range(5, 300, 7))
    gaps = plain.encode_gaps(positions, 2, 60, 1)
    k = len(positions)
    other = struct.pack("<I", struct.unpack_from("<I", good, 1)[0] + 256)
    many = 40  # lanes, so that whole rows are decoded
    rows = plain.encode(raw, plain.byte_frequencies(128), many)

    def five(payload: bytes, phrase: str, ones: int = ones) -> tuple[int, int, int, bytes, str]:
        return RANS_BYTES, 1600, ones, payload, phrase

    def six(payload: bytes, phrase: str, ones: int = k) -> tuple[int, int, int, bytes, str]:
        return RANS_GAPS_OF_ONES, 300, ones, payload, phrase

    return {
        "no density": five(b"", "density of rANS bytes needs 1 bytes"),
        "density 0": five(b"\0" + good, "is 0, and must be 1 to 255"),
        "no lanes": five(b"\x80\0" + good[1:], "0 rANS lanes for 200 bytes"),
        "too many lanes": five(b"\x80" + u(201) + bytes(900), "201 rANS lanes for 200 bytes"),
        "cut states": five(b"\x80" + good[:9], "3 rANS states and 16-bit words do not fit 8 bytes"),
        "odd words": five(b"\x80" + good + b"\0", "do not fit"),
        "small state": five(b"\x80\x03" + struct.pack("<I", 65535) + good[5:], "a rANS state is below"),
        "a word too few": five(b"\x80" + good[:-2], "too few words"),
        "a word too few for rows": five(b"\x80" + rows[:-2], "too few words"),
        "a word too many": five(b"\x80" + good + b"\0\0", "of .* words, or did not end"),
        "another state": five(b"\x80\x03" + other + good[5:], ""),
        "other ones": five(b"\x80" + good, "are one, but the manifest says", ones + 1),
        "low bits 32": six(bytes([32]) + gaps[1:], "32 low bits and the frequencies 60"),
        "frequencies 0": six(bytes([2, 0]) + gaps[2:], "2 low bits and the frequencies 0"),
        "too many gap bytes": six(bytes([2, 60]) + u(k + 2) + gaps[3:], "number of gap bytes is 45, but at most 44"),
        "low bits cut": six(gaps[:9], "low bits of gaps needs 11 bytes"),
        "one position more": six(gaps, "", k + 1),
        "one position less": six(gaps, "", k - 1),
        "padding of low bits": six(gaps[:13] + bytes([gaps[13] | 0x80]) + gaps[14:], "padding after the low bits"),
        "beyond the end": (RANS_GAPS_OF_ONES, 290, k, gaps, "lead to position 299 of 290"),
        "far beyond the end": six(plain.encode_gaps([2**31 * 500], 31, 60, 1), "lead beyond the 300 bits", 1),
        "cut gap": six(
            bytes([0, 60, 2]) + plain.encode(b"\xff\xff", plain.gap_frequencies(60), 1), "the last gap is cut off", 1
        ),
    }


@pytest.mark.parametrize("name", bad_payloads())
def test_bad_payload(name: str) -> None:
    coder, length, ones, payload, phrase = bad_payloads()[name]
    with pytest.raises(PayloadError, match=f"mask 3: .*{phrase}"):
        masks.decode_mask(MaskRow(coder, length, ones, len(payload)), payload, 3)
    with pytest.raises(second.DecodeError) as caught:
        second.decode(mask_file(coder, length, ones, payload))
    assert caught.value.kind == "payload"


def test_every_prefix_is_an_error() -> None:
    flags = np.random.default_rng(0).random(5000) < 0.1
    packed = bits.pack(flags)
    for coder in (RANS_BYTES, RANS_GAPS_OF_ONES):
        payload = masks.CODERS[coder].encode(packed, 5000, int(flags.sum()), len(packed))
        for end in range(len(payload)):
            with pytest.raises(PayloadError):
                masks.decode_mask(MaskRow(coder, 5000, int(flags.sum()), end), payload[:end], 0)
