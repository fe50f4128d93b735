"""Target `packed`: files whose layers stay packed, in memory and mapped, against the same file loaded dense."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

import torch

import pemncodec
from pemncodec.errors import FormatError, LimitError, NotFoundError
from pemncodec.packed.tensor import PackedTensor

from . import containers, values
from .decoders import limit_of
from .harness import ACCEPTED, Target, Wrong

State = dict[str, torch.Tensor]


def check(data: bytes) -> str:
    """The same bits as dense; or both are refused, the packed one perhaps when it is used first."""
    most = limit_of(data)
    expected = _dense(data, most)
    with NamedTemporaryFile(suffix=".pemn", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as file:
        file.write(data)
        file.flush()
        for source in (data, file.name):
            found = _packed(source, most)
            if isinstance(expected, str) and isinstance(found, str):
                continue
            if isinstance(expected, str):
                if expected != LimitError.kind:  # dense weights take more than packed ones
                    raise Wrong("packed-accepted", f"dense: {expected}, packed: {sorted(found)!a:.300}")
            elif isinstance(found, str):
                raise Wrong("packed-refused", f"{found}, though it can be loaded dense")
            else:
                values.same("packed", expected, found, zeros=False)
    return expected if isinstance(expected, str) else ACCEPTED


def _dense(data: bytes, most: int) -> State | str:
    try:
        return pemncodec.load(data, max_bytes=most, threads=1)
    except FormatError as reason:
        return reason.kind
    except NotFoundError:
        return "task"


def _packed(source: bytes | str, most: int) -> State | str:
    try:
        if isinstance(source, str):
            found = pemncodec.load_file(source, max_bytes=most, layout="packed", threads=1)
        else:
            found = pemncodec.load(source, max_bytes=most, layout="packed", threads=1)
        dense = {}
        for name, tensor in found.items():
            if isinstance(tensor, PackedTensor):
                if tensor.dim() == 2 and tensor.dtype == torch.float32:
                    _multiply(tensor)
                tensor = tensor.dense()
            dense[name] = tensor
        return dense
    except FormatError as reason:
        return reason.kind
    except NotFoundError:
        return "task"


def _multiply(tensor: PackedTensor) -> None:
    """Multiply twice: the first time as it is packed, then by what may stay in memory, which must be the same bits."""
    for batch in (3, 20):
        x = torch.linspace(-1, 1, batch * tensor.shape[1]).view(batch, -1)
        with torch.no_grad():
            first, second = (torch.nn.functional.linear(x, tensor).view(torch.int32) for _ in range(2))
        assert torch.equal(first, second), "the same product has other bits the second time"
        tensor.lane = None


TARGET = Target(
    "packed", ".pemn", containers.make, containers.mutate, check, "files whose layers stay packed, against dense ones"
)
