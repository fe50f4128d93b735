"""Ranks of a process group over gloo, each of which loads its shards; run by test_reader.py.

python -m tests.distributed.worker RANK RANKS FOLDER
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from pemncodec import PemnFile
from pemncodec.coding.parts import PartDecoder
from pemncodec.distributed import PemnReader


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


def failure(state: dict[str, Any], path: Path) -> list[str]:
    try:
        load(state, storage_reader=PemnReader(path))
    except CheckpointException as error:
        return sorted({f"{type(one).__name__}: {one}" for one, _ in error.failures.values()})
    return []


def main(rank: int, ranks: int, folder: Path) -> None:
    warnings.simplefilter("ignore")
    store = (folder / f"store{ranks}").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    path, oracle = folder / "model.pemn", folder / "dcp"

    expected = zeros()
    fully_shard(expected, mesh=mesh)
    wanted = expected.state_dict()
    load(wanted, checkpoint_id=str(oracle))
    model = zeros()
    fully_shard(model, mesh=mesh)
    state, made = model.state_dict(), counted()
    own = sum(t.to_local().numel() if isinstance(t, DTensor) else t.numel() for t in state.values())
    load(state, storage_reader=PemnReader(path))
    assert made["elements"] == own, (made, own)
    assert same(gathered(state), gathered(wanted))
    assert same(gathered(model.state_dict()), dict(network().state_dict()))

    with PemnFile(path) as file:
        whole = file.get_tensor("0.weight")
        for placement in (Shard(1), Replicate(), Shard(0)):
            sharded = {"0.weight": distribute_tensor(torch.zeros_like(whole), mesh, [placement])}
            load(sharded, storage_reader=PemnReader(path))
            assert torch.equal(sharded["0.weight"].full_tensor(), whole)

    half = {"0.weight": distribute_tensor(torch.zeros(50, 37, dtype=torch.bfloat16), mesh, [Shard(0)])}
    assert failure(half, path) == [
        "MismatchError: '0.weight' is float32 in the file, but bfloat16 in the state_dict: load into that dtype, "
        "then convert"
    ]
    assert "Size mismatch" in failure({"0.weight": torch.zeros(37, 50)}, path)[0]
    assert failure({"9.weight": torch.zeros(3)}, path) == [
        "RuntimeError: Missing key in checkpoint state_dict: 9.weight."
    ]
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
