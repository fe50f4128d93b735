"""Folders in and out: shards, small files beside them, and the metadata of safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pemncodec

from ..command import pemn

SHARD = "model-0000{}-of-00002.safetensors"


def folder(path: Path) -> dict[str, torch.Tensor]:
    path.mkdir()
    torch.manual_seed(0)
    state = {f"l{n}.weight": torch.randn(20, 25).abs() * (torch.rand(20, 25) > 0.5) for n in range(4)}
    names = {name: SHARD.format(1 + number // 2) for number, name in enumerate(state)}
    for file in set(names.values()):
        save_file({n: t for n, t in state.items() if names[n] == file}, path / file, {"format": "pt", "by": "é"})
    (path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    (path / "config.json").write_bytes(b'{"a": 1}\r\n')
    (path / "README.md").write_bytes(b"\xff\x00")
    return state


def refused(where: Path, says: str, *arguments: str) -> None:
    before = sorted(where.rglob("*"))
    result = pemn(*arguments, cwd=where)
    assert (result.status, result.stderr.count("\n")) == (1, 1), result.stderr
    assert says in result.stderr
    assert sorted(where.rglob("*")) == before


@pytest.mark.parametrize("out", ["out", "out.bin"])
def test_shards_and_files_come_back(out: str, tmp_path: Path) -> None:
    state = folder(tmp_path / "hf")
    result = pemn("pack", "hf", "--include", "config.json", "--include", "R*", cwd=tmp_path)
    assert "compared: 4 tensors equal" in result.stdout, result.stderr
    assert "not compared" not in result.stdout
    assert pemn("unpack", "hf.pemn", out, "--shard-size", "4.1KB", cwd=tmp_path).status == 0
    made = tmp_path / out
    assert (made / "config.json").read_bytes() == b'{"a": 1}\r\n'
    assert (made / "README.md").read_bytes() == b"\xff\x00"
    stem, suffix = ("model", ".safetensors") if out == "out" else ("pytorch_model", ".bin")
    index = json.loads((made / f"{stem}{suffix}.index.json").read_text())
    assert index["metadata"]["total_size"] == 8000
    assert list(index["weight_map"]) == list(state)
    assert sorted(set(index["weight_map"].values())) == [f"{stem}-0000{n}-of-00002{suffix}" for n in (1, 2)]
    found: dict[str, torch.Tensor] = {}
    for file in set(index["weight_map"].values()):
        found |= load_file(made / file) if out == "out" else torch.load(made / file, weights_only=True)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name].view(torch.int32), state[name].view(torch.int32)) for name in state)
    if out == "out":
        with safe_open(made / SHARD.format(1), "pt") as opened:
            assert opened.metadata() == {"format": "pt", "by": "é"}
    refused(tmp_path, "already exists", "unpack", "hf.pemn", out, "--shard-size", "1GB")
    assert "--shard-size writes them" in pemn("unpack", "hf.pemn", "one.safetensors", cwd=tmp_path).stdout
    with safe_open(tmp_path / "one.safetensors", "pt") as opened:
        assert opened.metadata() == {"format": "pt", "by": "é"}


def test_tied_tensors_stay_in_one_shard(tmp_path: Path) -> None:
    tied = torch.rand(10, 10)
    torch.save({"a": tied, "b": torch.rand(10, 10), "c": tied}, tmp_path / "m.pt")
    assert pemn("pack", "m.pt", cwd=tmp_path).status == 0
    assert pemn("unpack", "m.pemn", "o.bin", "--shard-size", "1", cwd=tmp_path).status == 0
    first = torch.load(tmp_path / "o.bin" / "pytorch_model-00001-of-00002.bin")
    assert first["a"].data_ptr() == first["c"].data_ptr()
    assert pemn("verify", "m.pemn", "--against", "o.bin", cwd=tmp_path).status == 0


def test_folders_that_contradict_themselves(tmp_path: Path) -> None:
    state = folder(tmp_path / "hf")
    save_file(dict(list(state.items())[1:]), tmp_path / "hf" / SHARD.format(2))
    refused(tmp_path, "has 'l1.weight' in two shards", "pack", "hf")
    (tmp_path / "hf" / SHARD.format(2)).unlink()
    refused(tmp_path, "lacks the shard", "pack", "hf")
    (tmp_path / "hf" / "model.safetensors.index.json").unlink()
    refused(tmp_path, "has 1 of 2 shards", "pack", "hf")
    refused(tmp_path, "without shard 2: pack its folder", "pack", "hf/" + SHARD.format(1))


def test_files_that_cannot_be_included(tmp_path: Path) -> None:
    folder(tmp_path / "hf")
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "hf" / "link.json").symlink_to("../secret.json")
    refused(tmp_path, "points outside the folder", "pack", "hf", "--include", "link.json")
    for pattern in ("../secret.json", "/etc/passwd", "model*"):
        refused(tmp_path, "has no file directly in it that matches", "pack", "hf", "--include", pattern)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ('{"../x":"aGk="}', "cannot be a file name"),
        ('{"model.safetensors":"aGk="}', "was already written"),
        ('{"x":"?"}', "not base64"),
        ('{"x":1}', "must be an object of strings"),
        ('{"x":"","X":""}', "differ in case only"),
    ],
)
def test_names_from_a_file(files: str, says: str, tmp_path: Path) -> None:
    network = pemncodec.MaskedNetwork(metadata={"pemn.files": files})
    (tmp_path / "a.pemn").write_bytes(pemncodec.save(network))
    refused(tmp_path, says, "unpack", "a.pemn", "out", "--shard-size", "1MB")
