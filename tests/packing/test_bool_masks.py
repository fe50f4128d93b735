"""Bool tensors are stored by the mask coders (spec section 10, `pemn.bool`), and come back as bool tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec import Mask, MaskedNetwork, PayloadError
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import BY_NAME
from pemncodec.container.opening import open_container
from pemncodec.container.writer import Sections, write_container
from pemncodec.network.model import Layer, Prototype, StoredPrototype, Tensor, TileFill
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
    assert len(data) <= 1.02 * entropy(state) + 150
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


def forged(value: int, key: str, zero: str = "zero") -> bytes:
    """A file of one layer over one element of uint8, with this `pemn.bool`."""
    bits = Mask.from_bool(np.arange(2000) % 3 == 0)
    second_one = None if zero == "zero" else 1
    prototypes: list[Prototype] = [StoredPrototype(UINT8, np.array([value], dtype=np.uint8))]
    prototypes += [] if second_one is None else [StoredPrototype(UINT8, np.array([9], dtype=np.uint8))]
    network = MaskedNetwork([Layer("x", (2000,), 0, TileFill(0, zero=zero, second=second_one))], prototypes, [bits])
    data = encode(network)
    container = open_container(data)
    payload = Sections(None)
    payload.add(data[container.header.payload_offset :])
    return write_container(replace(container.manifest, metadata={"pemn.bool": key}), [payload]).to_bytes()


@pytest.mark.parametrize(("value", "key", "zero"), [(1, "1", "zero"), (1, "00", "zero"), (1, "", "zero")])
def test_a_key_that_fits_nothing_says_nothing(value: int, key: str, zero: str) -> None:
    data = forged(value, key, zero)
    assert pemncodec.load(data)["x"].dtype == torch.uint8
    assert second.decode(data).tensors["x"].dtype == "uint8"


def test_a_layer_of_two_values_is_no_bool() -> None:
    data = forged(1, "0", "second")
    assert pemncodec.load(data)["x"].max() == 9
    assert second.decode(data).tensors["x"].dtype == "uint8"


def test_a_bool_that_is_neither_0_nor_1_is_refused() -> None:
    data = forged(7, "0")
    with pytest.raises(PayloadError, match="fills bool tensors with 7"):
        pemncodec.load(data)
    with pytest.raises(second.DecodeError) as reason:
        second.decode(data)
    assert reason.value.kind == "payload"
