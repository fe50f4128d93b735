"""Target `readers`: mutated files through every public function and command that reads one."""

from __future__ import annotations

import contextlib
import json
import zlib
from random import Random
from typing import get_args

import torch

import pemncodec
from pemncodec.errors import FormatError, PemnError
from pemncodec.loading.layouts.table import Layout

from . import containers, fields, files, values
from .decoders import Content, by_the_package, by_the_second, limit_of
from .harness import ACCEPTED, Target, Wrong
from .sandbox import pemn, sandbox

Rows = list[tuple[str, str, tuple[int, ...], bytes]]


def make(rng: Random) -> bytes:
    """A small file, mutated or not."""
    data = files.network(rng).build() if rng.randrange(2) else rng.choice(containers.vectors())
    return data if rng.randrange(3) == 0 else fields.mutate(fields.split(data), rng)


def check(data: bytes) -> str:
    """All that reads must agree with the second decoder on what a file holds, and refuse what it refuses."""
    limit = limit_of(data)
    theirs = by_the_second(data, limit)
    chosen = zlib.crc32(data) // 7 % 8
    if isinstance(theirs, str):
        return _refused(data, limit, theirs, chosen)
    for task, (_, _, rows) in theirs.items():
        _loaded(data, task or None, rows, limit, chosen)
    if chosen < 4:
        _again(data, theirs, limit)
    else:
        _commands(data, theirs, limit)
    return ACCEPTED


def _refused(data: bytes, limit: int, kind: str, chosen: int) -> str:
    """A file that breaks a rule is refused by what reads all of it, and never ends in anything else."""
    try:
        pemncodec.load_network(data, max_bytes=limit)
    except FormatError as reason:
        found = reason.kind
    else:
        found = "content"
    if found != kind:
        raise Wrong(f"load_network-{found}-second-{kind}", f"load_network: {found}; second: {kind}")
    layout = get_args(Layout)[chosen % 4]
    with contextlib.suppress(PemnError):
        pemncodec.load(data, layout=layout, max_bytes=limit, threads=1)
    if chosen == 7:
        with sandbox(in__pemn=data) as folder:
            for command in (["inspect", "--json"], ["inspect"], ["verify", "--max-bytes", str(limit)]):
                with contextlib.suppress(PemnError):
                    pemn(*command, folder / "in.pemn")
    return kind


def _loaded(data: bytes, task: str | None, rows: Rows, limit: int, chosen: int) -> None:
    expected = {name: (dtype, shape, content) for name, dtype, shape, content in rows}
    dense = pemncodec.load(data, task=task, max_bytes=limit, threads=1 + chosen % 2)
    _same("load", expected, dense)
    layout = get_args(Layout)[1 + chosen % 3]
    try:
        other = pemncodec.load(data, task=task, layout=layout, max_bytes=limit, threads=1)
    except PemnError:  # not every layout can say what a layer is
        other = {}
    for name, tensor in other.items():
        if tensor.layout != torch.strided and name in dense:
            _sparse(name, tensor, dense[name])
    with pemncodec.open(data, task=task, max_bytes=limit) as file:
        for name in file:
            if values.row(file.get_tensor(name, threads=1)) != expected[name]:
                raise Wrong("get_tensor-values", f"{name!a}")
            if file.is_masked(name):
                file.get_mask(name).to_bool()
            (file.dtype(name), file.shape(name), file.alias_of(name))


def _sparse(name: str, tensor: torch.Tensor, dense: torch.Tensor) -> None:
    """A sparse tensor holds the values of the dense one where it has any, and the rest of that is zero."""
    if tensor.layout == torch.sparse_csr:
        counts = tensor.crow_indices().diff()
        columns = tensor.col_indices()
        index = torch.repeat_interleave(torch.arange(len(counts)), counts) * tensor.shape[1] + columns
    else:
        index = torch.zeros(tensor._nnz(), dtype=torch.int64)
        for axis, place in enumerate(tensor._indices()):
            index = index * tensor.shape[axis] + place
    stored = tensor.values() if tensor.layout == torch.sparse_csr else tensor._values()
    whole = torch.zeros(dense.numel() * dense.dtype.itemsize, dtype=torch.uint8).reshape(-1, dense.dtype.itemsize)
    if stored.numel():
        whole[index] = torch.frombuffer(bytearray(values.bits(stored)), dtype=torch.uint8).reshape(-1, whole.shape[1])
    if whole.numpy().tobytes() != values.bits(dense):
        raise Wrong("sparse-values", f"{name!a} as {tensor.layout}")


def _same(what: str, expected: dict[str, tuple[str, tuple[int, ...], bytes]], found: dict[str, torch.Tensor]) -> None:
    if list(expected) != list(found):
        raise Wrong(f"{what}-names", f"{list(expected)!a} and {list(found)!a}")
    for name, tensor in found.items():
        if values.row(tensor) != expected[name]:
            raise Wrong(f"{what}-values", f"{name!a}: {expected[name]!a:.200} and {values.row(tensor)!a:.200}")


def _again(data: bytes, content: Content, limit: int) -> None:
    """Check that the network of `load_network`, saved again, has the same content for both decoders."""
    saved = pemncodec.save(pemncodec.load_network(data, max_bytes=limit))
    found = [by_the_package(saved, 4 * limit), by_the_second(saved, 4 * limit)]
    for metadata, _, _ in content.values():
        metadata.pop("pemn.base", None)  # of a file that is no delta it means nothing, and a writer leaves it out
    for which, other in zip(("package", "second"), found, strict=True):
        if other != content:
            raise Wrong(f"saved-again-{which}", f"{content!a:.300} and {other!a:.300}")


def _commands(data: bytes, content: Content, limit: int) -> None:
    task = next(iter(content))
    of_task = ["--task", task] if task else []
    with sandbox(in__pemn=data) as folder:
        json.loads(pemn("inspect", "--json", folder / "in.pemn"))
        pemn("inspect", folder / "in.pemn")
        pemn("verify", "--max-bytes", str(limit), folder / "in.pemn")
        name = "out.safetensors" if zlib.crc32(data) % 2 else "out.pt"
        try:
            pemn("unpack", folder / "in.pemn", folder / name, *of_task, "--max-bytes", str(limit))
        except PemnError:
            if name == "out.pt":
                raise
            return  # safetensors lacks some types
        if name == "out.pt":
            expected = {one: (dtype, shape, found) for one, dtype, shape, found in content[task][2]}
            _same("unpack", expected, torch.load(folder / name, weights_only=True))


TARGET = Target("readers", ".pemn", make, containers.mutate, check, "every public function and command that reads")
