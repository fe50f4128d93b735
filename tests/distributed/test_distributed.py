"""`PemnReader` and `PemnWriter`, in one process and in several, beside ordinary distributed checkpoints."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

import pemncodec

from ..deltas import floats

pytest.importorskip("torch.distributed.checkpoint", reason="this torch has no distributed checkpoint")
if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("this torch has no gloo", allow_module_level=True)

from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from pemncodec.container.opening import metadata_of
from pemncodec.distributed import PemnReader, PemnWriter

from .worker import network, others, same

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 100
pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled", "ignore:.*TypedStorage")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sharded")
    state = network().state_dict()
    pemncodec.save_file(state, made / "model.pemn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(dict(state), checkpoint_id=str(made / "dcp"))
    return made


def run_ranks(ranks: int, folder: Path, source: str, target: str) -> None:
    command = [sys.executable, "-m", "tests.distributed.worker", str(ranks), str(folder), source, target]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def test_one_process_saves_four_load_and_save_two_load_and_save(folder: Path) -> None:
    """By FSDP, rows, columns and copies, beside an ordinary checkpoint; and what is refused."""
    save(dict(network().state_dict()), storage_writer=PemnWriter(folder / "one.pemn"))
    expected = dict(network().state_dict()) | {name: tensor for name, tensor, _ in others()}
    for ranks, source, target in ((4, "one.pemn", "four.pemn"), (2, "four.pemn", "two.pemn")):
        run_ranks(ranks, folder, source, target)
        saved = pemncodec.load_file(folder / target)
        assert list(saved) == list(expected)
        assert same(saved, expected)
        dcp_to_torch_save(folder / target.replace("pemn", "dcp"), folder / "oracle.pt")
        assert same(saved, torch.load(folder / "oracle.pt"))
        assert metadata_of(folder / target)["step"] == "7"


def test_one_process_loads_plain_tensors(folder: Path) -> None:
    expected = network().state_dict()
    state = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    wanted = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    places = {name: tensor.data_ptr() for name, tensor in state.items()}
    load(state, storage_reader=PemnReader(folder / "model.pemn"))
    load(wanted, checkpoint_id=str(folder / "dcp"))
    assert same(state, expected)
    assert same(state, wanted)
    assert {name: tensor.data_ptr() for name, tensor in state.items()} == places


def test_tasks_and_bases(tmp_path: Path) -> None:
    states = {
        name: {"w": torch.from_numpy(floats(64, 64, seed=seed).view("f4")).reshape(64, 64)}
        for seed, name in enumerate(("a", "b"))
    }
    pemncodec.save_tasks(states, tmp_path / "tasks.pemn")
    state = {"w": torch.zeros(64, 64)}
    load(state, storage_reader=PemnReader(tmp_path / "tasks.pemn", task="b"))
    assert same(state, states["b"])
    with pytest.raises(pemncodec.NotFoundError, match="the file holds 2 tasks"):
        PemnReader(tmp_path / "tasks.pemn")

    pemncodec.save_file(states["a"], tmp_path / "base.pemn")
    later = {"w": states["a"]["w"].clone()}
    later["w"][3, 5] = -0.0
    pemncodec.save_file(later, tmp_path / "delta.pemn", base=tmp_path / "base.pemn")
    reader = PemnReader(tmp_path / "delta.pemn", base=tmp_path / "base.pemn")
    load(state, storage_reader=reader)
    assert same(state, later)
    load(state, checkpoint_id=str(tmp_path / "base.pemn"), storage_reader=reader)
    assert same(state, states["a"])


def test_every_dtype_and_ties(tmp_path: Path) -> None:
    kinds = (torch.float4_e2m1fn_x2, torch.float8_e5m2, torch.bool, torch.complex128, torch.uint64, torch.bfloat16)
    made = {str(kind): torch.arange(96, dtype=torch.uint8).remainder(2).view(kind).reshape(2, -1) for kind in kinds}
    made |= {
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "nan": torch.tensor([0x7FC00123]).int().view(torch.float32),
    }
    made["tied"] = made["nan"]
    pemncodec.save_file(made, tmp_path / "a.pemn")
    state = {name: torch.empty_like(tensor) for name, tensor in made.items()}
    load(state, storage_reader=PemnReader(tmp_path / "a.pemn"))
    assert same(state, made)


def test_a_file_that_cannot_be_read_is_refused_before_loading(tmp_path: Path) -> None:
    with pytest.raises(pemncodec.FileAccessError, match="cannot be read"):
        PemnReader(tmp_path / "none.pemn")
    (tmp_path / "a.pemn").write_bytes(b"PK\x03\x04")
    with pytest.raises(pemncodec.MagicError):
        PemnReader(tmp_path / "a.pemn")


def test_sharded_weights_are_refused_in_one_sentence(tmp_path: Path) -> None:
    """Rows of one rank must not be packed as if they were the tensor, nor a whole tensor copied to them."""
    pemncodec.save_file({"w": torch.zeros(4, 4)}, tmp_path / "whole.pemn")
    torch.distributed.init_process_group("gloo", init_method=(tmp_path / "store").as_uri(), rank=0, world_size=1)
    try:
        mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
        sharded = torch.distributed.tensor.distribute_tensor(torch.zeros(4, 4), mesh)
        model = torch.nn.Module()
        model.w = torch.nn.Parameter(sharded)
        for source in ({"w": sharded}, {"model": {"w": sharded}, "epoch": 3}, model):
            with pytest.raises(pemncodec.UnsupportedTensorError, match=r"'w' is a DTensor, .* take its full_tensor"):
                pemncodec.save_file(source, tmp_path / "a.pemn")
        with pytest.raises(pemncodec.MismatchError, match=r"'w' of the model is a DTensor: .*PemnReader"):
            pemncodec.load_model(model, tmp_path / "whole.pemn")
    finally:
        torch.distributed.destroy_process_group()
    shards = {"a._fsdp_wrapped_module.weight": torch.zeros(4), "a._fsdp_wrapped_module.bias": torch.zeros(0)}
    for local in (shards, {"_fsdp_wrapped_module._flat_param": torch.zeros(4)}, {"_flat_param": torch.zeros(4)}):
        with pytest.raises(pemncodec.UnsupportedTensorError, match="is a local shard of FSDP"):
            pemncodec.save_file(local, tmp_path / "a.pemn")
    assert not (tmp_path / "a.pemn").exists()
    gathered = {"a._fsdp_wrapped_module.weight": torch.zeros(4, 4), "a._fsdp_wrapped_module.bias": torch.zeros(4)}
    pemncodec.save_file(gathered, tmp_path / "a.pemn")  # as `summon_full_params` gives them


def test_options_of_the_writer(tmp_path: Path) -> None:
    state = {"b": torch.ones(3), "a": torch.arange(4.0)}
    writer = PemnWriter(tmp_path / "a.pemn", staging=tmp_path, tensor_dtype="float16")
    save(state, storage_writer=writer)
    assert writer.report is not None
    assert writer.report.sizes.total == (tmp_path / "a.pemn").stat().st_size
    assert pemncodec.load_file(tmp_path / "a.pemn")["a"].dtype == torch.float16
    save(state, checkpoint_id=str(tmp_path / "b.pemn"), storage_writer=writer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pemn", "b.pemn"]
    with pytest.raises(TypeError, match="unknown"):
        PemnWriter(tmp_path / "a.pemn", unknown=1)
    with pytest.raises(pemncodec.OutputError, match="give staging="):
        PemnWriter("memory://a.pemn")
    with pytest.raises(CheckpointException, match="cannot be written"):
        save(state, storage_writer=PemnWriter(tmp_path / "no folder" / "a.pemn"))


def test_files_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    expected = dict(network().state_dict())
    save(dict(expected), storage_writer=PemnWriter("memory://sharded/a.pemn", staging=tmp_path))
    state = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    load(state, storage_reader=PemnReader("memory://sharded/a.pemn"))
    assert same(state, expected)
    assert not list(tmp_path.iterdir())
