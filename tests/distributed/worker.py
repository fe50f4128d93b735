"""Ranks of a process group over gloo, each of which loads and saves its shards; run by test_distributed.py.

python -m tests.distributed.worker RANKS FOLDER SOURCE TARGET

SOURCE and TARGET are names of `.pemn` files in the folder, in which `dcp` is the same network as an ordinary
distributed checkpoint.
"""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.placement_types import Placement
from torch.multiprocessing.spawn import start_processes

import pemncodec
from pemncodec import PemnFile
from pemncodec.coding.parts import PartDecoder
from pemncodec.distributed import PemnReader, PemnWriter


def network() -> nn.Sequential:
    """A network with sizes that four ranks do not divide, and a buffer of no dimension."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(37, 50), nn.BatchNorm1d(50), nn.Linear(50, 11), nn.Linear(64, 4096, bias=False))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(torch.rand_like(parameter) < 0.5).add_(0.0)
    return made


def zeros() -> nn.Sequential:
    made = network()
    with torch.no_grad():
        for tensor in made.state_dict().values():
            tensor.zero_()
    return made


def gathered(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: (t.full_tensor() if isinstance(t, DTensor) else t).detach().clone() for name, t in state.items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    def raw(tensor: torch.Tensor) -> bytes:
        return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()

    return left.keys() == right.keys() and all(raw(left[name]) == raw(right[name]) for name in left)


def counted() -> Counter[str]:
    """Count from now on the elements that parts are made of."""
    made: Counter[str] = Counter()
    fill = PartDecoder.fill

    def fill_counted(self: PartDecoder, out: Any, start: int) -> None:
        made["elements"] += len(out)
        fill(self, out, start)

    PartDecoder.fill = fill_counted  # type: ignore[method-assign]
    return made


def failures(act: Callable[[], object]) -> list[str]:
    """The errors of all ranks, each once."""
    try:
        act()
    except CheckpointException as error:
        return sorted({f"{type(one).__name__}: {one}" for one, _ in error.failures.values()})
    return []


def loads(mesh: DeviceMesh, path: Path, oracle: Path) -> nn.Module:
    """Load a model sharded by FSDP, and single tensors sharded in other ways; return the model."""
    wanted = zeros()
    fully_shard(wanted, mesh=mesh)
    expected = wanted.state_dict()
    load(expected, checkpoint_id=str(oracle))
    model = zeros()
    fully_shard(model, mesh=mesh)
    state, made = model.state_dict(), counted()
    own = sum(t.to_local().numel() if isinstance(t, DTensor) else t.numel() for t in state.values())
    load(state, storage_reader=PemnReader(path))
    assert made["elements"] == own, (made, own)
    assert same(gathered(state), gathered(expected))
    assert same(gathered(model.state_dict()), dict(network().state_dict()))
    with PemnFile(path) as file:
        whole = file.get_tensor("0.weight")
    for placement in (Shard(1), Replicate(), Shard(0)):
        sharded = {"0.weight": distribute_tensor(torch.zeros_like(whole), mesh, [placement])}
        load(sharded, storage_reader=PemnReader(path))
        assert torch.equal(sharded["0.weight"].full_tensor(), whole)
    return model


def refuses_to_load(rank: int, mesh: DeviceMesh, path: Path) -> None:
    """Nothing is written where a dtype, shape or name is wrong on a rank."""
    before = torch.ones(50)
    half = {
        "0.bias": before,  # would be first
        "0.weight": distribute_tensor(torch.zeros(50, 37, dtype=torch.bfloat16), mesh, [Shard(0)]),
    }
    assert failures(lambda: load(half, storage_reader=PemnReader(path))) == [
        "MismatchError: '0.weight' is float32 in the file, but bfloat16 in the state_dict: load into that dtype, "
        "then convert"
    ]
    for name, tensor, reason in (
        ("0.weight", torch.zeros(37, 50), "Size mismatch"),
        ("9.weight", torch.zeros(3), "RuntimeError: Missing key in checkpoint state_dict: 9.weight."),
    ):
        state = {"0.bias": before} | ({name: tensor} if rank == 1 else {})
        (said,) = failures(lambda: load(state, storage_reader=PemnReader(path)))  # noqa: B023
        assert reason in said
    assert torch.equal(before, torch.ones(50))
    partial = {"0.weight": DTensor.from_local(torch.zeros(50, 37), mesh, [Partial()])}
    (said,) = failures(lambda: load(partial, storage_reader=PemnReader(path)))
    assert "0.weight" in said  # torch refuses it


def saves(mesh: DeviceMesh, model: nn.Module, target: Path) -> None:
    """Save the model, and beside it tensors sharded in other ways and of other dtypes."""
    state: dict[str, Any] = dict(model.state_dict())
    state |= {name: distribute_tensor(tensor, mesh, [placement]) for name, tensor, placement in others()}
    save(state, storage_writer=PemnWriter(target, metadata={"step": "7"}))
    save(state, checkpoint_id=str(target.with_suffix(".dcp")))


def others() -> list[tuple[str, torch.Tensor, Placement]]:
    """Tensors, and how each is sharded."""
    odd = torch.arange(3 * 10 * 7, dtype=torch.int64).reshape(3, 10, 7)
    nans = torch.arange(0x7FC00000, 0x7FC00000 + 64, dtype=torch.int32).view(torch.float32)
    return [
        ("columns", odd, Shard(1)),
        ("last", odd.to(torch.bfloat16), Shard(2)),
        ("few rows", odd, Shard(0)),
        ("copies", odd[0].bool(), Replicate()),
        ("nans", nans, Shard(0)),
        ("empty", torch.zeros(0, 4), Shard(0)),
    ]


def refuses_to_save(rank: int, mesh: DeviceMesh, folder: Path) -> None:
    """Nothing is written, and nothing stays."""
    target = folder / "refused.pemn"
    before = sorted(folder.iterdir())
    for state, reason in (
        ({"w": torch.zeros(3), "epoch": 3}, "UnsupportedTensorError: 'epoch' is no tensor: save the state_dict of"),
        ({"w": DTensor.from_local(torch.ones(3), mesh, [Partial()])}, "ValueError: Any checkpointing related"),
        ({"w": torch.quantize_per_tensor(torch.ones(3), 1.0, 0, torch.qint8)}, "UnsupportedTensorError: tensor 'w'"),
    ):
        (said,) = failures(lambda: save(state, storage_writer=PemnWriter(target)))  # noqa: B023
        assert said.startswith(reason), said
    target = folder / "dcp" / ".metadata"
    said = failures(lambda: save({"w": torch.zeros(3)}, storage_writer=PemnWriter(target, overwrite=False)))[0]
    assert said.startswith("OutputExistsError: ")
    sharded = {"w": distribute_tensor(torch.zeros(4, 4), mesh, [Shard(0)])}
    try:
        pemncodec.save_file(sharded, folder / "refused.pemn")
    except pemncodec.UnsupportedTensorError as reason:
        assert "is a DTensor" in str(reason)  # noqa: PT017
    else:
        raise AssertionError
    dist.barrier()
    if rank == 0:
        assert sorted(folder.iterdir()) == before


def of_rank(rank: int, ranks: int, folder: Path, source: Path, target: Path) -> None:
    """Do all of it as one rank."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    store = (folder.parent / f"store{ranks}").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    model = loads(mesh, source, folder / "dcp")
    refuses_to_load(rank, mesh, source)
    saves(mesh, model, target)
    refuses_to_save(rank, mesh, folder)
    dist.destroy_process_group()


def main(ranks: int, folder: Path, source: str, target: str) -> None:
    """Fork the ranks where that is possible, so that torch is imported once."""
    how = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    start_processes(of_rank, (ranks, folder, folder / source, folder / target), ranks, start_method=how)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
