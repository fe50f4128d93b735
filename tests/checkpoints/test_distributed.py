"""Folders of torch.distributed.checkpoint, against `dcp_to_torch_save`; folders that lie are refused."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.distributed.checkpoint.metadata import MetadataIndex

import pemncodec
from pemncodec.errors import UnreadableCheckpointError, UnsafeCheckpointError

pytestmark = pytest.mark.filterwarnings("ignore")

# Each of two ranks writes its part of every DTensor.
RANKS = """
import sys, torch, torch.distributed as dist, torch.distributed.checkpoint as dcp
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh
rank, store, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
mesh = init_device_mesh("cpu", (2,))
torch.manual_seed(0)
whole = torch.randn(5, 6) * (torch.rand(5, 6) > 0.5)
whole[0, 0], whole[4, 5] = torch.nan, -0.0
state = {
    "rows": distribute_tensor(whole, mesh, [Shard(0)]),
    "columns": distribute_tensor(whole.bfloat16(), mesh, [Shard(1)]),
    "same": distribute_tensor(whole, mesh, [Replicate()]),
    "few": distribute_tensor(torch.ones(1, 3), mesh, [Shard(0)]),
    "plain": torch.arange(3),
}
dcp.save({"model": state, "step": 4}, checkpoint_id=out)
dist.destroy_process_group()
"""


def state() -> dict[str, Any]:
    model = {
        "a.weight": torch.randn(4, 3),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 4),
        "b": torch.arange(5),
    }
    return {"model": model, "step": 3, "list": [torch.ones(2), {"x": torch.zeros(3)}], "t": (torch.ones(1),)}


def saved(folder: Path) -> Path:
    dcp.save(state(), checkpoint_id=folder, no_dist=True)  # type: ignore[attr-defined,unused-ignore]
    return folder


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, torch.Tensor):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        bits = (each.contiguous().reshape(-1).view(torch.uint8) for each in (one, other))
        assert torch.equal(*bits)
    else:
        assert one == other


def check(folder: Path) -> None:
    dcp_to_torch_save(folder, folder.parent / "whole.pt")
    expected = torch.load(folder.parent / "whole.pt", weights_only=True)
    assert_same(pemncodec.load_checkpoint(folder), expected)


def test_one_process(tmp_path: Path) -> None:
    check(saved(tmp_path / "d"))


def test_two_ranks_with_parts_of_tensors(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", RANKS]
    running = [subprocess.Popen([*command, str(rank), str(tmp_path / "s"), str(tmp_path / "d")]) for rank in (0, 1)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert len(list((tmp_path / "d").glob("*.distcp"))) == 2
    check(tmp_path / "d")
    report = pemncodec.pack_file(tmp_path / "d", tmp_path / "d.pemn")
    assert (report.rechecked[0].equal, report.rechecked[0].left) == (5, [])


def changed(folder: Path, change: Any) -> None:
    path = folder / ".metadata"
    metadata = pickle.loads(path.read_bytes())
    change(metadata)
    path.write_bytes(pickle.dumps(metadata))


def refused(folder: Path, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        pemncodec.load_checkpoint(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["pathlib.Path.cwd", "os.system", "torch.distributed.checkpoint.metadata.os"])
def test_a_foreign_class(module: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "d")
    where, _, name = module.rpartition(".")
    (folder / ".metadata").write_bytes(f"c{where}\n{name}\n(tR.".encode())
    refused(folder, UnsafeCheckpointError, "which torch.distributed.checkpoint does not write")


def test_every_prefix_of_the_metadata(tmp_path: Path) -> None:
    folder = saved(tmp_path / "d")
    data = (folder / ".metadata").read_bytes()
    for size in range(0, len(data), 7):
        (folder / ".metadata").write_bytes(data[:size])
        refused(folder, UnreadableCheckpointError, "damaged or incomplete .metadata")


def test_files_that_are_missing_or_short(tmp_path: Path) -> None:
    folder = saved(tmp_path / "d")
    file = folder / "__0_0.distcp"
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    refused(folder, UnreadableCheckpointError, "are needed")
    (folder / "__1_0.distcp").write_bytes(data)
    file.unlink()
    refused(folder, UnreadableCheckpointError, "lacks the file '__0_0.distcp'")
    file.write_bytes(data)
    (folder / ".metadata").unlink()
    refused(folder, UnreadableCheckpointError, "no .metadata: the save did not end")


@pytest.mark.parametrize("place", ["../x.distcp", "/etc/passwd", "sub/x.distcp", "link.distcp"])
def test_a_path_that_leaves_the_folder(place: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "d")
    (folder / "sub").mkdir()
    for other in (tmp_path / "x.distcp", folder / "sub" / "x.distcp"):
        other.write_bytes((folder / "__0_0.distcp").read_bytes())
    (folder / "link.distcp").symlink_to("../x.distcp")

    def change(metadata: Any) -> None:
        for info in metadata.storage_data.values():
            info.relative_path = place

    changed(folder, change)
    refused(folder, UnreadableCheckpointError, "lacks the file|points outside the folder")


def test_metadata_that_contradict_themselves(tmp_path: Path) -> None:
    folder = saved(tmp_path / "d")
    data = (folder / ".metadata").read_bytes()

    def larger(metadata: Any) -> None:
        metadata.state_dict_metadata["model.a.weight"].size = torch.Size((5, 3))

    def outside(metadata: Any) -> None:
        metadata.state_dict_metadata["model.a.weight"].chunks[0].sizes = torch.Size((5, 3))

    def nowhere(metadata: Any) -> None:
        metadata.storage_data.pop(MetadataIndex("model.b", (0,)))

    def long(metadata: Any) -> None:
        metadata.planner_data["list.0"] = ("list", 1 << 40)

    def shared(metadata: Any) -> None:
        place = metadata.storage_data[MetadataIndex("list.0", (0,))]
        metadata.storage_data[MetadataIndex("list.1.x", (0,))] = place

    for change, says in (
        (larger, "do not make up the whole"),
        (outside, "outside of it"),
        (nowhere, "no place for a part"),
        (long, "contradict each other"),
        (shared, "two entries in the same bytes"),
    ):
        (folder / ".metadata").write_bytes(data)
        changed(folder, change)
        refused(folder, UnreadableCheckpointError, says)


def test_an_object_beside_the_tensors(tmp_path: Path) -> None:
    dcp.save({"w": torch.ones(2), "made": io.StringIO}, checkpoint_id=tmp_path / "d", no_dist=True)  # type: ignore[attr-defined,unused-ignore]
    refused(tmp_path / "d", UnsafeCheckpointError, "save the state_dict alone")
