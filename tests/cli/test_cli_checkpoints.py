"""The command on foreign checkpoints: fractions by pattern, rules, tasks, bases, and the layout that was packed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import pemncodec

from ..layouts import cases
from ..packing.test_tasks import TASKS, checkpoint
from ..published import assert_equal, effective
from .test_cli import fails, pemn

CASES = {case.name: case for case in cases()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, state in TASKS.items():
        torch.save({"state_dict": state, "epoch": 3}, tmp_path / f"{name}.pt")
    return tmp_path


def test_fractions_by_pattern(folder: Path) -> None:
    fails(
        pemn("pack", "cars.pt", "--keep", "0.5", "--keep", "[12].*=0.3", cwd=folder), "keep '[12].*' matches no layer"
    )
    out = pemn("pack", "cars.pt", "--keep", "0.5", "--keep", "0=0.3", "-v", cwd=folder)
    assert out.returncode == 0, out.stderr
    assert "mask rule: edge-popup, keep 0 0.3, * 0.5" in out.stdout
    assert "because: " in out.stdout
    with pemncodec.open(folder / "cars.pemn") as file:
        names = [name for name in file if file.is_masked(name)]
        for name in names:
            mask = file.get_mask(name)
            assert mask.length - mask.count == int((1 - (0.3 if name == "0.weight" else 0.5)) * mask.length)
        assert json.loads(file.metadata["pemn.keep"]) == {"0": 0.3, "*": 0.5}
    verified = pemn("verify", "cars.pemn", "--against", "cars.pt", cwd=folder)
    assert "is the same, bit for bit" in verified.stdout, verified.stderr
    (folder / "keep.json").write_text('{"0": 0.3, "*": 0.5}')
    assert pemn("pack", "cars.pt", "b.pemn", "--keep-from", "keep.json", cwd=folder).returncode == 0
    assert (folder / "b.pemn").read_bytes() == (folder / "cars.pemn").read_bytes()


def test_bad_fractions(folder: Path) -> None:
    (folder / "list.json").write_text("[0.5]")
    (folder / "text.json").write_text("keep half")
    (folder / "word.json").write_text('{"*": "half"}')
    before = sorted(folder.iterdir())
    fails(
        pemn("pack", "cars.pt", "--keep", "0=1.5", cwd=folder), "keep of '0' is 1.5, and must be above 0 and at most 1"
    )
    fails(pemn("pack", "cars.pt", "--keep", "0=0.5", cwd=folder), "no pattern of keep matches '3.0.fn.0.weight'")
    fails(pemn("pack", "cars.pt", "--keep-from", "none.json", cwd=folder), "none.json cannot be read: No such file")
    fails(pemn("pack", "cars.pt", "--keep-from", "list.json", cwd=folder), "holds no fractions by pattern")
    fails(pemn("pack", "cars.pt", "--keep-from", "text.json", cwd=folder), "text.json is not JSON")
    fails(pemn("pack", "cars.pt", "--keep-from", "word.json", cwd=folder), "word.json: keep is 'half', and must be")
    for bad in (["--keep", "half"], ["--keep", "0.5", "--keep", "0.4"], ["--threshold", "2"], ["--rule", "nothing"]):
        assert pemn("pack", "cars.pt", *bad, cwd=folder).returncode != 0
    assert sorted(folder.iterdir()) == before


def test_tasks(folder: Path) -> None:
    files = [f"--task={name}={name}.pt" for name in TASKS]
    out = pemn("pack", *files[:2], "-o", "all.pemn", "--keep", "0.5", cwd=folder)
    assert out.returncode == 0, out.stderr
    assert "tasks: cars, birds" in out.stdout
    out = pemn("pack", files[2], "--add-to", "all.pemn", "-o", "all.pemn", "--keep", "0.5", "--force", cwd=folder)
    assert out.returncode == 0, out.stderr
    for name, state in TASKS.items():
        assert_equal(pemncodec.load_file(folder / "all.pemn", task=name), effective(state, 0.5))
        assert pemn("unpack", "all.pemn", f"{name}.dense.pt", "--task", name, cwd=folder).returncode == 0
        assert_equal(torch.load(folder / f"{name}.dense.pt"), effective(state, 0.5))
        verified = pemn("verify", "all.pemn", "--task", name, "--against", f"{name}.pt", cwd=folder)
        assert "is the same, bit for bit" in verified.stdout, verified.stderr
        back = pemn("unpack", "all.pemn", f"{name}.back.pt", "--task", name, "--layout", "original", cwd=folder)
        assert back.returncode == 0, back.stderr
        assert_equal(effective(torch.load(folder / f"{name}.back.pt")["state_dict"], 0.5), effective(state, 0.5))
    shown = pemn("inspect", "all.pemn", cwd=folder).stdout
    assert all(name in shown for name in TASKS)
    fails(pemn("unpack", "all.pemn", "x.pt", cwd=folder), "the file holds 3 tasks: choose one of 'cars'")
    fails(pemn("unpack", "all.pemn", "x.pt", "--layout", "original", cwd=folder), "the file holds 3 tasks")
    fails(pemn("unpack", "all.pemn", "x.pt", "--task", "dogs", cwd=folder), "there is no task 'dogs' in the file")


def test_what_tasks_cannot_be(folder: Path) -> None:
    assert pemn("pack", "cars.pt", "one.pemn", "--keep", "0.5", cwd=folder).returncode == 0
    before = sorted(folder.iterdir())
    one = "--task=a=cars.pt"
    fails(
        pemn("pack", one, "--add-to", "one.pemn", "-o", "x.pemn", "--keep", "0.5", cwd=folder),
        "no tasks: pack it again",
    )
    fails(pemn("pack", one, "-o", "x.pemn", cwd=folder), "task 'a': 6 layers have scores, but the fraction")
    missing = ["--add-to", "none.pemn", "-o", "x.pemn", "--keep", "0.5"]
    fails(pemn("pack", one, *missing, cwd=folder), "none.pemn cannot be read: No such file")
    fails(pemn("pack", one, "-o", "cars.pt", "--keep", "0.5", "-f", cwd=folder), "cars.pt is the input itself")
    for arguments, phrase in (
        ([one], "name the output of several tasks"),
        ([one, one, "-o", "x.pemn"], "'a' is named twice"),
        (["--task=cars.pt", "-o", "x.pemn"], "is not NAME=FILE"),
        (["--add-to", "one.pemn", "cars.pt"], "name them with --task"),
        ([one, "cars.pt", "x.pemn"], "--task takes no other arguments"),
        ([one, "cars.pt", "-f"], "--task takes no other arguments"),
        ([], "name a checkpoint"),
        ([one, "--add-to", "one.pemn", "-o", "one.pemn"], "use --force"),
    ):
        out = pemn("pack", *arguments, "--keep", "0.5", cwd=folder)
        assert out.returncode == 2
        assert phrase in out.stderr
    assert sorted(folder.iterdir()) == before


def test_rounds_of_training_as_deltas(folder: Path) -> None:
    state = checkpoint(0)
    for name in state:
        if name.endswith("scores"):
            state[name] = state[name] + 0.02 * torch.rand(state[name].shape)
    torch.save({"state_dict": state}, folder / "next.pt")
    assert pemn("pack", "cars.pt", "--keep", "0.5", cwd=folder).returncode == 0
    out = pemn("pack", "next.pt", "--base", "cars.pemn", "--keep", "0.5", cwd=folder)
    assert out.returncode == 0, out.stderr
    assert "the file is a delta" in out.stdout
    assert (folder / "next.pemn").stat().st_size < (folder / "cars.pemn").stat().st_size
    before = sorted(folder.iterdir())
    fails(pemn("unpack", "next.pemn", "x.pt", cwd=folder), "pass the base with --base")
    shutil.copy(folder / "next.pemn", folder / "copy.pemn")
    fails(pemn("unpack", "next.pemn", "x.pt", "--base", "copy.pemn", cwd=folder), "copy.pemn is not the base")
    (folder / "copy.pemn").unlink()
    assert sorted(folder.iterdir()) == before
    assert pemn("unpack", "next.pemn", "x.pt", "--base", "cars.pemn", cwd=folder).returncode == 0
    assert_equal(torch.load(folder / "x.pt"), effective(state, 0.5))
    back = ["unpack", "next.pemn", "y.pt", "--base", "cars.pemn", "--layout", "original"]
    assert pemn(*back, cwd=folder).returncode == 0
    assert_equal(effective(torch.load(folder / "y.pt")["state_dict"], 0.5), effective(state, 0.5))
    verified = pemn("verify", "next.pemn", "--base", "cars.pemn", "--against", "next.pt", cwd=folder)
    assert "is the same, bit for bit" in verified.stdout, verified.stderr


def test_folders_and_their_way_back(tmp_path: Path) -> None:
    path = CASES["google .npy folders, level 3"].write(tmp_path)
    out = pemn("pack", str(path), "-o", "tickets.pemn", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert "lottery-ticket-hypothesis" in out.stdout
    assert pemn("unpack", "tickets.pemn", "--layout", "original", cwd=tmp_path).returncode == 0
    for file in (path / "masks").glob("*.npy"):
        assert np.array_equal(np.load(tmp_path / "tickets.original" / "masks" / file.name), np.load(file))
    fails(pemn("unpack", "tickets.pemn", "--layout", "original", cwd=tmp_path), "tickets.original already exists")
    fails(pemn("unpack", "tickets.pemn", "--layout", "original", "-f", cwd=tmp_path), "a folder that is not empty")
    verified = pemn("verify", "tickets.pemn", "--against", str(path), cwd=tmp_path)
    assert "is the same, bit for bit" in verified.stdout, verified.stderr


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("biprop, per layer, Kaiming normal, keep 0.5, nested under state_dict, module.", ("--keep", "0.5")),
        ("IteRand, weight_score, nested under model_state_dict, sparsity 0.6", ("--keep", "0.4")),
        ("FedPM, flat, logits of training, two-valued weights", ("--threshold", "0.5")),
    ],
)
def test_verify_takes_the_rule_from_the_file(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    path = CASES[name].write(tmp_path)
    family = ("--family", "biprop") if name.startswith("biprop") else ()
    assert pemn("pack", str(path), "x.pemn", *options, *family, cwd=tmp_path).returncode == 0
    verified = pemn("verify", "x.pemn", "--against", str(path), cwd=tmp_path)
    assert "is the same, bit for bit" in verified.stdout, verified.stderr


def test_prefixes(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in TASKS["cars"].items()}
    torch.save({"model": state}, tmp_path / "a.pt")
    assert pemn("pack", "a.pt", "--keep", "0.5", "--strip-prefix", cwd=tmp_path).returncode == 0
    assert_equal(pemncodec.load_file(tmp_path / "a.pemn"), effective(TASKS["cars"], 0.5))
    assert pemn("verify", "a.pemn", "--against", "a.pt", cwd=tmp_path).returncode == 0
    assert pemn("unpack", "a.pemn", "b.pt", "--layout", "original", cwd=tmp_path).returncode == 0
    assert set(torch.load(tmp_path / "b.pt")["model"]) == set(state)
    torch.save({**state, "head.weight": torch.rand(3, 3)}, tmp_path / "c.pt")
    fails(pemn("pack", "c.pt", "--keep", "0.5", cwd=tmp_path), "names begin with 'module.'")
    assert pemn("pack", "c.pt", "--keep", "0.5", "--mixed-prefixes", cwd=tmp_path).returncode == 0
    both = ["--mixed-prefixes", "--strip-prefix", "-f"]
    fails(pemn("pack", "c.pt", "--keep", "0.5", *both, cwd=tmp_path), "the prefix cannot be stripped")
