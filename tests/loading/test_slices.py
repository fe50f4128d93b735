"""`get_slice`: the bits of the whole tensor's slice, the same errors, and no page that a part does not need."""

from __future__ import annotations

import io
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pemncodec
from pemncodec.coding.encoder import encode
from pemncodec.common import bits
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.coder_table import MASK_CODERS
from pemncodec.network.model import KeptFill, Layer, MaskedNetwork, Tensor, TileFill

from ..networks import SPEC, every_dtype, large, layers, networks, random_mask, stored, tasks, words

VECTORS = SPEC / "vectors"
VALID: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((VECTORS / "valid").glob("*.json"))
}
INVALID: dict[str, dict[str, Any]] = json.loads((VECTORS / "invalid" / "expected.json").read_text("utf-8"))


def keys(shape: tuple[int, ...], chance: random.Random) -> Iterator[Any]:
    """All of a tensor, then some of it, in the forms that an index may have."""
    yield from (..., tuple(slice(None) for _ in shape))
    for _ in range(6):
        key: list[Any] = []
        for size in shape:
            ends = [chance.choice([None, chance.randint(-size - 2, size + 2)]) for _ in range(2)]
            whole = slice(ends[0], ends[1], chance.choice([None, 1, 1, 2, 5]))
            key.append(chance.randint(-size, size - 1) if size and chance.random() < 0.3 else whole)
        first = chance.randint(0, len(key))
        last = chance.choice([first, chance.randint(first, len(key)), len(key)])
        key[first:last] = [...] if last < len(key) or chance.random() < 0.5 else []
        yield tuple(key) if len(key) != 1 or chance.random() < 0.5 else key[0]


def raw(tensor: torch.Tensor) -> bytes:
    flat = tensor.contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if len(flat) else b""


def same_parts(file: pemncodec.PemnFile, seed: int = 0) -> None:
    """Compare parts of every tensor with numpy's, of bytes that are no numbers."""
    chance = random.Random(seed)
    for name in file:
        whole = file.get_numpy(name)
        cells = np.ascontiguousarray(whole).reshape(-1).view(f"V{whole.dtype.itemsize}").reshape(whole.shape)
        cut = file.get_slice(name)
        assert (tuple(cut.get_shape()), cut.get_dtype()) == (file.shape(name), file.dtype(name))
        for key in keys(file.shape(name), chance):
            part, expected = cut[key], np.asarray(cells[key])
            assert tuple(part.shape) == expected.shape, (name, key)
            assert str(part.dtype) == f"torch.{file.dtype(name)}"
            assert raw(part) == expected.tobytes(), (name, key)


def opened(data: bytes) -> Iterator[pemncodec.PemnFile]:
    with pemncodec.open(data) as file:
        yield from (file.of_task(task) for task in file.tasks) if file.tasks else iter([file])


def bases_of(path: Path, rows: dict[str, dict[str, Any]]) -> list[Path]:
    row = rows.get(path.stem, {})
    if "base" not in row:
        return []
    base = (path.parent / row["base"]).resolve()
    return [base, *bases_of(base, VALID if base.parent.name == "valid" else INVALID)]


@pytest.mark.parametrize("name", VALID)
def test_valid_vectors(name: str) -> None:
    path = VECTORS / "valid" / f"{name}.pemn"
    with pemncodec.open(path, base=bases_of(path, VALID) or None) as file:
        for one in [file.of_task(task) for task in file.tasks] or [file]:
            same_parts(one)


@pytest.mark.usefixtures("both_ways")
def test_networks_of_all_kinds() -> None:
    for network in (every_dtype(), layers(), tasks(), large()):
        for file in opened(encode(network)):
            same_parts(file, 1)


@settings(max_examples=40, deadline=None)
@given(networks(), st.integers(0, 99))
def test_random_networks(network: MaskedNetwork, seed: int) -> None:
    for file in opened(encode(network)):
        same_parts(file, seed)


def outcome(file: pemncodec.PemnFile, name: str, *, by_part: bool) -> type[Exception] | bytes:
    try:
        return raw(file.get_slice(name)[...] if by_part else file.get_tensor(name))
    except pemncodec.PemnError as error:
        return type(error)


@pytest.mark.parametrize("kind", ["checksum", "payload", "limit"])
def test_invalid_vectors_give_the_same_error(kind: str) -> None:
    seen = 0
    for name in (name for name, row in INVALID.items() if row["class"] == kind and "base" not in row):
        data = (VECTORS / "invalid" / f"{name}.pemn").read_bytes()
        try:
            files = list(opened(data))
        except pemncodec.FormatError:
            continue
        for file in files:
            for each in file:
                with pemncodec.open(data, task=file.tasks[file.task - 1] if file.tasks else None) as first:
                    expected = outcome(first, each, by_part=False)
                with pemncodec.open(data, task=file.tasks[file.task - 1] if file.tasks else None) as second:
                    assert outcome(second, each, by_part=True) == expected, name
                seen += not isinstance(expected, bytes)
    assert seen >= {"checksum": 1, "payload": 50, "limit": 0}[kind]


ROWS, COLUMNS = 2048, 512  # two pages of bits, 64 of values


def layer_file(density: float, kept: bool = False, coder: str = "") -> bytes:
    mask = random_mask(ROWS * COLUMNS, density, 3)
    network = MaskedNetwork(masks=[mask])
    if kept:
        values = words(FLOAT32, mask.count, 4)
        network.entries.append(Layer("w", (ROWS, COLUMNS), 0, KeptFill(FLOAT32, values)))
    else:
        network.prototypes.append(stored(FLOAT32, np.random.default_rng(5).integers(1, 1 << 30, 1001, dtype=np.uint32)))
        network.entries.append(Layer("w", (ROWS, COLUMNS), 0, TileFill(0, phase=17)))
    data = encode(network)
    if coder:
        with pemncodec.open(data) as file:
            assert MASK_CODERS[file.decoder.manifest.masks[0].coder].name == coder
    return data


def damaged(data: bytes, offset: int) -> bytes:
    with pemncodec.open(data) as file:
        at = file.header.payload_offset + offset
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_pages_that_a_part_does_not_need_are_not_read() -> None:
    data = layer_file(0.5, coder="raw")
    broken = damaged(data, 70_000)  # in the second page
    with pemncodec.open(data) as whole, pemncodec.open(broken) as file:
        weight = whole.get_tensor("w")
        cut = file.get_slice("w")
        rows = 65_536 * 8 // COLUMNS
        assert raw(cut[:rows]) == raw(weight[:rows])
        for key in (slice(rows, None), ..., rows, (slice(None), 3)):
            with pytest.raises(pemncodec.ChecksumError, match="page 1"):
                cut[key]


def test_ones_of_a_part_cannot_be_more_than_all() -> None:
    from pemncodec.coding.masks.coders import check_raw_part
    from pemncodec.container.manifest.rows import MaskRow

    payload = bytes([0b1111_0000, 0b0000_0111])
    row = MaskRow(1, 11, 7, 2)
    assert check_raw_part(row, payload, 0, 0, 11).tobytes() == payload
    assert check_raw_part(row, payload[:1], 0, 3, 8).tolist() == [0b11110]
    for wrong, reason in (
        (MaskRow(1, 11, 3, 2), "the manifest says 3 in all"),
        (MaskRow(1, 11, 8, 2), "the manifest says 8 in all"),
        (MaskRow(1, 11, 7, 3), "11 raw bits in 3 bytes"),
        (MaskRow(1, 10, 7, 2), "padding"),
    ):
        with pytest.raises(pemncodec.PayloadError, match=reason):
            check_raw_part(wrong, payload, 0, 0, wrong.length)


@pytest.mark.parametrize(("density", "coder"), [(0.5, "raw"), (0.2, "rans_bytes"), (0.02, "rans_gaps_of_ones")])
@pytest.mark.parametrize("kept", [False, True])
def test_what_is_coded_whole_is_decoded_once(
    density: float, coder: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pemncodec.coding import sections
    from pemncodec.coding.masks import coders as masks

    with pemncodec.open(layer_file(density, kept)) as file:
        weight, asked = file.get_tensor("w"), []
        decode = masks.decode_mask
        monkeypatch.setattr(sections, "decode_mask", lambda *a: asked.append(1) or decode(*a))  # type: ignore[func-returns-value]
        cut = file.get_slice("w")
        for start in (0, 999, 2000):
            assert raw(cut[start : start + 37]) == raw(weight[start : start + 37])
            assert raw(cut[start:, 3:77:2]) == raw(weight[start:, 3:77:2])
        assert len(asked) == (0 if coder == "rans_bytes" or (coder == "raw" and not kept) else 1)


def test_limit_is_that_of_the_part() -> None:
    data = layer_file(0.5)
    with pemncodec.open(data, max_bytes=1 << 20) as file:
        with pytest.raises(pemncodec.LimitError, match="max_bytes"):
            file.get_tensor("w")
        assert tuple(file.get_slice("w")[100:356].shape) == (256, COLUMNS)
        with pytest.raises(pemncodec.LimitError, match="a part of 'w' decodes to"):
            file.get_slice("w")[:1024]


def test_tensors_of_a_raw_block() -> None:
    values = np.random.default_rng(1).integers(0, 1 << 32, 40_000, dtype=np.uint32)
    network = MaskedNetwork(entries=[Tensor("a", FLOAT32, (200, 200), values), Tensor("b", FLOAT32, (3,), values[:3])])
    with pemncodec.open(encode(network)) as file:
        assert file.decoder.manifest.blocks[0].coder == 0
        broken = pemncodec.open(damaged(encode(network), 100_000))
        same_parts(file)
        assert raw(broken.get_slice("a")[:80]) == raw(file.get_tensor("a")[:80])
        with pytest.raises(pemncodec.ChecksumError):
            broken.get_slice("a")[120]


def test_iteration_goes_over_rows() -> None:
    with pemncodec.open(layer_file(0.5)) as file:
        rows = list(itertools.islice(file.get_slice("w"), 3))  # type: ignore[call-overload]
        assert raw(torch.stack(rows)) == raw(file.get_tensor("w")[:3])
        assert len(list(file.get_slice("w"))) == ROWS  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (ROWS, "has no index 2048 in a dimension of 2048"),
        ((0, -COLUMNS - 1), "has no index -513 in a dimension of 512"),
        (slice(None, None, -1), "with steps of 1 or more"),
        (slice(None, None, 0), "with steps of 1 or more"),
        (slice("a", None), "sliced by integers"),
        ((0, 0, 0), "has 2 dimensions, too few for 3 indices"),
        ((..., ...), "has 2 dimensions"),
        ([0, 1], "not by list"),
        (None, "not by NoneType"),
        (True, "not by bool"),
        (1.0, "not by float"),
    ],
)
def test_other_indices_are_refused(key: Any, reason: str) -> None:
    with pemncodec.open(layer_file(0.5)) as file, pytest.raises(pemncodec.SliceError, match=reason):
        file.get_slice("w")[key]


def test_names_and_closed_files() -> None:
    with pemncodec.open(layer_file(0.5)) as file:
        with pytest.raises(pemncodec.NotFoundError, match="no tensor 'v'"):
            file.get_slice("v")
        cut = file.get_slice("w")
    with pytest.raises(pemncodec.FileAccessError, match="closed"):
        cut[0]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65])
def test_bits_moved_to_the_front(count: int) -> None:
    flags = np.random.default_rng(0).random(100) < 0.5
    packed = bits.pack(flags)
    for start in range(101 - count):
        assert bits.part(packed, start, start + count).tobytes() == bits.pack(flags[start : start + count]).tobytes()
    assert packed.tobytes() == bits.pack(flags).tobytes()


class Asked(io.BytesIO):
    """A file object that notes what it is asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[tuple[int, int]] = []

    def read(self, count: int | None = -1) -> bytes:
        self.reads.append((self.tell(), count or 0))
        return super().read(count)


@pytest.mark.parametrize("kind", ["raw mask", "raw values"])
def test_of_a_file_object_only_the_pages_of_a_part_are_read(kind: str) -> None:
    """Wide columns in pieces, too: they are announced, so that they are joined."""
    if kind == "raw mask":
        shape, density = (4096, 4096), 0.5  # 2 MiB of bits, 32 pages
        mask = random_mask(4096 * 4096, density, 3)
        values = np.random.default_rng(5).integers(1, 1 << 30, 1001, dtype=np.uint32)
        network = MaskedNetwork(masks=[mask], prototypes=[stored(FLOAT32, values)])
        network.entries.append(Layer("w", shape, 0, TileFill(0, phase=17)))
        per_row = 4096 // 8
    else:
        shape = (1024, 512)
        noise = np.random.default_rng(1).integers(0, 1 << 32, 1024 * 512, dtype=np.uint32)
        network = MaskedNetwork(entries=[Tensor("w", FLOAT32, shape, noise)])
        per_row = 4 * 512
    data = encode(network)
    with pemncodec.open(data) as file:
        whole = file.get_tensor("w")
    source = Asked(data)
    with pemncodec.open(source) as file:
        file.get_slice("w")[:1]  # the prototype is read
        cut, rows = file.get_slice("w"), shape[0]
        for start in (0, rows // 2, rows - rows // 16):
            source.reads.clear()
            part = cut[start : start + rows // 16]
            assert raw(part) == raw(whole[start : start + rows // 16])
            asked = [count for place, count in source.reads if place >= file.header.payload_offset]
            assert len(source.reads) <= 2
            assert sum(asked) <= rows // 16 * per_row + 3 * 65_536
        source.reads.clear()
        assert raw(cut[:, 7:300:3]) == raw(whole[:, 7:300:3])
        assert len(source.reads) <= 3


def test_parts_of_kept_layers_in_any_order() -> None:
    with pemncodec.open(layer_file(0.2, kept=True)) as file:
        whole, cut = file.get_tensor("w"), file.get_slice("w")
        for start in (1500, 3, 700, 3, ROWS - 1, 0):
            assert raw(cut[start : start + 9]) == raw(whole[start : start + 9])


def test_a_front_with_too_many_ones_is_refused() -> None:
    from pemncodec.coding.masks.coders import encode_mask
    from pemncodec.coding.masks.front import MaskFront
    from pemncodec.container.manifest.rows import MaskRow

    flags = np.random.default_rng(0).random(1 << 16) < 0.2
    row, payload = encode_mask(bits.pack(flags), len(flags))
    assert MASK_CODERS[row.coder].name == "rANS bytes"
    assert MaskFront(row, payload, 3).until(4096).tobytes()[:512] == bits.pack(flags[:4096]).tobytes()
    for ones in (int(flags[:4096].sum()) - 1, len(flags) - int((~flags[:4096]).sum()) + 1):
        wrong = MaskRow(row.coder, row.length, ones, row.size)
        with pytest.raises(pemncodec.PayloadError, match=f"mask 3: .* the manifest says {ones} in all"):
            MaskFront(wrong, payload, 3).until(4096)
    with pytest.raises(pemncodec.PayloadError, match="mask 3"):
        MaskFront(MaskRow(row.coder, row.length, row.ones + 1, row.size), payload, 3).until(len(flags))
