"""DTensors in files, written by a process of its own: what imports torch.distributed.tensor reads more than others."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from functools import cache

# Rank 0 of so many, with no network: whole, its rows of the whole, and its summand of the whole.
SCRIPT = """
import base64, io, json, warnings
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

whole = torch.arange(64.0).reshape(8, 8)
found = {}
kinds = (("whole", 1, Replicate(), 8), ("rows", 2, Shard(0), 4), ("summand", 2, Partial(), 8))
for name, ranks, placement, rows in kinds:
    dist.init_process_group("fake", rank=0, world_size=ranks, store=FakeStore())
    mesh = init_device_mesh("cpu", (ranks,))
    stream = io.BytesIO()
    torch.save({"fc.weight": DTensor.from_local(whole[:rows], mesh, [placement], run_check=False)}, stream)
    found[name] = base64.b64encode(stream.getvalue()).decode()
    dist.destroy_process_group()
print(json.dumps(found))
"""


@cache
def files() -> dict[str, bytes]:
    """Checkpoints that hold `fc.weight`, `arange(64)` in 8 rows, in three ways."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True)
    return {name: base64.b64decode(text) for name, text in json.loads(done.stdout.splitlines()[-1]).items()}
