"""Files that `pemn` replaces, and files that it never does: outputs that a wildcard named, inputs, shards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import pemncodec


def pemn(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pemncodec", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def refused(folder: Path, phrase: str, *arguments: str) -> None:
    """One line that has the phrase, and every file is as it was."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = pemn(folder, *arguments)
    assert (result.returncode, result.stdout) == (1, ""), result.stdout
    assert phrase in result.stderr, result.stderr
    assert result.stderr.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        save_file({"w": torch.rand(20, 30)}, tmp_path / f"{name}.safetensors")
        pemncodec.save_file({"w": torch.rand(20, 30)}, tmp_path / f"{name}.pemn")
    return tmp_path


def test_a_second_checkpoint_is_not_the_output_of_pack(folder: Path) -> None:
    """`pemn pack *.safetensors --force`, where two files match."""
    what = "already exists and is not a .pemn file: use -o to replace it"
    refused(folder, f"b.safetensors {what}", "pack", "a.safetensors", "b.safetensors", "--force")
    refused(folder, f"b.safetensors {what}", "pack", "a.safetensors", "b.safetensors")
    (folder / "link.pemn").symlink_to("b.safetensors")
    refused(folder, f"link.pemn {what}", "pack", "a.safetensors", "link.pemn", "--force")
    for number, output in enumerate((["b.pemn"], ["new"], ["-o", "b.safetensors"])):
        result = pemn(folder, "pack", "a.safetensors", *output, "--force", "-q")
        assert (result.returncode, result.stderr) == (0, ""), number
        assert pemncodec.load_file(folder / output[-1]).keys() == {"w"}


def test_a_second_file_is_not_the_output_of_unpack(folder: Path) -> None:
    """`pemn unpack *.pemn --force`, where two files match; also where one has another name."""
    what = "already exists and is not a file that unpack writes: use -o to replace it"
    (folder / "renamed.pt").write_bytes((folder / "b.pemn").read_bytes())
    (folder / "notes.txt").write_text("precious")
    (folder / "README").write_text("precious")
    for layout in ("dense", "masked", "original"):
        for name in ("b.pemn", "renamed.pt", "notes.txt", "README"):
            refused(folder, f"{name} {what}", "unpack", "a.pemn", name, "--force", "--layout", layout)
    for output in (["b.safetensors"], ["new"], ["-o", "notes.txt"], ["-o", "b.pemn"]):
        result = pemn(folder, "unpack", "a.pemn", *output, "--force", "-q")
        assert (result.returncode, result.stderr) == (0, "")
        assert pemncodec.load_checkpoint(folder / output[-1]).keys() == {"w"}


def test_three_files_are_a_usage_error(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments in (("pack", "a.safetensors", "b.safetensors", "c.pemn"), ("unpack", "a.pemn", "b.pemn", "c.pt")):
        result = pemn(folder, *arguments, "--force")
        assert result.returncode == 2
        assert "unexpected extra argument" in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_no_input_is_the_output_by_whatever_link(folder: Path) -> None:
    (folder / "soft.pemn").symlink_to("a.safetensors")
    os.link(folder / "a.safetensors", folder / "hard.pemn")
    os.link(folder / "a.pemn", folder / "hard.pt")
    (folder / "soft.pt").symlink_to("a.pemn")
    itself = "is the input itself: name another output"
    for name in ("soft.pemn", "hard.pemn", "./a.safetensors"):
        refused(folder, itself, "pack", "a.safetensors", "-o", name, "--force")
        refused(folder, itself, "pack", "--task", "x=b.safetensors", "--task", "y=a.safetensors", "-o", name, "--force")
    for name in ("soft.pt", "hard.pt", "./a.pemn"):
        refused(folder, itself, "unpack", "a.pemn", "-o", name, "--force")
        refused(folder, itself, "unpack", "a.pemn", "-o", name, "--force", "--layout", "original")
    (folder / "keep.pemn").write_text('{"*": 0.5}')
    keep = ("--keep-from", "keep.pemn", "-o", "keep.pemn")
    refused(folder, "keep.pemn is also an input", "pack", "a.safetensors", *keep, "--force")
    for option in ("--masks", "--backbone"):
        refused(
            folder,
            "hard.pemn is also an input (a.safetensors): name another output",
            *("pack", "b.safetensors", option, "a.safetensors", "-o", "hard.pemn", "--force"),
        )
    refused(folder, "is the base itself", "pack", "b.safetensors", "--base", "a.pemn", "-o", "hard.pt", "--force")
    refused(folder, "is the base itself", "unpack", "b.pemn", "--base", "a.pemn", "-o", "hard.pt", "--force")


def test_the_file_that_tasks_are_added_to_is_replaced_with_force_only(folder: Path) -> None:
    assert pemn(folder, "pack", "--task", "x=a.safetensors", "-o", "tasks.pemn").returncode == 0
    os.link(folder / "tasks.pemn", folder / "hard.pemn")
    before = (folder / "tasks.pemn").read_bytes()
    more = ("pack", "--task", "y=b.safetensors", "--add-to", "tasks.pemn")
    result = pemn(folder, *more, "-o", "hard.pemn")
    assert result.returncode == 2
    assert "would be replaced: use --force" in result.stderr
    assert (folder / "tasks.pemn").read_bytes() == before
    assert pemn(folder, *more, "-o", "tasks.pemn", "--force").returncode == 0
    with pemncodec.open(folder / "tasks.pemn") as file:
        assert file.tasks == ["x", "y"]


@pytest.mark.parametrize(
    "name", ["model-00002-of-00003.safetensors", "pytorch_model-00001-of-00002.bin", "m-001-of-010.pt"]
)
def test_a_shard_alone_is_called_one(tmp_path: Path, name: str) -> None:
    state = {"w": torch.rand(20, 30)}
    save_file(state, tmp_path / name) if name.endswith("s") else torch.save(state, tmp_path / name)
    number, count = (int(part) for part in name.rpartition(".")[0].split("-")[1::2])
    part = f"{name} is shard {number} of {count}, a part of a network without "
    refused(tmp_path, part, "pack", name)
    refused(tmp_path, part, "pack", "--task", f"a={name}", "-o", "x.pemn")
    result = pemn(tmp_path, "pack", name, "--family", "dense")
    assert result.returncode == 0
    assert f"note: {name} is shard {number} of {count}: the file holds a part of the network\n" in result.stdout


@pytest.mark.parametrize(
    "name", ["model-00001-of-00001.safetensors", "run-of-luck.safetensors", "a-5-of-7.safetensors"]
)
def test_names_that_only_look_like_shards(tmp_path: Path, name: str) -> None:
    save_file({"w": torch.rand(2, 3)}, tmp_path / name)
    assert pemn(tmp_path, "pack", name, "-q").returncode == 0
