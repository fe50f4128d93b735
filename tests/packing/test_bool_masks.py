"""Bool tensors are stored by the mask coders (spec section 4.6, kind 4), and come back as bool tensors."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file as load_safetensors

import pemncodec
from pemncodec import Mask, MaskedNetwork
from pemncodec.checkpoints.families.table import FAMILIES
from pemncodec.checkpoints.family import Checkpoint
from pemncodec.checkpoints.options import PackOptions
from pemncodec.coding import bools
from pemncodec.coding.encoder import encode
from pemncodec.coding.masks import encoded
from pemncodec.common import bits
from pemncodec.common.dtypes import BY_NAME
from pemncodec.container.header import MINOR
from pemncodec.loading.device import load
from pemncodec.network.model import Layer, StoredPrototype, Tensor, TileFill
from pemncodec.packing import messages, save
from tests.command import pemn
from tests.networks import second

SHAPES = {"0.weight": (256, 64), "2.weight": (256, 256), "4.weight": (10, 256)}
UINT8 = BY_NAME["uint8"]


def masks(density: float, seed: int = 0, dtype: torch.dtype = torch.bool) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: (torch.rand(shape, generator=generator) < density).to(dtype) for name, shape in SHAPES.items()}


def entropy(state: dict[str, torch.Tensor]) -> float:
    """Bytes of the order-0 entropy of each tensor."""
    total = 0.0
    for tensor in state.values():
        p = float(tensor.double().mean())
        total -= tensor.numel() * sum(q * math.log2(q) for q in (p, 1 - p) if q)
    return total / 8


def check_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("density", [0.0, 0.001, 0.01, 0.05, 0.3, 0.5, 0.9, 1.0])
def test_bytes_are_the_entropy_and_a_front(density: float) -> None:
    state = masks(density)
    data = pemncodec.save(state)
    assert len(data) <= 1.02 * entropy(state) + 130
    assert data[9] == 6
    check_same(pemncodec.load(data), state)
    decoded = second.decode(data)
    for name, tensor in state.items():
        assert decoded.tensors[name].dtype == "bool"
        assert decoded.tensors[name].data == tensor.numpy().tobytes()


def test_uint8_on_request() -> None:
    state = masks(0.05, dtype=torch.uint8) | {"count": torch.arange(300, dtype=torch.uint8) % 7}
    plain, small = pemncodec.save(state), pemncodec.save(state, uint8_masks=True)
    assert len(small) < 0.97 * len(plain)
    for data in (plain, small):
        check_same(pemncodec.load(data), state)
        check_same(pemncodec.load_original(data), state)


def test_everything_that_reads(tmp_path: Path) -> None:
    state: dict[str, torch.Tensor] = dict(masks(0.1))
    state["tiny"], state["scalar"] = torch.tensor([True, False, True]), torch.tensor(True)
    state["empty"], state["all"] = torch.zeros(0, 5, dtype=torch.bool), torch.ones(40, 30, dtype=torch.bool)
    state["weight"] = torch.randn(20, 30)
    source, path = tmp_path / "a.pt", tmp_path / "a.pemn"
    torch.save(state, source)
    report = pemncodec.pack_file(source, path)
    assert report.layers == 0
    for layout in ("dense", "masked", "csr", "coo", "packed"):  # no layer has a mask: all are tensors as they are
        check_same(pemncodec.load_file(path, layout=layout), state)
    check_same(pemncodec.load_original(path), state)
    with pemncodec.open(path) as file:
        for name, tensor in state.items():
            assert not file.is_masked(name)
            assert file.dtype(name) == str(tensor.dtype).removeprefix("torch.")
            assert np.array_equal(file.get_numpy(name), tensor.numpy())
            if tensor.dtype == torch.bool:
                assert np.array_equal(file.get_mask(name).to_bool(), tensor.numpy().ravel())
        with pytest.raises(pemncodec.NotFoundError, match="has no mask"):
            file.get_mask("weight")
    network = pemncodec.load_network(path)
    assert all(isinstance(entry, Tensor) for entry in network)
    assert network.prototypes == []
    check_same(pemncodec.load_original(pemncodec.save(network)), state)
    shown = pemn("inspect", path, cwd=tmp_path)
    assert "0.weight  bool     256×64   10." in shown.stdout
    assert "% true, stored as a mask of" in shown.stdout
    assert pemn("verify", path, "--against", source, cwd=tmp_path).status == 0
    assert pemn("unpack", path, "b.pt", "--layout", "original", cwd=tmp_path).status == 0
    check_same(torch.load(tmp_path / "b.pt"), state)


def test_deltas_are_flips() -> None:
    before = masks(0.3)
    after = {name: tensor ^ (torch.rand(tensor.shape) < 0.01) for name, tensor in before.items()}
    base = pemncodec.save(before)
    data = pemncodec.save(after, base=base)
    assert len(data) < 0.2 * len(base)
    check_same(pemncodec.load(data, base=base), after)
    assert second.decode(data, base=base).tensors["0.weight"].data == after["0.weight"].numpy().tobytes()
    with pytest.raises(pemncodec.BaseFileError):
        pemncodec.load(data)


def test_ties_and_tasks(tmp_path: Path) -> None:
    tensor = masks(0.2)["0.weight"]
    loaded = pemncodec.load(pemncodec.save({"a": tensor, "b": tensor}))
    assert loaded["a"].data_ptr() == loaded["b"].data_ptr()
    tasks = {name: masks(0.2, seed) for seed, name in enumerate(("one", "two"))}
    pemncodec.save_tasks(tasks, tmp_path / "tasks.pemn")
    pemncodec.save_tasks({"three": masks(0.2, 7)}, tmp_path / "more.pemn", add_to=tmp_path / "tasks.pemn")
    for name, state in (tasks | {"three": masks(0.2, 7)}).items():
        check_same(pemncodec.load_file(tmp_path / "more.pemn", task=name), state)


def test_beside_masked_layers() -> None:
    """The prototype of bool tensors has no place in a network: others keep theirs."""
    pattern = np.array([1, 2, 3], dtype=np.uint8)
    layer_mask = Mask.from_bool(np.random.default_rng(0).random(600) < 0.5)
    values = torch.rand(30, 20).lt(0.5)
    network = MaskedNetwork(
        [
            Tensor("flags", BY_NAME["bool"], (30, 20), values.numpy().ravel().view(np.uint8)),
            Layer("layer", (600,), 0, TileFill(0, phase=1)),
        ],
        [StoredPrototype(UINT8, pattern)],
        [layer_mask],
    )
    data = encode(network)
    loaded = pemncodec.load(data)
    assert torch.equal(loaded["flags"], values)
    expected = np.where(layer_mask.to_bool(), np.resize(np.roll(pattern, -1), 600), 0)
    assert np.array_equal(loaded["layer"].numpy(), expected)
    again = pemncodec.load_network(data)
    assert [type(entry) for entry in again] == [Tensor, Layer]
    assert encode(again) == data


def test_three_densities_of_a_message() -> None:
    for density in (0.01, 0.05, 0.3):
        for seed in range(3):
            state = masks(density, seed)
            assert len(pemncodec.save(state)) <= 1.02 * entropy(state) + 120


def test_a_file_that_needs_no_mask_keeps_its_version() -> None:
    few = {"few": torch.ones(255, dtype=torch.bool), "weight": torch.rand(50)}
    assert pemncodec.save(few)[9] < 6
    assert pemncodec.save(few | {"more": torch.ones(256, dtype=torch.bool)})[9] == 6


def test_an_old_reader_refuses_the_file() -> None:
    """A reader that knows one minor version less compares the byte, before all else."""
    data = bytearray(pemncodec.save(masks(0.1)))
    data[9] = MINOR + 1
    with pytest.raises(pemncodec.VersionError, match=rf"format version 1\.{MINOR + 1}; this pemncodec reads 1\.0 to"):
        pemncodec.load(bytes(data))


# --- the shorter way of `save` ------------------------------------------------------------------------------------


def the_long_way(state: object, **options: object) -> bytes:
    return pemncodec.pack(state, **options)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("density", [0.0, 0.003, 0.02, 0.07, 0.15, 0.4, 0.97, 1.0])
def test_both_ways_give_the_same_bytes(density: float) -> None:
    for seed, dense in enumerate((density, 1 - density)):
        state = masks(dense, seed) | {"few": torch.tensor([True, False]), "scalar": torch.tensor(True)}
        state["empty"] = torch.zeros(0, 3, dtype=torch.bool)
        state["across"] = torch.rand(60, 40).lt(dense).t()
        masked = {f"{name}_mask": tensor for name, tensor in state.items()}
        assert pemncodec.save(masked) == the_long_way(masked)
        for options in ({}, {"metadata": {"round": "3"}}):
            assert pemncodec.save(state, **options) == the_long_way(state, **options)  # type: ignore[arg-type]


def test_what_says_more_takes_the_long_way() -> None:
    """Pairs of names that a family recognises, ties, prefixes, options and other tensors."""
    mask, other = torch.rand(40, 30) < 0.5, torch.rand(40, 30) < 0.1
    states: list[object] = [
        {"x_orig": mask, "x_mask": other},
        {"x.weight": mask, "x.mask": other},
        {"x.mask_real": mask, "y.mask_real": other},
        {"x_mask": mask, "x_mask_mask": other},
        {"x.mask": mask, "y": other},
        {"x.weight": mask, "x.scores": other},
        {"module.x": mask, "y": other},
        {"x": mask, "y": mask},
        {"x": mask, "y": mask.view(30, 40)},
        {"x": mask, "y": torch.rand(3)},
        {"state_dict": {"x": mask, "y": other}, "epoch": 3},
        {"x": torch.nn.Parameter(mask, requires_grad=False), "y": other},
    ]
    for state in states:
        try:
            expected = the_long_way(state)
        except pemncodec.PemnError as reason:
            with pytest.raises(type(reason)):
                pemncodec.save(state)  # type: ignore[arg-type]
            continue
        assert pemncodec.save(state) == expected  # type: ignore[arg-type]


def test_plain_names_are_of_no_other_family() -> None:
    """The short way leaves out all families but `dense`, by the names: the others must not want such tensors."""
    state = {"0.weight": torch.rand(20, 20) < 0.5, "0.bias": torch.rand(300) < 0.5, "x": torch.rand(4, 100) < 0.1}
    options = PackOptions()
    for named in (
        state,
        {f"{number}{end}mask": state["x"] for number in range(2) for end in "._"},
        {"mask": state["x"]},
    ):
        assert messages._say_nothing(named)
        for family in FAMILIES:
            if family.name != "dense":
                assert family.recognise(Checkpoint(named, options), options) is None, family.name


def test_the_short_way_checks_what_it_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coder that loses a bit is found by the one decode, unless that is not wanted."""
    true_way = bools.packed_bits

    def wrong(tensor: Tensor) -> bits.Packed:
        packed = true_way(tensor)
        packed[0] ^= 1
        return packed

    monkeypatch.setattr(encoded, "packed_bits", wrong)
    with pytest.raises(pemncodec.MismatchError, match=r"'0\.weight' would not be the same"):
        pemncodec.save(masks(0.2))
    pemncodec.save(masks(0.2), verify=False)


@pytest.mark.parametrize(
    "state",
    [
        {"": torch.ones(300, dtype=torch.bool)},
        {"n" * 1025: torch.ones(300, dtype=torch.bool)},
        {"a\0b": torch.ones(300, dtype=torch.bool)},
        {"x": torch.full((300,), 2, dtype=torch.uint8).view(torch.bool)},
        {"x": torch.ones((1,) * 33 + (300,), dtype=torch.bool)},
    ],
)
def test_the_short_way_refuses_what_the_long_one_refuses(state: dict[str, torch.Tensor]) -> None:
    for way in (pemncodec.save, the_long_way):
        with pytest.raises(pemncodec.NetworkError):
            way(state)


def test_messages_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the pipeline")

    monkeypatch.setattr(save, "pack_to_bytes", refuse)
    pemncodec.save(masks(0.1), metadata={"round": "7"})
    with pytest.raises(AssertionError, match="the pipeline"):
        pemncodec.save(masks(0.1), uint8_masks=True)


# --- between files, and other forms --------------------------------------------------------------------------------


def test_differences_are_of_elements(tmp_path: Path) -> None:
    before, after = masks(0.1, 1), masks(0.1, 1)
    after["2.weight"] = after["2.weight"] ^ (torch.arange(256 * 256).view(256, 256) % 1000 == 0)
    found = pemncodec.diff(pemncodec.save(before), pemncodec.save(after))
    assert {one.name: one.differing for one in found.tensors} == {"0.weight": 0, "2.weight": 66, "4.weight": 0}
    (tmp_path / "a.pemn").write_bytes(pemncodec.save(before))
    (tmp_path / "b.pemn").write_bytes(pemncodec.save(after))
    assert "66" in pemn("diff", "a.pemn", "b.pemn", cwd=tmp_path).stdout


def test_merged_files(tmp_path: Path) -> None:
    states = {"one": masks(0.2, 1), "two": masks(0.4, 2) | {"weight": torch.rand(30, 20)}}
    for name, state in states.items():
        (tmp_path / f"{name}.pemn").write_bytes(pemncodec.save(state))
    pemncodec.merge_files({name: tmp_path / f"{name}.pemn" for name in states}, tmp_path / "all.pemn")
    for name, state in states.items():
        check_same(pemncodec.load_file(tmp_path / "all.pemn", task=name), state)
        check_same(pemncodec.load_original(tmp_path / "all.pemn", task=name), state)


@pytest.mark.parametrize("layout", ["dense", "original", "masked"])
def test_unpacked_as_safetensors(tmp_path: Path, layout: str) -> None:
    state = masks(0.2) | {"weight": torch.rand(30, 20)}
    (tmp_path / "a.pemn").write_bytes(pemncodec.save(state))
    done = pemn("unpack", "a.pemn", "a.safetensors", "--layout", layout, cwd=tmp_path)
    assert done.status == 0, done.stderr
    found = load_safetensors(tmp_path / "a.safetensors")
    check_same({name: found[name] for name in state}, state)


def test_bytes_are_counted_as_other_tensors(tmp_path: Path) -> None:
    """Bits a masked weight are those of masked weights, and each byte of a file is counted once."""
    weight = torch.rand(60, 70) * (torch.rand(60, 70) < 0.1)
    state = masks(0.3) | {"weight": weight}
    data, report = pemncodec.pack(state)
    alone = pemncodec.pack({"weight": weight})[1]
    assert report.sizes.masked_weights == 4200
    assert report.sizes.bits_per_masked_weight == pytest.approx(alone.sizes.bits_per_masked_weight, rel=0.01)
    assert report.sizes.total == len(data)
    (tmp_path / "a.pemn").write_bytes(data)
    shown = json.loads(pemn("inspect", "a.pemn", "--json", cwd=tmp_path).stdout)
    assert [tensor["kind"] for tensor in shown["tensors"]] == ["bool", "bool", "bool", "kept"]
    assert pemn("view", "a.pemn", "-o", "a.html", cwd=tmp_path).status == 0
    assert pemn("verify", "a.pemn", cwd=tmp_path).status == 0


def test_on_another_device() -> None:
    """The CPU, as a device that decodes by itself."""
    state = masks(0.2) | {"weight": torch.rand(30, 20) * (torch.rand(30, 20) < 0.5)}
    with pemncodec.open(pemncodec.save(state)) as file:
        own = {name: file.index(name) for name in file}
        loaded = load.load_entries_on_device(file.decoder, own, torch.device("cpu"), lambda *_: None)
    check_same({name: tensor for parts in loaded.values() for name, tensor in parts}, state)


def test_limits_count_a_byte_for_an_element() -> None:
    data = pemncodec.save({"x": torch.rand(100, 100) < 0.5})
    pemncodec.load(data, max_bytes=10_000)
    with pytest.raises(pemncodec.LimitError, match="10000 bytes, but max_bytes allows 9999"):
        pemncodec.load(data, max_bytes=9999)


def test_metadata_are_as_given() -> None:
    """The kinds of entries say that a file is a state_dict of bools, and nothing is added to its metadata."""
    network = MaskedNetwork([Tensor("x", BY_NAME["bool"], (300,), np.ones(300, dtype=np.uint8))], metadata={"a": "b"})
    data = encode(network)
    assert pemncodec.load_network(data).metadata == {"a": "b"}
    assert pemncodec.load_original(data)["x"].all()
    layer = Layer("y", (4,), 0, TileFill(0))
    one = StoredPrototype(UINT8, np.ones(1, dtype=np.uint8))
    mixed = MaskedNetwork([*network.entries, layer], [one], [Mask.from_bool(np.ones(4, dtype=np.bool_))])
    with pytest.raises(pemncodec.OutputError):
        pemncodec.load_original(encode(mixed))
