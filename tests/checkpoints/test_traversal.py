"""No name of a file or checkpoint reaches the file system unless it is plain: nothing outside the output changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.checkpoints.folders import OutputFolder, refuse_second
from pemncodec.checkpoints.recognise import FAMILIES
from pemncodec.checkpoints.writing.saving import save_original
from pemncodec.common.dtypes import FLOAT32
from pemncodec.common.plain_names import below, plain_path
from pemncodec.errors import CheckpointError, MetadataError, OutputError, OutputExistsError
from pemncodec.network.model import KeptFill, Layer, MaskedNetwork, Tensor

from ..cli.test_cli import pemn
from ..networks import random_mask

OUTSIDE = [
    *("..", "../x", "../../x", "a/../../x", "/tmp/absolute", "//x", "/", ".", "./x", "a/./b", "a//b", "a/"),
    *(
        "..\\x",
        "C:x",
        "C:\\x",
        "\\\\server\\x",
        "a\\b",
        "a:b",
        "con",
        "CON.npy",
        "lpt1",
        "COM¹.x",
        "nul ",
        "aux.tar.gz",
    ),
    *("end.", "end ", "...", "a\tb", "a\nb", "\x7f", "a*", "a?", "<a>", 'a"b', "a|b", "é" * 128, "x" * 256, "\udc80"),
]
PLAIN = [
    "a",
    "layer0",
    ".hidden",
    "a.b.c",
    "-rf",
    "~",
    "$HOME",
    "é",
    "модель",
    "x" * 255,
    "console",
    "com",
    " a",
    "a b",
]


# --- the one function -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*OUTSIDE, ""])
def test_names_that_are_not_plain(name: str) -> None:
    with pytest.raises(MetadataError, match=r"cannot be a file name: .*; use another layout") as caught:
        plain_path(name)
    assert str(caught.value).isprintable()
    with pytest.raises(MetadataError, match="cannot be a file name"):
        OutputFolder({f"final/{name}/x.npy": np.zeros(1)})


@pytest.mark.parametrize("name", PLAIN)
def test_names_that_are_plain(name: str, tmp_path: Path) -> None:
    assert plain_path(name) == (name,)
    assert plain_path(f"a/{name}") == ("a", name)
    assert below(tmp_path, f"a/{name}") == tmp_path / "a" / name


def test_a_path_that_is_too_long() -> None:
    with pytest.raises(MetadataError, match="too long"):
        plain_path("/".join(["x" * 200] * 30))


@pytest.mark.parametrize("target", ["..", "/", "/tmp", "../elsewhere"])
def test_a_link_in_the_folder_that_is_written(target: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "masks").symlink_to(target)
    with pytest.raises(MetadataError, match="points outside the output folder"):
        below(folder, "masks/a.npy")
    (folder / "inner").mkdir()
    (folder / "linked").symlink_to("inner")
    assert below(folder, "linked/a.npy") == folder / "linked" / "a.npy"


def test_folders_that_contradict_themselves() -> None:
    one = np.zeros(1)
    with pytest.raises(MetadataError, match="'a' would be both a file and a folder"):
        OutputFolder({"a": {}, "a/b.npy": one})
    with pytest.raises(MetadataError, match="'a' would be both a file and a folder"):
        OutputFolder({"a/": None, "a": one})
    with pytest.raises(MetadataError, match="must end with a slash"):
        OutputFolder({"a": None})
    with pytest.raises(MetadataError, match=r"two files would be named 'a.npy'"):
        OutputFolder.of([("a.npy", one), ("a.npy", one)])
    assert OutputFolder({"masks/": None, "masks/a.npy": one, "final/a.npy": one}).files


def test_two_names_of_one_file(tmp_path: Path) -> None:
    """Return whether `A` and `a` are two files is what the file system says, at the time of writing."""
    folder = OutputFolder({"A.npy": np.zeros(1), "a.npy": np.ones(1)})
    two = not (tmp_path.parent / tmp_path.name.upper()).exists()
    if two:
        assert save_original(folder, tmp_path / "out", overwrite=False) == 2
        assert np.load(tmp_path / "out" / "a.npy") == np.load(tmp_path / "out" / "A.npy") + 1
    else:
        with pytest.raises(OutputError, match="names a file that was already written"):
            save_original(folder, tmp_path / "out", overwrite=False)
        assert not (tmp_path / "out").exists()
    (tmp_path / "there").write_text("")
    with pytest.raises(OutputError, match="names a file that was already written"):
        refuse_second(tmp_path / "there", "There")


# --- files that say where to write ------------------------------------------------------------------------------


def network(names: list[str], layout: str, original: str) -> bytes:
    """A masked layer and a tensor for every name."""
    made = MaskedNetwork(masks=[random_mask(12, 0.5, 0)])
    for number, name in enumerate(names):
        kept = KeptFill(FLOAT32, np.full(made.masks[0].count, 0x3F800000, dtype=np.uint32))
        made.entries.append(Layer(name, (3, 4), 0, kept))
        made.entries.append(Tensor(f"plain{number}", FLOAT32, (2,), np.zeros(2, dtype=np.uint32)))
    made.metadata = {"pemn.layout": layout, "pemn.mask_rule": "explicit", "pemn.original": original}
    return pemncodec.save(made)


@pytest.fixture
def jail(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing but `out` may change."""
    jail = tmp_path / "a" / "jail"
    jail.mkdir(parents=True)
    for folder in (jail, jail.parent):
        (folder / "x").write_text("victim")
        (folder / "x.npy").write_text("victim")
        (folder / "model_ep.pth").write_text("victim")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    yield jail
    after = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    assert {path: content for path, content in after.items() if jail / "out" not in (path, *path.parents)} == before


FOLDERS = [family.name for family in FAMILIES if family.folders]


def test_every_family_with_folders_is_here() -> None:
    assert FOLDERS == ["lottery-ticket-hypothesis", "open_lth"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_folder_of_lottery_tickets(name: str, jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(jail)
    refused(network(["l.weight"], "lottery-ticket-hypothesis", json.dumps({"folder": name})), jail)


@pytest.mark.parametrize("name", OUTSIDE)
def test_model_of_open_lth(name: str, jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(jail)
    refused(network(["l.weight"], "open_lth", json.dumps({"model": name})), jail)


# A name with `.npy` behind it is no longer one that ends with a dot or a space; a name of a tensor is UTF-8.
WITH_SUFFIX = [name for name in [*OUTSIDE, "a/b"] if not name.endswith((".", "end ")) and name != "\udc80"]


@pytest.mark.parametrize("name", WITH_SUFFIX)
def test_names_of_tensors(name: str, jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(jail)
    refused(network([name], "lottery-ticket-hypothesis", "{}"), jail)


@pytest.mark.parametrize(
    ("layout", "original"),
    [
        ("open_lth", '{"model": "mask.pth"}'),
        ("open_lth", '{"model": "mask.pth/x"}'),
        ("lottery-ticket-hypothesis", '{"folder": "masks"}'),
    ],
)
def test_two_contents_of_one_file(layout: str, original: str, jail: Path) -> None:
    refused(network(["l.weight"], layout, original), jail)


@pytest.mark.parametrize("layout", FOLDERS)
def test_prefix_of_all_names(layout: str, jail: Path) -> None:
    data = network(["l.weight"], layout, '{"prefix": "../", "model": "model_ep.pth"}')
    if layout == "open_lth":  # there it is in a key of a file
        assert pemncodec.unpack_original(written(data, jail), jail / "out") == 3
    else:
        refused(data, jail)


def written(data: bytes, jail: Path) -> Path:
    path = jail.parent.parent.parent / f"{jail.parent.parent.name}.pemn"
    path.write_bytes(data)
    return path


def refused(data: bytes, jail: Path) -> None:
    """By every way to the original layout, before anything is written."""
    with pytest.raises(MetadataError):
        pemncodec.load_original(data)
    path = written(data, jail)
    with pytest.raises(MetadataError) as caught:
        pemncodec.unpack_original(path, jail / "out")
    assert "\n" not in str(caught.value)
    assert not (jail / "out").exists()
    assert pemncodec.load(data)  # only the layout cannot be written


def test_by_the_command(jail: Path) -> None:
    path = written(network(["l.weight"], "open_lth", '{"model": "../model_ep.pth"}'), jail)
    result = pemn("unpack", str(path), "out", "--layout", "original", "--force", cwd=jail)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "must be a plain file name" in result.stderr


@pytest.mark.parametrize("model", ["model_ep1_it0.pth", "sub/model_ep1.pth"])
def test_plain_names_are_written(model: str, jail: Path) -> None:
    path = written(network(["l.weight"], "open_lth", f'{{"model": "{model}"}}'), jail)
    assert pemncodec.unpack_original(path, jail / "out") == 3
    found = torch.load(jail / "out" / model, weights_only=True)
    assert torch.equal(found["l.weight"], pemncodec.load_file(path)["l.weight"])
    assert not list((jail / "out").rglob("*.part"))


def test_a_link_at_the_output_is_not_followed(jail: Path) -> None:
    path = written(network(["l"], "lottery-ticket-hypothesis", "{}"), jail)
    (jail / "out").symlink_to(jail.parent, target_is_directory=True)
    with pytest.raises(OutputExistsError, match="that is not empty"):
        pemncodec.unpack_original(path, jail / "out")


# --- checkpoints that say where to write ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["end.", "a:b", "con"])
def test_a_checkpoint_whose_folder_has_no_plain_name(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for part in (name, "masks"):
        (run / part).mkdir(parents=True)
        np.save(run / part / "l.npy", np.ones(3, dtype=np.float32))
    source: Any = pemncodec.load_checkpoint(run)
    with pytest.raises(CheckpointError, match="must be a plain folder name"):
        pemncodec.save(source, key=name)
