"""The Python interface: sources, sinks, layouts, lazy reading."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import errors
from pemncodec.loading.layouts.table import Layout

from .. import published

KEEP = 0.5


@pytest.fixture(scope="module")
def state() -> published.StateDict:
    return published.checkpoint("random-vector-copy")


@pytest.fixture(scope="module")
def data(state: published.StateDict) -> bytes:
    return pemncodec.save(state, keep=KEEP, metadata={"note": "größer"})


def test_file_and_bytes_hold_the_same(state: published.StateDict, tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    report = pemncodec.save_file(state, path, keep=KEEP)
    assert path.read_bytes() == pemncodec.save(state, keep=KEEP)
    assert report.sizes.total == path.stat().st_size
    published.assert_equal(pemncodec.load_file(path), published.effective(state, KEEP))
    published.assert_equal(pemncodec.load_file(str(path)), published.effective(state, KEEP))


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_whole_checkpoints_are_unwrapped(state: published.StateDict, data: bytes, key: str) -> None:
    source = {"epoch": 3, key: OrderedDict(state), "optimizer": {"state": {}}, "best_acc1": 1.0}
    packed, report = pemncodec.pack(source, keep=KEEP, metadata={"note": "größer"})
    published.assert_equal(pemncodec.load(packed), pemncodec.load(data))
    assert report.dropped == ["*.scores", "epoch", "optimizer", "best_acc1"]


def test_a_module_is_packed_by_its_state_dict() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 20), nn.BatchNorm1d(20), nn.Embedding(5, 3))
    published.assert_equal(pemncodec.load(pemncodec.save(model)), dict(model.state_dict()))


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_every_dtype_and_odd_shape_survives() -> None:
    torch.manual_seed(0)
    names = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "bfloat16"]
    names += ["float32", "float64", "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"]
    names += ["float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"]
    state: published.StateDict = {}
    for name in names:
        dtype = getattr(torch, name)
        for label, shape in (("scalar", ()), ("empty", (0, 3)), ("matrix", (3, 5)), ("long", (70_001,))):
            raw = torch.randint(0, 2 if name == "bool" else 256, (*shape, dtype.itemsize), dtype=torch.uint8)
            value = raw.reshape(-1).view(dtype).reshape(shape) if raw.numel() else torch.empty(shape, dtype=dtype)
            state[f"{name}.{label}"] = value
    state["negative zero"] = torch.tensor([-0.0, 0.0, float("nan"), -float("inf")])
    published.assert_equal(pemncodec.load(pemncodec.save(state)), state)


def test_strided_conjugated_and_cuda_like_views() -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": base.t(),
        "strided": base[:, ::2],
        "channels_last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "conjugate": torch.view_as_complex(torch.rand(3, 2)).conj(),
        "expanded": torch.ones(1, 3).expand(4, 3),
        "parameter": nn.Parameter(torch.rand(3)),
    }
    loaded = pemncodec.load(pemncodec.save(state))
    for name, tensor in state.items():
        assert torch.equal(loaded[name], tensor.detach()), name


def test_tied_tensors_are_stored_once_and_tied_again(state: published.StateDict) -> None:
    tied = torch.rand(3000)
    source = {"a": tied, "b": tied, "c": tied.clone(), "part": tied[:1500]}
    data = pemncodec.save(source)
    loaded = pemncodec.load(data)
    published.assert_equal(loaded, source)
    assert loaded["a"].data_ptr() == loaded["b"].data_ptr() != loaded["c"].data_ptr()
    with pemncodec.open(data) as file:
        assert file.alias_of("b") == "a"
        assert file.alias_of("c") is None
    both = {**state, "tied.weight": state["9.weight"], "tied.scores": state["9.scores"]}
    loaded = pemncodec.load(pemncodec.save(both, keep=KEEP))
    assert loaded["tied.weight"].data_ptr() == loaded["9.weight"].data_ptr()
    other_scores = {**both, "tied.scores": torch.rand(10, 16)}
    published.assert_equal(
        pemncodec.load(pemncodec.save(other_scores, keep=KEEP)), published.effective(other_scores, KEEP)
    )


def test_lazy_reader(state: published.StateDict, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    path.write_bytes(data)
    expected = published.effective(state, KEEP)
    with pemncodec.open(path) as file:
        assert file.keys() == list(expected) == list(file)
        assert len(file) == len(expected)
        assert file.metadata["note"] == "größer"
        assert file.metadata["pemn.keep"] == "0.5"
        assert file.tasks == []
        for name, tensor in expected.items():
            assert name in file
            assert file.shape(name) == tuple(tensor.shape)
            assert file.dtype(name) == str(tensor.dtype).removeprefix("torch.")
            assert published.bits(file.get_tensor(name)) == published.bits(file[name]) == published.bits(tensor)
            assert file.get_numpy(name).tobytes() == published.bits(tensor)
            assert file.is_masked(name) == (name in published.SHAPES)
        mask = file.get_mask("9.weight")
        assert np.array_equal(mask.to_bool(), published.top_k_mask(state["9.scores"], KEEP).flatten().numpy() == 1)
        with pytest.raises(errors.NotFoundError, match="no tensor 'x'"):
            file.get_tensor("x")
        with pytest.raises(errors.NotFoundError, match="has no mask"):
            file.get_mask("0.norm.weight")


def test_lazy_reader_reads_only_what_it_needs(tmp_path: Path) -> None:
    """Damage elsewhere in the payload does not matter to a tensor that is not there."""
    torch.manual_seed(0)
    state = {name: torch.rand(100_000) for name in ("a", "b", "c")}
    path = tmp_path / "a.pemn"
    pemncodec.save_file(state, path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pemncodec.open(path) as file:
        assert torch.equal(file.get_tensor("a"), state["a"])
        with pytest.raises(errors.ChecksumError, match="damaged between byte"):
            file.get_tensor("c")
    with pytest.raises(errors.ChecksumError):
        pemncodec.load_file(path)


@pytest.mark.parametrize("layout", ["csr", "coo"])
def test_sparse_layouts(state: published.StateDict, data: bytes, layout: Layout) -> None:
    expected = published.effective(state, KEEP)
    loaded = pemncodec.load(data, layout=layout)
    assert list(loaded) == list(expected)
    for name, tensor in expected.items():
        if name not in published.SHAPES:
            assert published.bits(loaded[name]) == published.bits(tensor)
            continue
        shape = tensor.shape if layout == "coo" else (len(tensor), tensor[0].numel())
        assert loaded[name].shape == shape
        assert loaded[name].layout == (torch.sparse_coo if layout == "coo" else torch.sparse_csr)
        assert loaded[name]._nnz() == int(published.top_k_mask(state[name[:-6] + "scores"], KEEP).sum())
        assert torch.equal(loaded[name].to_dense().reshape(tensor.shape), tensor)
    x = torch.rand(16, 7)
    assert torch.allclose(pemncodec.load(data, layout="csr")["9.weight"] @ x, expected["9.weight"] @ x)


def test_prefix_is_kept_unless_asked_and_fits_models_both_ways(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    wrapped = nn.DataParallel(copy.deepcopy(model))
    path, bare = tmp_path / "wrapped.pemn", tmp_path / "bare.pemn"
    pemncodec.save_file(wrapped, path)
    pemncodec.save_file(model, bare)
    assert list(pemncodec.load_file(path)) == [f"module.{name}" for name in model.state_dict()]
    assert list(pemncodec.load_file(path, strip_prefix=True)) == list(model.state_dict())
    for target in (copy.deepcopy(model), nn.DataParallel(copy.deepcopy(model))):
        for file in (path, bare):
            for parameter in target.parameters():
                nn.init.zeros_(parameter)
            assert not any(pemncodec.load_model(target, file))
            found = [published.bits(t) for t in target.state_dict().values()]
            assert found == [published.bits(t) for t in model.state_dict().values()]


def test_load_model_says_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    pemncodec.save_file(nn.Linear(4, 3), path)
    with pytest.raises(errors.MismatchError, match="does not fit the model"):
        pemncodec.load_model(nn.Linear(5, 3), path)
    with pytest.raises(errors.MismatchError, match="Missing key"):
        pemncodec.load_model(nn.Sequential(nn.Linear(4, 3)), path)
    result = pemncodec.load_model(nn.Linear(4, 3, bias=False), path, strict=False)
    assert result.unexpected_keys == ["bias"]


def test_progress_is_reported_and_ends(state: published.StateDict, data: bytes) -> None:
    calls: list[tuple[int, int, str]] = []
    pemncodec.load(data, progress=lambda done, total, what: calls.append((done, total, what)))
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[-1][0] == calls[-1][1] > 0
    calls.clear()
    pemncodec.save(state, keep=KEEP, progress=lambda done, total, what: calls.append((done, total, what)))
    assert {"finding prototypes", "9.weight"} <= {what for _, _, what in calls}
    assert calls[-1][0] == calls[-1][1] > 0


def test_same_bytes_in_another_process_with_another_hash_seed(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(published.checkpoint("random-vector-copy"), path)
    code = (
        "import sys, torch, pemncodec;"
        "data = pemncodec.save(torch.load(sys.argv[1]), keep=0.5, metadata={'note': 'größer'});"
        "sys.stdout.buffer.write(data)"
    )
    for seed in ("0", "1", "12345"):
        command = [sys.executable, "-c", code, str(path)]
        run = subprocess.run(command, capture_output=True, check=True, env={"PYTHONHASHSEED": seed, "PATH": ""})
        assert run.stdout == data


def test_bad_arguments(state: published.StateDict, data: bytes) -> None:
    with pytest.raises(errors.NetworkError, match="layout 'sparse' is unknown: choose dense, masked, csr, coo"):
        pemncodec.load(data, layout="sparse")  # type: ignore[arg-type]
    with pytest.raises(errors.NetworkError, match="reserved"):
        pemncodec.save(state, keep=KEEP, metadata={"pemn.keep": "1"})
    with pytest.raises(errors.NotFoundError, match="no task 'x' in the file; it has none"):
        pemncodec.load(data, task="x")
    with pytest.raises(errors.LimitError, match="max_bytes allows 100"):
        pemncodec.load(data, max_bytes=100)
    with pytest.raises(errors.FileAccessError, match="No such file"):
        pemncodec.load_file("/nonexistent/a.pemn")
