"""`pemn diff` and `pemn merge`: exit statuses, names, and files that do not go together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec import errors

from .. import networks, published
from ..command import pemn
from ..packing.test_tasks import TASKS, checkpoint

KEEP = 0.5


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, state in TASKS.items():
        pemncodec.save_file(state, tmp_path / f"{name}.pemn", keep=KEEP, metadata={"by": "me"})
    return tmp_path


def test_exit_statuses(files: Path) -> None:
    same = pemn("diff", "cars.pemn", "cars.pemn", cwd=files)
    assert (same.status, same.stdout) == (0, "11 tensors the same, 0 different\n")
    different = pemn("diff", "cars.pemn", "birds.pemn", cwd=files)
    assert different.status == 1
    assert "2 tensors the same, 9 different" in different.stdout
    missing = pemn("diff", "cars.pemn", "none.pemn", cwd=files)
    assert (missing.status, missing.stdout) == (2, "")
    assert missing.stderr == "pemn: none.pemn cannot be read: No such file or directory\n"
    assert pemn("inspect", "none.pemn", cwd=files).status == 1


def test_json_against_masks_that_torch_counts(files: Path) -> None:
    found = json.loads(pemn("diff", "cars.pemn", "birds.pemn", "--json", cwd=files).stdout)
    dense = [published.effective(TASKS[name], KEEP) for name in ("cars", "birds")]
    masks = [published.top_k_mask(TASKS[name]["0.scores"], KEEP) == 1 for name in ("cars", "birds")]
    row = next(one for one in found["tensors"] if one["name"] == "0.weight")
    one, two = (state["0.weight"] for state in dense)
    assert row["flips"] == int((masks[0] ^ masks[1]).sum())
    assert row["overlap"] == pytest.approx(int((masks[0] & masks[1]).sum()) / int((masks[0] | masks[1]).sum()))
    assert row["differing"] == int((one.view(torch.int32) != two.view(torch.int32)).sum())
    assert row["largest"] == float((one.double() - two.double()).abs().max())
    assert (found["same"], found["metadata"], found["prototypes"]) == (False, {}, [])


@pytest.mark.parametrize("name", ["every_dtype", "layers", "tasks"])
def test_one_changed_bit_is_found(name: str) -> None:
    data = pemncodec.save(networks.BUILDERS[name]())
    assert pemncodec.diff(data, data).same
    network = pemncodec.load_network(data)
    for number, entry in enumerate(network.entries):
        if isinstance(entry, pemncodec.Tensor) and len(entry.values) and entry.dtype.kind != "bool":
            values = entry.values.copy()
            values[-1] ^= np.array(1, dtype=values.dtype)
            changed = pemncodec.Tensor(entry.name, entry.dtype, entry.shape, values, entry.task)
            before, network.entries[number] = entry, changed
            found = pemncodec.diff(data, pemncodec.save(network))
            network.entries[number] = before
            assert {one.name: one.differing for one in found.tensors if one.differing}[entry.name] == 1


@pytest.mark.parametrize("strategy", published.STRATEGIES)
@pytest.mark.parametrize("keep", [0.2, 0.5])
def test_merging_is_packing_together(strategy: str, keep: float, tmp_path: Path) -> None:
    states = {name: checkpoint(number, strategy) for number, name in enumerate(TASKS)}
    single = {name: pemncodec.save(state, keep=keep) for name, state in states.items()}
    pemncodec.merge_files(single, tmp_path / "merged.pemn")
    for name, state in states.items():
        published.assert_equal(
            pemncodec.load_file(tmp_path / "merged.pemn", task=name), published.effective(state, keep)
        )
    if (strategy, keep) != ("signed-constant", 0.5):  # whose values, that no layer keeps, are smaller than a mask
        pemncodec.save_tasks(states, tmp_path / "together.pemn", keep=keep)
        assert (tmp_path / "merged.pemn").read_bytes() == (tmp_path / "together.pemn").read_bytes()


def test_names(files: Path) -> None:
    done = pemn("merge", "cars.pemn", "b=birds.pemn", "-o", "two.pemn", cwd=files)
    assert (done.status, done.stderr) == (0, "")
    assert "tasks: cars, b\n" in done.stdout
    done = pemn("merge", "x=two.pemn", "flowers.pemn", "-o", "all.pemn", cwd=files)
    assert "tasks: x/cars, x/b, flowers\n" in done.stdout
    assert pemn("diff", "all.pemn", "birds.pemn", "--task", "x/b", "--tensors-only", cwd=files).status == 0
    (files / "a=b.pemn").write_bytes((files / "cars.pemn").read_bytes())
    assert "tasks: a=b\n" in pemn("merge", "a=b.pemn", "-o", "one.pemn", cwd=files).stdout
    assert pemn("diff", "one.pemn", "cars.pemn", "--task", "a=b", "--tensors-only", cwd=files).status == 0


def test_files_that_do_not_go_together(files: Path) -> None:
    out = files / "out.pemn"
    cars = files / "cars.pemn"
    other = pemncodec.save({"z.weight": torch.rand(3, 3), "z.scores": torch.rand(3, 3)}, keep=KEEP)
    yours = pemncodec.save(TASKS["birds"], keep=KEEP, metadata={"by": "you"})
    dense = pemncodec.save({"0.weight": torch.rand(3, 3)})
    rounded = pemncodec.save(TASKS["birds"], keep=KEEP, tensor_dtype="float16")
    cases: list[tuple[object, type[Exception], str]] = [
        ([cars, cars], errors.NetworkError, "there already is a task 'cars'"),
        ([cars, other], errors.NetworkError, "given as bytes needs a name"),
        ({"a": cars, "b": other}, errors.NetworkError, "no tensor of one name and shape in common"),
        ({"a": cars, "b": yours}, errors.NetworkError, "metadata 'by' is not the same"),
        ({"a": cars, "b": dense}, errors.UnknownLayoutError, "tasks of one file have one family and rule"),
        ({"a": cars, "b": rounded}, errors.ConversionError, "task 'b' was converted for inference"),
        ([], errors.NetworkError, "there is no file to merge"),
    ]
    for given, kind, reason in cases:
        with pytest.raises(kind, match=reason):
            pemncodec.merge_files(given, out)  # type: ignore[arg-type]
    assert not out.exists()
    with pytest.raises(errors.OutputExistsError, match="is an input"):
        pemncodec.merge_files([cars], cars)
    pemncodec.merge_files({"a": cars, "b": yours}, out, metadata={"by": "us"})
    with pemncodec.open(out) as file:
        assert (file.tasks, file.metadata["by"]) == (["a", "b"], "us")
    base = cars.read_bytes()
    delta = pemncodec.save({**TASKS["cars"], "head.bias": torch.zeros(10)}, keep=KEEP, base=base)
    if pemncodec.PemnFile(delta).base is not None:
        with pytest.raises(errors.BaseFileError, match="is a delta"):
            pemncodec.merge_files({"a": delta}, out)
        pemncodec.merge_files({"a": delta}, out, base=base)
