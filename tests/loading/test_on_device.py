"""Decoding on a device against the ordinary way, bit for bit, through the same code on the device "cpu"."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import pemncodec
from pemncodec.coding import rans as ordinary_rans
from pemncodec.coding.decoder import Decoder
from pemncodec.coding.encoder import encode
from pemncodec.coding.masks import rans_bytes, rans_gaps
from pemncodec.coding.masks.coders import decode_mask
from pemncodec.common import bits
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.container.manifest.rows import MaskRow
from pemncodec.container.opening import open_container
from pemncodec.errors import FormatError, LimitError, OutputError, PayloadError, UnsupportedTensorError
from pemncodec.generators.philox.generator import Generator
from pemncodec.loading.device import devices, gaps, layers, load, masks, rans
from pemncodec.loading.file import PemnFile
from pemncodec.network.mask import Mask
from pemncodec.network.model import GeneratedPrototype, KeptFill, Layer, MaskedNetwork, TileFill

from .. import plain_rans as plain
from ..coding.test_masks import RANS_BYTES, RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS
from ..coding.test_rans import bad_payloads
from ..conformance.test_vectors import EXPECTED, VALID, VECTORS
from ..networks import BUILDERS, finite, networks, random_mask, stored, words

pytestmark = pytest.mark.filterwarnings(
    "ignore:ComplexHalf support is experimental", "ignore:Sparse CSR tensor support"
)

CPU = torch.device("cpu")


@pytest.fixture
def expanding(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load` works on the CPU as it does on a device that decodes by itself."""
    monkeypatch.setattr(devices, "_EXPANDING", ("cpu",))


def on_device(data: bytes, task: str | None = None) -> dict[str, torch.Tensor]:
    with PemnFile(data, task=task) as file:
        own = {name: file.index(name) for name in file if file.alias_of(name) is None}
        loaded = load.load_entries_on_device(file.decoder, own, CPU, lambda *_: None)
    assert list(loaded) == list(own)
    return {name: tensor for name, parts in loaded.items() for _, tensor in parts}


def same_bits(one: torch.Tensor, two: torch.Tensor) -> bool:
    if (one.dtype, one.shape, one.is_contiguous()) != (two.dtype, two.shape, two.is_contiguous()):
        return False
    return torch.equal(*(tensor.reshape(-1).view(torch.uint8) for tensor in (one, two)))


def assert_same(data: bytes) -> set[int]:
    """Every task of a file; and the device decoded every rANS mask by itself. Returns the coders of the masks."""
    with Unopened(data) as decoder:
        rows = decoder.manifest.masks
        batch = masks.Batch()
        for index in range(len(rows)):
            batch.add(decoder, index)
        coded = [mask for mask in batch.coded.values() if mask.stream is not None]
        assert len(coded) == sum(RANS_BYTES <= row.coder <= RANS_GAPS_OF_ZEROS for row in rows)
        if coded:
            decoded, good = masks._by_rans(decoder, coded, CPU)
            assert all(good.values())
            for index, packed in decoded.items():
                assert packed.numpy().tobytes() == decoder.mask(index).tobytes()
        tasks = decoder.manifest.tasks
    for task in tasks or [None]:
        expected = pemncodec.load(data, task=task)
        for name, tensor in on_device(data, task).items():
            assert same_bits(tensor, expected[name]), name
    return {row.coder for row in rows}


class Unopened:
    """The decoder of a file, no task chosen."""

    def __init__(self, data: bytes) -> None:
        self.container = open_container(data)

    def __enter__(self) -> Decoder:
        return Decoder(self.container)

    def __exit__(self, *_: object) -> None:
        self.container.close()


# --- whole files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALID)
def test_valid_vectors(name: str) -> None:
    assert_same((VECTORS / "valid" / f"{name}.pemn").read_bytes())


def outcome(data: bytes, max_bytes: int, task: str | None, base: Path | None) -> tuple[type[Exception], str] | str:
    try:
        pemncodec.load(data, max_bytes=max_bytes, task=task, threads=1, base=base)
    except pemncodec.PemnError as reason:
        return type(reason), str(reason)
    return "loaded"


@pytest.mark.parametrize("name", EXPECTED)
def test_invalid_vectors_give_the_same_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (VECTORS / "invalid" / f"{name}.pemn").read_bytes()
    row = EXPECTED[name]
    limit, task = row.get("max_bytes", 16 << 30), row.get("task")
    base = (VECTORS / "invalid" / row["base"]).resolve() if "base" in row else None  # or is it missing, or the rest bad
    ordinary = outcome(data, limit, task, base)
    monkeypatch.setattr(devices, "_EXPANDING", ("cpu",))
    assert outcome(data, limit, task, base) == ordinary
    assert ordinary != "loaded"


@pytest.mark.parametrize("name", BUILDERS)
def test_networks(name: str) -> None:
    assert_same(encode(BUILDERS[name]()))


@settings(max_examples=60, deadline=None)
@given(networks())
def test_any_network(network: MaskedNetwork) -> None:
    assert_same(encode(network))


@pytest.mark.parametrize("name", ["every_dtype", "layers", "large"])
def test_chunks_and_batches_are_seamless(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    big = name == "large"
    monkeypatch.setattr(layers, "_CHUNK", 30_000 if big else 8)
    monkeypatch.setattr(gaps, "_CHUNK", 1000 if big else 3)
    monkeypatch.setattr(rans, "_WAITING", 7)
    monkeypatch.setattr(load, "BATCH_BYTES", gaps.COST)
    assert_same(encode(BUILDERS[name]()))


@pytest.mark.usefixtures("expanding")
def test_aliases_are_one_tensor() -> None:
    data = encode(BUILDERS["layers"]())
    tensors = pemncodec.load(data)
    assert tensors["tied"] is tensors["layer.3"]
    assert list(tensors) == [entry.name for entry in BUILDERS["layers"]().entries]


@pytest.mark.usefixtures("expanding")
def test_progress_and_other_layouts() -> None:
    data = encode(BUILDERS["large"]())
    seen: list[tuple[int, int, str]] = []
    pemncodec.load(data, progress=lambda *now: seen.append(now))
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1]
    assert [now[0] for now in seen] == sorted(now[0] for now in seen)
    assert seen[-1][2] == "counts"
    assert pemncodec.load(data, layout="csr")["3.weight"].layout == torch.sparse_csr
    with pytest.raises(LimitError):
        pemncodec.load(data, max_bytes=1000)


# --- masks --------------------------------------------------------------------------------------------------


def test_masks_of_all_coders_and_sizes() -> None:
    """Together in one lock-step: several models, one lane to dozens, a last row of every kind."""
    network = MaskedNetwork()
    lengths = (0, 1, 7, 8, 9, 1000, 65_535, 65_536, 65_537, 300_003)
    for number, length in enumerate(lengths):
        for density in (0, 0.001, 0.02, 0.3, 0.5, 0.9, 0.995, 1):
            network.masks.append(random_mask(length, density, number))
    place = np.arange(90_001)
    for flags in (place % 7 < 3, place % 997 == 5, place % 997 != 5):  # zstd likes these best
        network.masks.append(Mask.from_bool(flags))
    values = words(BY_NAME["bfloat16"], 300_003, 1)
    for number, mask in enumerate(network.masks):
        kept = KeptFill(BY_NAME["bfloat16"], values[: mask.count])
        network.entries.append(Layer(f"{number}", (mask.length,), number, kept))
    assert assert_same(encode(network)) == set(range(8))


def test_idle_positions_with_every_zero_and_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks shared by several layers, prototypes with zeros, plain and arranged generators, long and short."""
    mask = random_mask(6000, 0.4, 0)
    network = MaskedNetwork(masks=[mask])
    network.prototypes = [
        stored(FLOAT32, finite(700, 1), 0.6),
        stored(FLOAT32, finite(9000, 2)),
        GeneratedPrototype(Generator("normal", 500, 3, period=90, zeros=40)),
        GeneratedPrototype(Generator("uniform", 6001, 4)),
    ]
    for prototype in range(4):
        for scale in (None, 0.75, 1e-39, 2.0**-149):
            for zero in ("zero", "negated", "second"):
                second = (prototype + 1) % 4 if zero == "second" else None
                tile = TileFill(prototype, 33, zero, scale, second, 0 if second is None else 77)
                network.entries.append(Layer(f"{prototype} {scale} {zero}", (60, 100), 0, tile))
    data = encode(network)
    assert_same(data)
    monkeypatch.setattr(load, "_keeps_subnormals", lambda _: False)
    assert_same(data)


def test_the_cpu_keeps_subnormals() -> None:
    assert load._keeps_subnormals(CPU)
    before = torch.set_flush_denormal(True)
    try:
        assert not before or not load._keeps_subnormals(CPU)
    finally:
        torch.set_flush_denormal(False)


class OnlyMasks:
    """Payloads without a file; what it looks like to the device is a Decoder."""

    def __init__(self, coded: Sequence[tuple[MaskRow, bytes]]) -> None:
        self.manifest = SimpleNamespace(masks=[row for row, _ in coded])
        self.payloads = [payload for _, payload in coded]
        self.asked: list[int] = []

    def mask_payload(self, index: int) -> bytes:
        return self.payloads[index]

    def mask(self, index: int) -> bits.Packed:
        self.asked.append(index)
        return decode_mask(self.manifest.masks[index], self.payloads[index], index)


def decode_all(coded: Sequence[tuple[MaskRow, bytes]]) -> tuple[list[bytes], list[int]]:
    """The bits of all masks, decoded together; and which of them the CPU had to decode."""
    source, batch = OnlyMasks(coded), masks.Batch()
    decoder = cast("Decoder", source)
    for index in range(len(coded)):
        batch.add(decoder, index)
    decoded = masks.decode(decoder, batch.coded.values(), CPU)
    return [decoded[index].numpy().tobytes() for index in range(len(coded))], source.asked


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_rans_parameters(data: st.DataObject) -> None:
    coded, expected = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        length = data.draw(st.integers(0, 3000))
        density = data.draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.99, 1.0]))
        flags = np.random.default_rng(data.draw(st.integers(0, 1000))).random(length) < density
        lanes = data.draw(st.integers(1, 200))
        parameter = data.draw(st.sampled_from([1, 2, 64, 127, 128, 129, 200, 254, 255]))
        raw = np.packbits(flags, bitorder="little").tobytes()
        made = plain.encode(raw, plain.byte_frequencies(parameter), min(lanes, max(len(raw), 1)))
        payloads = {RANS_BYTES: bytes([parameter]) + made}
        for coder in (RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS):
            positions = np.flatnonzero(flags == (coder == RANS_GAPS_OF_ONES)).tolist()
            s = data.draw(st.sampled_from([0, 1, 3, 8, 31]))
            payloads[coder] = plain.encode_gaps(positions, s, parameter, min(lanes, max(len(positions), 1)))
        for coder, payload in payloads.items():
            coded.append((MaskRow(coder, length, int(flags.sum()), len(payload)), payload))
            expected.append(raw)
    assert decode_all(coded) == (expected, [])


@pytest.mark.parametrize("sizes", [[(5000, 1)], [(0, 1), (1, 1)], [(9000, n) for n in (9000, 4500, 8999, 2, 3, 31)]])
def test_streams_of_one_byte_to_thousands_a_lane(sizes: list[tuple[int, int]]) -> None:
    streams, contents = [], []
    for number, (count, lanes) in enumerate(sizes):
        content = np.random.default_rng(number).choice([0, 1, 2, 16, 255], p=[0.7, 0.1, 0.1, 0.05, 0.05], size=count)
        model = rans_bytes.model(20 + number % 3)
        made = ordinary_rans.encode(content.astype(np.uint8), model, lanes)
        streams.append(ordinary_rans.stream(memoryview(made), count, model, lanes))
        contents.append(content.tolist())
    decoded, good = rans.decode(streams, CPU)
    assert [content.tolist() for content in decoded] == contents
    assert good.all()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=20))
def test_stages_cover_every_row_and_waste_little(sizes: list[tuple[int, int]]) -> None:
    sizes.sort(reverse=True)
    rows, lanes = [size[0] for size in sizes], [size[1] for size in sizes]
    end = 0
    for start, stop, streams in rans._stages(rows, [0, *np.cumsum(lanes).tolist()]):
        assert start == end < stop
        assert all(count > start for count in rows[:streams])
        assert all(count <= start for count in rows[streams:])
        at_work = sum(own for count, own in zip(rows, lanes, strict=True) if count > stop - 1)
        assert 4 * at_work >= 3 * sum(lanes[:streams])
        end = stop
    assert end == max(rows, default=0)


class Watch(TorchDispatchMode):
    """A dispatch mode that records the names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.seen.add(func.name())
        return func(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device() -> None:
    """None of the operations whose result, or its size, the host has to know."""
    packed = bits.pack(np.random.default_rng(0).random(20_000) < 0.3)
    payload = rans_bytes.encode(packed, 20_000, bits.count_ones(packed), len(packed))
    assert payload is not None
    coded = rans_bytes.stream(payload, 20_000)
    positions = list(range(5, 3000, 7))
    sparse = rans_gaps.read(plain.encode_gaps(positions, 2, 60, 3), 3000, len(positions))
    values = torch.arange(20_000)
    with Watch() as watch:
        (content, more), _ = rans.decode([coded, sparse.high], CPU)
        gaps.to_bits(more, sparse, 3000, len(positions), False)
        layers.kept(content, values, 20_000)
        layers.tiled(content, 20_000, layers.Source(values, 3, None), None, True, True)
    assert len(watch.seen) > 10
    waiting = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero", "bincount")
    assert not {name for name in watch.seen if name.split("::")[1].split(".")[0] in waiting}


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bad_payloads())
def test_bad_payload_among_good_ones(name: str) -> None:
    coder, length, ones, payload, phrase = bad_payloads()[name]
    raw = bytes(range(250))
    made = b"\x80" + plain.encode(raw, plain.byte_frequencies(128), 7)
    good = MaskRow(RANS_BYTES, 2000, sum(value.bit_count() for value in raw), len(made)), made
    bad = MaskRow(coder, length, ones, len(payload)), payload
    with pytest.raises(PayloadError, match=f"^mask 1: .*{phrase}"):
        decode_all([good, bad, good])
    assert decode_all([good, good]) == ([raw, raw], [])


def decode_numbered(coded: Sequence[tuple[MaskRow, bytes]], number: int) -> bits.Packed:
    return np.frombuffer(decode_all(coded)[0][number], dtype=np.uint8)


def result(decode: Callable[[], bits.Packed]) -> bytes | str:
    """The bits, or what the error says."""
    try:
        return decode().tobytes()
    except PayloadError as reason:
        return str(reason)


def test_any_damage_is_seen_as_on_the_cpu() -> None:
    """Bytes changed at random: an error with the same words, or the same bits."""
    dice = random.Random(0)
    raw = bytes(dice.choice((0, 0, 0, 4, 17)) for _ in range(300))
    positions = sorted(dice.sample(range(9000), 120))
    ones = sum(value.bit_count() for value in raw)
    sound = [
        (MaskRow(RANS_BYTES, 2400, ones, 0), b"\x20" + plain.encode(raw, plain.byte_frequencies(32), 9)),
        (MaskRow(RANS_GAPS_OF_ONES, 9000, 120, 0), plain.encode_gaps(positions, 3, 30, 2)),
        (MaskRow(RANS_GAPS_OF_ZEROS, 9000, 8880, 0), plain.encode_gaps(positions, 0, 4, 2)),
    ]
    failed = 0
    for _ in range(300):
        number = dice.randrange(3)
        row, payload = sound[number]
        damaged = bytearray(payload)
        for _ in range(dice.choice((1, 1, 20))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        batch = [*sound[:number], (row, bytes(damaged)), *sound[number + 1 :]]
        expected = result(partial(decode_mask, row, bytes(damaged), number))
        assert result(partial(decode_numbered, batch, number)) == expected
        failed += isinstance(expected, str)
    assert failed > 200


def test_sums_of_gaps_that_wrap_around() -> None:
    """2^17 units of 2^47 are 0 modulo 2^64. (No file has so many low bits; with fewer it takes millions of gaps.)"""
    high = torch.tensor([254] * 516 + [8], dtype=torch.uint8)
    assert int(high.sum()) == 1 << 17
    empty = ordinary_rans.Stream(np.empty(0, np.uint32), np.empty(0, np.uint16), 517, rans_bytes.model(1))
    coded = rans_gaps.CodedGaps(47, np.zeros(517 * 47 // 8 + 1, dtype=np.uint8), empty)
    assert not gaps.to_bits(high, coded, 1000, 517, True)[1]
    assert gaps.to_bits(torch.zeros_like(high), coded, 1000, 517, True)[1]


@pytest.mark.parametrize("count", range(1, 32))
def test_low_bits(count: int) -> None:
    number = random.Random(count).getrandbits(50 * count)
    low = torch.tensor(list(number.to_bytes(50 * count // 8 + 6, "little")), dtype=torch.uint8)
    expected = [number >> i * count & (1 << count) - 1 for i in range(50)]
    assert gaps._low_bits(low, count, torch.arange(50)).tolist() == expected


def test_a_mask_far_too_short_stays_in_bounds() -> None:
    source = layers.Source(torch.arange(1, 6), 0, None)
    for size in (0, 1):
        _, needed = layers.tiled(torch.full((size,), 255, dtype=torch.uint8), 100, source, None, False, True)
        assert needed == 100


def test_limits_of_single_tensors() -> None:
    network = MaskedNetwork(masks=[random_mask(1000, 0.5, 1)], prototypes=[stored(FLOAT32, finite(7, 1))])
    network.entries.append(Layer("w", (1000,), 0, TileFill(0)))
    with (
        PemnFile(encode(network), max_bytes=3999) as file,
        pytest.raises(LimitError, match="tensor 'w' decodes to 4000"),
    ):
        load.load_entries_on_device(file.decoder, {"w": 0}, CPU, lambda *_: None)


# --- devices ------------------------------------------------------------------------------------------------

NO_CUDA = not torch.cuda.is_available()


@pytest.mark.parametrize(
    "device", ["meta", "nonsense", "hpu", None, pytest.param("cuda", marks=[pytest.mark.skipif("not NO_CUDA")])]
)
def test_devices_that_cannot_be(device: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    path.write_bytes(encode(BUILDERS["layers"]()))
    for layout in ("dense", "masked"):
        with pytest.raises(OutputError, match=f"^device '{device}' (cannot be used here: .|holds no values)") as caught:
            pemncodec.load_file(path, device=device, layout=layout)
        assert "\n" not in str(caught.value)


def test_what_a_device_cannot_hold() -> None:
    with pytest.raises(UnsupportedTensorError, match=r"tensor 'w' \(torch.float64\) cannot be put on 'vulkan': "):
        devices.moved(torch.zeros(2, dtype=torch.float64), torch.device("vulkan"), "w")
    tensor = torch.zeros(2)
    assert devices.moved(tensor, CPU, "w") is tensor


@pytest.mark.usefixtures("expanding")
def test_no_memory_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.\nTried …")

    monkeypatch.setattr(layers, "tiled", full)
    with pytest.raises(FormatError, match="more than the memory"):
        pemncodec.load(encode(BUILDERS["layers"]()))


def test_only_cuda_expands_by_itself() -> None:
    assert devices.expands(torch.device("cuda", 1))
    assert not any(devices.expands(torch.device(name)) for name in ("cpu", "mps", "xpu"))


@pytest.mark.gpu
@pytest.mark.skipif(NO_CUDA, reason="there is no CUDA device here")
def test_cuda_gives_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    for name in ("every_dtype", "layers", "large"):
        path.write_bytes(encode(BUILDERS[name]()))
        expected = pemncodec.load_file(path)
        found = pemncodec.load_file(path, device="cuda")
        assert list(found) == list(expected)
        for key, tensor in found.items():
            assert tensor.device.type == "cuda"
            assert same_bits(tensor.cpu(), expected[key]), key
    for file in VALID:
        data = (VECTORS / "valid" / f"{file}.pemn").read_bytes()
        for task in json.loads((VECTORS / "valid" / f"{file}.json").read_text("utf-8"))["tasks"] or [None]:
            expected = pemncodec.load(data, task=task)
            for key, tensor in pemncodec.load(data, task=task, device="cuda").items():
                assert same_bits(tensor.cpu(), expected[key]), (file, key)
