"""Files that are loaded packed: the tensors of the dense layout in bits, masks in the mapped file, and back again."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import pemncodec
from pemncodec import PackedTensor
from pemncodec.container.manifest.coder_table import MASK_RAW

from ..layouts import Case, cases

VALID = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "valid"
FILES = sorted(VALID.glob("*.pemn"))


def data(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().view(-1).view(torch.uint8).tolist()) if tensor.numel() else b""


def described(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.with_suffix(".json").read_text())
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_vectors(path: Path) -> None:
    """Packed, then dense, every valid vector holds what its description says."""
    import hashlib

    told = described(path)
    bases = []
    base = told.get("base")
    while isinstance(base, str):
        bases.append(path.parent / base)
        file = bases[-1].with_suffix(".json")
        base = json.loads(file.read_text()).get("base") if file.exists() else None
    for task, tensors in told["networks"].items():  # type: ignore[attr-defined]
        found = pemncodec.load_file(path, layout="packed", task=task or None, base=bases or None)
        assert list(found) == [row["name"] for row in tensors]
        for row in tensors:
            tensor = found[row["name"]]
            dense = tensor.dense() if isinstance(tensor, PackedTensor) else tensor
            assert list(tensor.shape) == row["shape"]
            content = data(dense)
            if "data" in row:
                assert content.hex() == row["data"]
            else:
                assert hashlib.sha256(content).hexdigest() == row["sha256"]


@pytest.mark.parametrize("path", [path for path in FILES if "base" not in described(path)], ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_packed_again(path: Path) -> None:
    """The bytes are those of the network without its metadata; no rule and no option is given."""
    if pemncodec.open(path).tasks:
        return
    found = pemncodec.load_file(path, layout="packed")
    if any(isinstance(tensor, PackedTensor) for tensor in found.values()):
        network = pemncodec.load_network(path)
        network.metadata.clear()
        assert pemncodec.save(found) == pemncodec.save(network)


def pruned(keep: float = 0.5) -> Any:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.BatchNorm1d(512), nn.Linear(512, 10))
    for layer in (model[0], model[3]):
        prune.random_unstructured(layer, "weight", 1 - keep)
    return model.eval()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A pruned network whose masks are raw, at half density."""
    pemncodec.save_file(pruned(), tmp_path / "model.pemn")
    with pemncodec.open(tmp_path / "model.pemn") as file:
        assert [row.coder for row in file.decoder.manifest.masks] == [MASK_RAW, MASK_RAW]
    return tmp_path / "model.pemn"


def stock() -> Any:
    return nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.BatchNorm1d(512), nn.Linear(512, 10)).eval()


def test_a_stock_model_runs_as_it_is(path: Path) -> None:
    model, dense = stock(), stock()
    assert not any(pemncodec.load_model(model, path, layout="packed"))
    pemncodec.load_model(dense, path)
    assert isinstance(model[0].weight, PackedTensor)
    assert not model[0].weight.requires_grad
    x = torch.randn(9, 256)
    assert torch.allclose(model(x), dense(x), rtol=1e-5, atol=1e-5)
    found = pemncodec.load_file(path, layout="packed")
    assert pemncodec.save(model) == pemncodec.save({name: found[name] for name in model.state_dict()})


def test_a_model_on_the_meta_device(path: Path) -> None:
    with torch.device("meta"):
        model = stock()
    pemncodec.load_model(model, path, layout="packed")
    assert model(torch.randn(2, 256)).shape == (2, 10)


def test_raw_masks_lie_in_the_file(path: Path) -> None:
    """A byte that is written into the file shows in the tensor: nothing was copied."""
    weight = pemncodec.load_file(path, layout="packed")["0.weight"]
    assert isinstance(weight, PackedTensor)
    before = weight.bits.clone()
    with pemncodec.open(path) as file:
        start, _ = file.decoder.container.mask_place(file.decoder.manifest.entries[file.index("0.weight")].mask)  # type: ignore[union-attr]
    with path.open("r+b") as stream:
        stream.seek(start)
        stream.write(bytes([int(before[0]) ^ 255]))
    assert int(weight.bits[0]) == int(before[0]) ^ 255
    with pytest.raises(pemncodec.ChecksumError):
        weight.dense()
    with pytest.raises(pemncodec.ChecksumError):  # and the next time again
        torch.nn.functional.linear(torch.ones(1, 256), weight)


def test_damage_is_found_at_first_use_or_at_once(path: Path) -> None:
    torch.manual_seed(1)
    weight = torch.randn(4096, 1024) * (torch.rand(4096, 1024) < 0.5)  # a mask of eight pages
    pemncodec.save_file({"0.weight": weight, "0.bias": torch.zeros(4096)}, path, masks={"0.weight": weight != 0})
    content = bytearray(path.read_bytes())
    with pemncodec.open(path) as file:
        start, stop = file.decoder.container.mask_place(0)
        assert file.decoder.manifest.masks[0].coder == MASK_RAW
    content[(start + stop) // 2] ^= 1
    path.write_bytes(content)

    def stock() -> Any:
        return nn.Sequential(nn.Linear(1024, 4096))

    model = stock()
    pemncodec.load_model(model, path, layout="packed")
    with pytest.raises(pemncodec.ChecksumError, match="damaged"):
        model(torch.ones(1, 1024))
    with pytest.raises(pemncodec.ChecksumError, match="damaged"):
        copy.deepcopy(model).state_dict()["0.weight"].to(torch.bfloat16).dense()
    with pytest.raises(pemncodec.ChecksumError, match="damaged"):
        pemncodec.load_file(path, layout="packed", verify=True)
    with pytest.raises(pemncodec.ChecksumError, match="damaged"):
        pemncodec.load_model(stock(), path, layout="packed", verify=True)


def test_bytes_in_memory(path: Path) -> None:
    found = pemncodec.load(path.read_bytes(), layout="packed")
    dense = pemncodec.load_file(path)
    assert data(found["0.weight"].dense()) == data(dense["0.weight"])  # type: ignore[attr-defined]


def test_max_bytes_is_about_what_is_made(path: Path) -> None:
    """A packed network is bounded by its own size, not by the dense one."""
    network = pemncodec.MaskedNetwork(
        [pemncodec.Layer("a", (1 << 12, 1 << 14), 0, pemncodec.TileFill(0))],
        prototypes=[pemncodec.GeneratedPrototype(pemncodec.Generator("normal", 1000, 5))],
        masks=[pemncodec.Mask(np.full(1 << 23, 0xA5, np.uint8), 1 << 26)],
    )
    pemncodec.save_file(network, path)
    with pytest.raises(pemncodec.LimitError):
        pemncodec.load_file(path, max_bytes=32 << 20)
    found = pemncodec.load_file(path, layout="packed", max_bytes=32 << 20)
    assert found["a"].shape == (1 << 12, 1 << 14)
    with pytest.raises(pemncodec.LimitError):
        pemncodec.load_file(path, layout="packed", max_bytes=4 << 20)
    with pytest.raises(pemncodec.LimitError):
        pemncodec.load_model(stock(), path, layout="packed", max_bytes=4 << 20)


def test_prototypes_count(path: Path) -> None:
    """Many prototypes of a few bytes in the file, and one weight that uses each."""
    network = pemncodec.MaskedNetwork(masks=[pemncodec.Mask.from_bool(np.ones(8, np.bool_))])
    for number in range(20):
        network.prototypes.append(pemncodec.GeneratedPrototype(pemncodec.Generator("sign", 1 << 20, number)))
        network.entries.append(pemncodec.Layer(f"layer{number}", (8,), 0, pemncodec.TileFill(number)))
    pemncodec.save_file(network, path)
    assert path.stat().st_size < 2000
    with pytest.raises(pemncodec.LimitError):
        pemncodec.load_file(path, layout="packed", max_bytes=40 << 20)
    assert len(pemncodec.load_file(path, layout="packed", max_bytes=90 << 20)) == 20


def test_weights_of_one_file_share_their_prototype() -> None:
    network = pemncodec.MaskedNetwork(prototypes=[pemncodec.GeneratedPrototype(pemncodec.Generator("normal", 300, 5))])
    for number, shape in enumerate(((40, 50), (7, 300))):
        network.entries.append(pemncodec.Layer(f"layer{number}", shape, number, pemncodec.TileFill(0, number * 7)))
        flags = np.random.default_rng(number).random(shape[0] * shape[1]) < 0.5
        network.masks.append(pemncodec.Mask.from_bool(flags))
    content = pemncodec.save(network)
    packed, dense = pemncodec.load(content, layout="packed"), pemncodec.load(content)
    one, two = packed["layer0"], packed["layer1"]
    assert isinstance(one, PackedTensor)
    assert isinstance(two, PackedTensor)
    assert one.stored.data_ptr() == two.stored.data_ptr()
    assert all(data(packed[name].dense()) == data(dense[name]) for name in dense)  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_family(case: Case, tmp_path: Path) -> None:
    file = tmp_path / "packed.pemn"
    pemncodec.save_file(pemncodec.load_checkpoint(case.write(tmp_path)), file, **case.options)
    tasks: list[str | None] = [*pemncodec.open(file).tasks] or [None]
    for task in tasks:
        dense = pemncodec.load_file(file, task=task)
        packed = pemncodec.load_file(file, task=task, layout="packed")
        assert list(packed) == list(dense)
        for name, tensor in packed.items():
            found = tensor.dense() if isinstance(tensor, PackedTensor) else tensor
            assert data(found) == data(dense[name]), name


@pytest.fixture
def tasks(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    base = stock()
    made = {}
    for number in range(3):
        model = copy.deepcopy(base)
        torch.manual_seed(number)
        for layer in (model[0], model[3]):
            prune.random_unstructured(layer, "weight", 0.5)
        model[2].running_mean.normal_()
        made[f"task {number}"] = model
    pemncodec.save_tasks(made, tmp_path / "tasks.pemn")
    return tmp_path / "tasks.pemn", made


def test_switching_tasks(tasks: tuple[Path, dict[str, Any]]) -> None:
    path, models = tasks
    model = stock()
    pemncodec.load_model(model, path, layout="packed", task="task 0")
    prototype = model[0].weight.stored.data_ptr()
    parameter = model[0].weight
    x = torch.randn(5, 256)
    for task in ("task 1", "task 2", "task 0", "task 1"):
        pemncodec.switch_task(model, task)
        assert torch.allclose(model(x), models[task](x), atol=1e-5)
        assert model[0].weight is parameter
        assert model[0].weight.stored.data_ptr() == prototype
    with pytest.raises(pemncodec.NotFoundError, match="no task 'birds'"):
        pemncodec.switch_task(model, "birds")
    with pytest.raises(pemncodec.NetworkError, match="layout='packed'"):
        pemncodec.switch_task(copy.deepcopy(model), "task 1")
    with pytest.raises(pemncodec.NetworkError, match="layout='packed'"):
        pemncodec.switch_task(stock(), "task 1")


def test_switching_the_first_time_imports_nothing(tasks: tuple[Path, dict[str, Any]]) -> None:
    """Below autograd torch imports its distributed tensors, and sympy with them: half a second, and 40 MB."""
    code = (
        "import sys, pemncodec; from tests.loading.test_packed import stock\n"
        f"m = stock(); pemncodec.load_model(m, {str(tasks[0])!r}, layout='packed', task='task 0')\n"
        "before = set(sys.modules); pemncodec.switch_task(m, 'task 1'); print(*set(sys.modules) - before)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert [name for name in done.stdout.split() if not name.startswith("pemncodec")] == []


def test_switching_tasks_of_a_model_in_another_dtype(tasks: tuple[Path, dict[str, Any]]) -> None:
    path, models = tasks
    model = stock()
    pemncodec.load_model(model, path, layout="packed", task="task 0")
    model.to(torch.bfloat16)
    prototype = model[0].weight.stored.data_ptr()
    for task in ("task 1", "task 2", "task 1"):
        pemncodec.switch_task(model, task)
        for name, value in model.state_dict().items():
            expected = dict(pemncodec.load(path.read_bytes(), task=task))[name]
            found = value.dense() if isinstance(value, pemncodec.PackedTensor) else value
            if expected.dtype.is_floating_point:
                assert found.dtype == torch.bfloat16
                expected = expected.to(torch.bfloat16)
            assert torch.equal(found, expected), name
        assert model[0].weight.stored.data_ptr() == prototype
    assert len(models) == 3


def test_the_command_does_not_offer_it(path: Path) -> None:
    """Packed tensors are a form in memory, not in a file."""
    program = [sys.executable, "-m", "pemncodec", "unpack", "--layout", "packed", str(path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=os.environ.copy())
    assert done.returncode == 2
    assert "packed" in done.stderr


def test_an_unknown_layout_of_a_model(path: Path) -> None:
    with pytest.raises(pemncodec.NetworkError, match="choose dense or packed"):
        pemncodec.load_model(stock(), path, layout="csr")  # type: ignore[arg-type]
