"""Chunks: how the encoder cuts, and what a part decodes. The vectors have what a decoder must accept and refuse."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.coding import block_parts, mask_parts
from pemncodec.coding.blocks import coders as blocks
from pemncodec.coding.chunks import read_table, write
from pemncodec.coding.encoder import encode
from pemncodec.coding.masks import coders as masks
from pemncodec.coding.masks.coders import IN_CHUNKS, encode_in_chunks
from pemncodec.common import bits
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS
from pemncodec.network.model import KeptFill, Layer, MaskedNetwork, TileFill

from ..networks import random_mask, second_content, stored

SIDE = 2048


def values(count: int) -> np.ndarray:
    """Floats of the usual kind, which grouped planes make smaller."""
    return np.random.default_rng(1).standard_normal(count).astype(np.float32).view(np.uint32)


def network(density: float, *, kept: bool) -> MaskedNetwork:
    """A layer of four million weights."""
    mask = random_mask(SIDE * SIDE, density, 3)
    if kept:
        fill = KeptFill(FLOAT32, values(mask.count))
        return MaskedNetwork(masks=[mask], entries=[Layer("w", (SIDE, SIDE), 0, fill)])
    return MaskedNetwork(
        masks=[mask], prototypes=[stored(FLOAT32, values(999))], entries=[Layer("w", (SIDE, SIDE), 0, TileFill(0, 5))]
    )


def coders(data: bytes) -> tuple[list[str], list[str]]:
    with pemncodec.open(data) as file:
        manifest = file.decoder.manifest
        masks = [MASK_CODERS[row.coder].name for row in manifest.masks]
        return masks, [BLOCK_CODERS[row.coder].name for row in manifest.blocks]


@pytest.mark.parametrize("density", [0.02, 0.2, 0.5])
@pytest.mark.parametrize("kept", [False, True])
def test_chunks_only_on_request_and_where_they_help(density: float, kept: bool) -> None:
    plain, seekable = encode(network(density, kept=kept)), encode(network(density, kept=kept), seekable=True)
    of_masks, of_blocks = coders(seekable)
    assert of_masks == (["raw"] if density == 0.5 else ["chunks"])
    large = kept and density > 0.1
    assert of_blocks == (["chunks"] if large else coders(plain)[1])
    assert "chunks" not in [*coders(plain)[0], *coders(plain)[1]]
    assert len(seekable) <= 1.01 * len(plain)
    with pemncodec.open(seekable) as file, pemncodec.open(plain) as other:
        assert file.header.minor == (6 if "chunks" in of_masks + of_blocks else other.header.minor)
        assert torch.equal(file.get_tensor("w").view(torch.int32), other.get_tensor("w").view(torch.int32))


def test_the_second_decoder_reads_what_is_written() -> None:
    mask = random_mask(1 << 20, 0.1, 7)
    fill = KeptFill(FLOAT32, values(mask.count))
    small = MaskedNetwork(masks=[mask], entries=[Layer("w", (1 << 10, 1 << 10), 0, fill)])
    data = encode(small, seekable=True)
    assert coders(data)[0] == ["chunks"]
    ((name, _, _, content),) = second_content(data)[""]
    expected = np.zeros(1 << 20, dtype=np.uint32)
    expected[mask.to_bool()] = fill.values
    assert (name, content) == ("w", expected.tobytes())


@pytest.mark.parametrize(
    ("length", "power"),
    [(1 << 20, 14), ((1 << 21) - 1, 14), (1 << 23, 17), (1 << 24, 18), (1 << 25, 18)],
)
def test_sizes_of_chunks(length: int, power: int) -> None:
    mask = random_mask(length, 0.05, 1)
    row, payload = encode_in_chunks(mask.packed, length)
    table = read_table(payload, row.size, length, row.ones, IN_CHUNKS)
    assert (table.power, len(table)) == (power, -(-length >> power))
    flags = mask.to_bool()
    assert table.before == [0, *np.add.reduceat(flags, np.arange(0, length, 1 << power), dtype=int).cumsum()]


def test_small_and_constant_masks_are_as_ever() -> None:
    for mask in (random_mask((1 << 20) - 1, 0.05, 1), pemncodec.Mask.from_bool(np.ones(1 << 21, dtype=np.bool_))):
        row, _ = encode_in_chunks(mask.packed, mask.length)
        assert MASK_CODERS[row.coder].name != "chunks"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """The numbers of the chunks that are decoded."""
    seen: dict[str, list[int]] = {"mask": [], "block": []}

    def noting(kind: str, decode: Callable[..., Any]) -> Callable[..., Any]:
        def decoded(*arguments: Any) -> Any:
            seen[kind].append(arguments[-1])
            return decode(*arguments)

        return decoded

    monkeypatch.setattr(mask_parts, "decode_chunk", noting("mask", masks.decode_chunk))
    monkeypatch.setattr(block_parts, "decode_chunk", noting("block", blocks.decode_chunk))
    return seen


def test_a_part_decodes_the_chunks_that_it_touches(asked: dict[str, list[int]]) -> None:
    data = encode(network(0.2, kept=True), seekable=True)  # 64 chunks of 32 rows; values of 16,384
    with pemncodec.open(data) as file:
        whole = file.get_tensor("w")
        cut = file.get_slice("w")
        flags = file.get_mask("w").to_bool()
        for start, stop in ((0, 32), (32, 64), (100, 228), (2000, SIDE)):
            for numbers in asked.values():
                numbers.clear()
            part = cut[start:stop]
            assert torch.equal(part.view(torch.int32), whole[start:stop].view(torch.int32))
            assert asked["mask"] == list(range(start // 32, -(-stop // 32)))
            first, last = (int(flags[: SIDE * row].sum()) for row in (start, stop))
            assert set(asked["block"]) <= set(range(first >> 14, (last - 1 >> 14) + 1))


def test_parts_in_order_decode_every_chunk_once(asked: dict[str, list[int]]) -> None:
    data = encode(network(0.2, kept=True), seekable=True)
    with pemncodec.open(data) as file:
        whole, cut = file.get_tensor("w"), file.get_slice("w")
        for start in range(0, SIDE, 37):
            assert torch.equal(cut[start : start + 37].view(torch.int32), whole[start : start + 37].view(torch.int32))
        assert asked["mask"] == list(range(64))
        assert asked["block"] == sorted(set(asked["block"]))


def test_a_file_far_away_is_read_in_few_ranges() -> None:
    reads: list[int] = []

    class Noting(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            reads.append(count or 0)
            return super().read(count)

    data = encode(network(0.2, kept=True), seekable=True)
    source = Noting(data)
    with pemncodec.open(source) as file:
        cut = file.get_slice("w")
        cut[:1]
        reads.clear()
        cut[1000:1128]
        assert len(reads) <= 3
        assert sum(reads) < len(data) / 16 + 5 * 65_536


def test_damage_in_other_chunks_is_not_seen_and_in_the_part_is() -> None:
    data = encode(network(0.2, kept=False), seekable=True)
    with pemncodec.open(data) as file:
        whole = file.get_tensor("w")
        at = file.header.payload_offset + file.decoder.manifest.masks[0].size // 2
    broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pemncodec.open(broken) as file:
        cut = file.get_slice("w")
        assert torch.equal(cut[:64].view(torch.int32), whole[:64].view(torch.int32))
        with pytest.raises(pemncodec.ChecksumError):
            cut[SIDE // 2 - 32 : SIDE // 2 + 32]


def test_limits_hold_for_the_chunks_of_a_part() -> None:
    mask = random_mask(1 << 24, 0.1, 1)
    data = encode(
        MaskedNetwork(
            masks=[mask],
            prototypes=[stored(FLOAT32, values(9))],
            entries=[Layer("w", (1 << 12, 1 << 12), 0, TileFill(0))],
        ),
        seekable=True,
    )
    with pemncodec.open(data, max_bytes=1 << 16) as file:
        assert file.get_slice("w")[0].shape == (1 << 12,)
    with pemncodec.open(data, max_bytes=1 << 14) as file, pytest.raises(pemncodec.LimitError, match="mask 0"):
        file.get_slice("w")[0]  # 32 KiB of bits in a chunk


def test_a_table_of_bits_by_hand() -> None:
    payload = write(3, [1, 0, 1], [3, 8, 1], [b"\x0d", b"", b"\x02"])
    assert payload == bytes([3, 1, 0, 1, 3, 8, 1, 1, 0, 1, 0x0D, 0x02])
    table = read_table(payload, len(payload), 19, 12, IN_CHUNKS)
    assert table.before == [0, 3, 11, 12]
    assert [(chunk.coder, chunk.length, chunk.start, chunk.stop) for chunk in table] == [
        (1, 8, 10, 11),
        (0, 8, 11, 11),
        (1, 3, 11, 12),
    ]
    assert [list(table.touched(*part)) for part in ((0, 1), (7, 9), (8, 16), (18, 19), (5, 5))] == [
        [0],
        [0, 1],
        [1],
        [2],
        [],
    ]


def test_save_file_and_pack_again(tmp_path: Path) -> None:
    """`seekable=` of every function; packed again without it, the file is as if there never were chunks."""
    plain = pemncodec.save(network(0.2, kept=True))
    seekable = pemncodec.save(network(0.2, kept=True), seekable=True)
    path, again, chunked = tmp_path / "a.pemn", tmp_path / "b.pemn", tmp_path / "c.pemn"
    pemncodec.save_file(network(0.2, kept=True), path, seekable=True)
    assert path.read_bytes() == seekable == pemncodec.pack(network(0.2, kept=True), seekable=True)[0]
    pemncodec.pack_file(path, again)
    assert again.read_bytes() == plain
    pemncodec.pack_file(again, chunked, seekable=True)
    assert chunked.read_bytes() == seekable


def test_bool_messages_and_deltas() -> None:
    state = {"m": torch.from_numpy(random_mask(1 << 20, 0.1, 5).to_bool())}
    data = pemncodec.save(state, seekable=True)
    assert coders(data)[0] == ["chunks"]
    assert coders(pemncodec.save(state))[0] == ["rANS bytes"]
    new = {"m": state["m"].clone()}
    new["m"][:100] ^= True
    delta = pemncodec.save(new, base=data, seekable=True)
    assert coders(delta)[0] == ["flips"]
    assert torch.equal(pemncodec.load(delta, base=data)["m"], new["m"])


def test_bits_of_padding_stay_zero() -> None:
    mask = random_mask((1 << 20) + 3, 0.9, 2)
    row, payload = encode_in_chunks(mask.packed, mask.length)
    assert MASK_CODERS[row.coder].name == "chunks"
    decoded = masks.decode_mask(row, payload, 0)
    assert decoded.tobytes() == mask.packed.tobytes()
    assert bits.padding_is_zero(decoded, mask.length)
