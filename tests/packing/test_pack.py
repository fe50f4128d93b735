"""The pipeline: the command and the functions do the same, and none writes a file that is not what went in."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec import MaskedNetwork, MismatchError
from pemncodec.checkpoints.options import PackOptions
from pemncodec.coding.blocks import coders
from pemncodec.common.dtypes import FLOAT32
from pemncodec.packing.options import InferenceOptions, Seeding

from ..command import pemn

FUNCTIONS = (pemncodec.pack_file, pemncodec.pack, pemncodec.save, pemncodec.save_file, pemncodec.save_tasks)


def network() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(40, 30, generator=draw),
        "a.scores": torch.randn(40, 30, generator=draw),
        "a.bias": torch.randn(300, generator=draw),
    }


def test_a_file_is_packed_as_by_the_command(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "a.pt")
    result = pemn("pack", "a.pt", "--keep", "0.5", "-o", "command.pemn", cwd=tmp_path)
    report = pemncodec.pack_file(tmp_path / "a.pt", tmp_path / "function.pemn", keep=0.5)
    pemncodec.save_file(network(), tmp_path / "memory.pemn", keep=0.5)
    written = {(tmp_path / f"{name}.pemn").read_bytes() for name in ("command", "function", "memory")}
    assert len(written) == 1
    assert {pemncodec.save(network(), keep=0.5), pemncodec.pack(network(), keep=0.5)[0]} == written
    assert report.comparison is not None
    assert f"verified: every tensor ({report.comparison.tensors}) decodes {report.comparison}" in result.stdout
    assert [f"compared: {one}" for one in report.rechecked] == [
        line for line in result.stdout.splitlines() if line.startswith("compared:")
    ]
    assert report.rechecked[0].equal == report.comparison.tensors == 2


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that loses a bit of every block."""
    encode_block = coders.encode_block

    def lossy(words: Any, *arguments: Any) -> Any:
        changed = words.copy()
        changed[0] ^= 1
        return encode_block(changed, *arguments)

    monkeypatch.setattr("pemncodec.coding.blocks.grouping.encode_block", lossy)


def masked_network() -> MaskedNetwork:
    values = np.arange(400, dtype=np.uint32)
    return MaskedNetwork([pemncodec.Tensor("a", FLOAT32, (400,), values)])


@pytest.mark.usefixtures("faulty")
def test_a_file_that_is_something_else_is_not_written(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "a.pt")
    (tmp_path / "out.pemn").write_bytes(b"before")
    with pytest.raises(MismatchError, match=r"'a\.\w+' differs from 'a\.\w+' read by torch\.load"):
        pemncodec.pack_file(tmp_path / "a.pt", tmp_path / "out.pemn", keep=0.5)
    with pytest.raises(MismatchError, match=r"1 elements of 'a\.\w+' differ from the checkpoint"):
        pemncodec.save_file(network(), tmp_path / "out.pemn", keep=0.5)
    with pytest.raises(MismatchError, match=r"1 elements of 'a\.\w+' differ from the checkpoint"):
        pemncodec.save_tasks({"one": network(), "two": network()}, tmp_path / "out.pemn", keep=0.5)
    with pytest.raises(MismatchError, match=r"1 elements of 'a\.\w+' differ from the checkpoint"):
        pemncodec.save(network(), keep=0.5)
    with pytest.raises(MismatchError, match="1 elements of 'a' differ from the network"):
        pemncodec.pack(masked_network())
    result = pemn("pack", "a.pt", "--keep", "0.5", "-o", "out.pemn", "--force", cwd=tmp_path)
    assert (result.status, result.stdout) == (1, "")
    assert (tmp_path / "out.pemn").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt", "out.pemn"]


@pytest.mark.usefixtures("faulty")
def test_nothing_is_compared_without_verification() -> None:
    _, report = pemncodec.pack(network(), keep=0.5, verify=False)
    assert report.comparison is None
    assert pemncodec.save(masked_network(), verify=False)


def test_every_function_has_every_option_by_name() -> None:
    """An option is a field of the classes behind, and a keyword of the same default everywhere."""
    lossy = {name: None if name != "fold_batchnorm" else False for name in InferenceOptions.__dataclass_fields__}
    options = {name: one.default for name, one in PackOptions.__dataclass_fields__.items()} | lossy
    seeds = {"torch_seed": Seeding().seed, "find_seed": Seeding().tried}
    for function in FUNCTIONS:
        signature = inspect.signature(function)
        assert not any(one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL) for one in signature.parameters.values())
        found = {name: one.default for name, one in signature.parameters.items() if one.kind == one.KEYWORD_ONLY}
        missing = (options | seeds | {"metadata": None, "base": None, "verify": True}).items() - found.items()
        assert {name for name, _ in missing} == (set(lossy) if function is pemncodec.save_tasks else set()), function


def test_a_path_is_a_source_of_pack_file_alone(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "a.pt")
    for function in (pemncodec.pack, pemncodec.save):
        with pytest.raises(pemncodec.UnknownLayoutError, match="this is a path"):
            function(tmp_path / "a.pt", keep=0.5)  # type: ignore[arg-type]
