"""`.pemn` files as inputs: packed again, as tasks, as the other side of `verify` and `diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import pemncodec
from pemncodec import ConversionError

from .. import networks
from ..command import pemn
from .test_tasks import TASKS

KEEP = 0.5
VALID = Path(__file__).parents[2] / "spec" / "vectors" / "valid"
WHOLE = sorted(
    path.stem for path in VALID.glob("*.pemn") if not path.stem.startswith(("delta_", "bools_flips", "bools_xor"))
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, state in TASKS.items():
        torch.save(state, tmp_path / f"{name}.pt")
        pemncodec.save_file(state, tmp_path / f"{name}.pemn", keep=KEEP, metadata={"by": "me"})
    return tmp_path


@pytest.mark.parametrize("name", WHOLE)
def test_every_valid_vector_packed_again(name: str, tmp_path: Path) -> None:
    """The second decoder reads the same out of both; a second packing changes no byte."""
    pemncodec.pack_file(VALID / f"{name}.pemn", tmp_path / "a.pemn")
    old, new = ((path).read_bytes() for path in (VALID / f"{name}.pemn", tmp_path / "a.pemn"))
    assert networks.second_content(old) == networks.second_content(new)
    pemncodec.pack_file(tmp_path / "a.pemn", tmp_path / "b.pemn")
    assert (tmp_path / "b.pemn").read_bytes() == new


def test_what_this_version_wrote_keeps_its_bytes(files: Path) -> None:
    done = pemn("pack", "cars.pemn", "again.pemn", cwd=files)
    assert done.status == 0, done.stderr
    assert (files / "again.pemn").read_bytes() == (files / "cars.pemn").read_bytes()
    with (files / "cars.pemn").open("rb") as stream:
        data = stream.read()
    assert pemncodec.save(pemncodec.load_network(data)) == data


def test_by_its_content_and_not_by_its_name(files: Path) -> None:
    (files / "cars.pemn").rename(files / "cars_of_old.pt")
    assert pemn("pack", "cars_of_old.pt", "-o", "new.pemn", cwd=files).status == 0
    assert pemn("verify", "new.pemn", "--against", "cars_of_old.pt", cwd=files).status == 0


def test_converted(files: Path) -> None:
    """As the checkpoint would be, and refused if it was converted before."""
    pemncodec.pack_file(files / "cars.pemn", files / "a.pemn", tensor_dtype="bfloat16")
    pemncodec.pack_file(files / "cars.pt", files / "b.pemn", keep=KEEP, tensor_dtype="bfloat16", metadata={"by": "me"})
    one, two = (pemncodec.load_file(files / f"{name}.pemn") for name in "ab")
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert tensor.dtype == two[name].dtype
        assert torch.equal(tensor.reshape(-1).view(torch.uint8), two[name].reshape(-1).view(torch.uint8))
    with pytest.raises(ConversionError, match="was converted for inference already"):
        pemncodec.pack_file(files / "a.pemn", files / "c.pemn", tensor_dtype="float16")
    assert not (files / "c.pemn").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--keep", "0.5"), "has its masks and values: omit --keep"),
        (("--rule", "top-k"), "omit --rule"),
        (("--torch-seed", "1"), "omit --torch-seed"),
        (("--torch-seed", "0"), "omit --torch-seed"),
    ],
)
def test_options_without_a_meaning_are_refused(files: Path, options: tuple[str, ...], message: str) -> None:
    done = pemn("pack", "cars.pemn", "new.pemn", *options, cwd=files)
    assert done.status == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (files / "new.pemn").exists()


def test_tasks_of_files_and_checkpoints(files: Path) -> None:
    done = pemn(
        "pack", "--task", "cars=cars.pemn", "--task", "birds=birds.pt", "--keep", "0.5", "-o", "t.pemn", cwd=files
    )
    assert done.status == 0, done.stderr
    for name in ("cars", "birds"):
        alone = pemncodec.load_file(files / f"{name}.pemn")
        found = pemncodec.load_file(files / "t.pemn", task=name)
        assert list(found) == list(alone)
        assert all(torch.equal(found[key], alone[key]) for key in alone)
    assert (files / "t.pemn").stat().st_size < sum((files / f"{n}.pemn").stat().st_size for n in ("cars", "birds"))
    again = pemn("pack", "--task", "cars=cars.pemn", "--add-to", "t.pemn", "-o", "u.pemn", cwd=files)
    assert (again.status, "already has a task 'cars'" in again.stderr) == (1, True)


def test_a_damaged_file_is_one_line(files: Path) -> None:
    data = (files / "cars.pemn").read_bytes()
    (files / "cut.pemn").write_bytes(data[:-5])
    done = pemn("pack", "cut.pemn", "new.pemn", cwd=files)
    assert (done.status, done.stderr.count("\n")) == (1, 1)
    assert "the file ends after" in done.stderr
    assert not (files / "new.pemn").exists()


def test_against_a_base(files: Path) -> None:
    pemncodec.save_file(TASKS["birds"], files / "d.pemn", keep=KEEP, base=files / "cars.pemn")
    with pytest.raises(pemncodec.BaseFileError):
        pemncodec.pack_file(files / "d.pemn", files / "e.pemn")
    pemncodec.pack_file(files / "d.pemn", files / "e.pemn", base=files / "cars.pemn")
    one = pemncodec.load_file(files / "e.pemn", base=files / "cars.pemn")
    two = pemncodec.load_file(files / "birds.pemn")
    assert all(torch.equal(one[name], two[name]) for name in two)


def test_diff_with_a_checkpoint(files: Path) -> None:
    assert pemn("diff", "cars.pemn", "cars.pt", "--tensors-only", cwd=files).status == 0
    done = pemn("diff", "cars.pt", "birds.pemn", "--json", cwd=files)
    assert done.status == 1
    found = json.loads(done.stdout)
    want = json.loads(pemn("diff", "cars.pemn", "birds.pemn", "--json", cwd=files).stdout)
    assert found["tensors"] == want["tensors"]
    state = {name: tensor.clone() for name, tensor in TASKS["cars"].items()}
    changed = next(name for name, tensor in state.items() if name.endswith("bias") and tensor.numel())
    state[changed][0] += 1
    different = pemncodec.diff(files / "cars.pemn", state)
    assert [one.name for one in different.tensors if not one.same] == [changed]
