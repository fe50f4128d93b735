"""`PemnModelHubMixin`: folders, a cache as huggingface_hub lays it out, and uploads up to the library's boundary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import pemncodec
from pemncodec.nn import mask_network

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

from huggingface_hub import HfApi, ModelCard

from pemncodec.hub import PemnModelHubMixin, library

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Net(nn.Module, PemnModelHubMixin, license="mit"):
    """A model with arguments, one of which has the name of a keyword of loading."""

    def __init__(self, width: int = 16, task: str = "none", masked: bool = False) -> None:
        super().__init__()
        if width < 1:
            raise ValueError("width must be positive")
        self.task = task
        self.first, self.last = nn.Linear(32, width), nn.Linear(width, 4)
        if masked:
            mask_network(self, strategy="random-vector", ratio=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x).relu())  # type: ignore[no-any-return]


class Plain(nn.Module, PemnModelHubMixin):
    """A class without a configuration, and with tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Embedding(8, 6), nn.Linear(6, 8)
        self.last.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))  # type: ignore[no-any-return]


class Needy(nn.Module, PemnModelHubMixin):
    """A class with an argument that has no default."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.only = nn.Linear(width, 2)


class Pruned(nn.Module, PemnModelHubMixin):
    """A class that prunes itself."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(32, 4)
        prune.l1_unstructured(self.only, "weight", 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.only(x)  # type: ignore[no-any-return]


def bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pruned(model: Net) -> Net:
    prune.l1_unstructured(model.first, "weight", 0.9)
    return model


def as_bfloat16(model: Net) -> Net:
    return model.to(torch.bfloat16)


USERS: dict[str, Callable[[], Any]] = {
    "pruned": lambda: pruned(Net(24, task="cars")),
    "masked": lambda: mask_network(Net(24)),
    "masks itself": lambda: Net(24, masked=True),
    "prunes itself": Pruned,
    "dense": Net,
    "bfloat16": lambda: as_bfloat16(Net()),
}


@pytest.mark.parametrize("user", USERS)
def test_a_folder_gives_the_same_model(user: str, tmp_path: Path) -> None:
    model = USERS[user]()
    assert model.save_pretrained(tmp_path / "deep" / "folder") is None
    assert set(files(tmp_path / "deep" / "folder")) >= {"model.pemn", "README.md"}
    kind = type(model)
    loaded = kind.from_pretrained(tmp_path / "deep" / "folder")
    x = torch.randn(3, 32, dtype=next(model.parameters()).dtype)
    assert bits(loaded(x)) == bits(model(x))
    assert not loaded.training
    assert getattr(loaded, "task", None) == getattr(model, "task", None)
    assert {tensor.dtype for tensor in loaded.parameters()} == {tensor.dtype for tensor in model.parameters()}
    packed = kind.from_pretrained(tmp_path / "deep" / "folder", layout="packed")
    assert torch.allclose(packed(x), model(x), atol=1e-5)
    kinds = [isinstance(tensor, pemncodec.PackedTensor) for tensor in packed.parameters()]
    assert any(kinds) == (user not in ("dense", "bfloat16"))


def test_a_class_without_arguments_and_tied_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")  # of another model
    model = Plain()
    model.save_pretrained(tmp_path)
    assert set(files(tmp_path)) == {"model.pemn", "README.md"}
    loaded = Plain.from_pretrained(tmp_path)
    assert loaded.first.weight is loaded.last.weight
    assert bits(loaded(torch.arange(8))) == bits(model(torch.arange(8)))


def test_options_of_packing_and_unknown_ones(tmp_path: Path) -> None:
    model = pruned(Net())
    model.save_pretrained(tmp_path, metadata={"from": "here"}, family="torch.nn.utils.prune", verify=False)
    with pemncodec.open(tmp_path / "model.pemn") as file:
        assert file.metadata["from"] == "here"
    before = files(tmp_path)
    with pytest.raises(TypeError, match="unexpected keyword argument 'kepe'"):
        model.save_pretrained(tmp_path, kepe=0.5)
    with pytest.raises(pemncodec.MaskRuleError, match="keep is 2"):
        model.save_pretrained(tmp_path, keep=2)
    with pytest.raises(pemncodec.MaskRuleError, match="keep is 2"):
        model.save_pretrained(tmp_path / "new" / "folder", keep=2)
    assert files(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_several_tasks_in_the_file(tmp_path: Path) -> None:
    tasks = {name: pruned(Net(task="of config")) for name in ("one", "two")}
    tasks["one"].save_pretrained(tmp_path)
    pemncodec.save_tasks(tasks, tmp_path / "model.pemn")
    x = torch.randn(2, 32)
    for name, model in tasks.items():
        loaded = Net.from_pretrained(tmp_path, task=name)
        assert bits(loaded(x)) == bits(model(x))
        assert loaded.task == "of config"
    with pytest.raises(pemncodec.NotFoundError, match="holds 2 tasks"):
        Net.from_pretrained(tmp_path)


def test_the_card_states_facts_and_stays(tmp_path: Path) -> None:
    model = pruned(Net(64))
    model.save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text()
    size = (tmp_path / "model.pemn").stat().st_size
    dense = 4 * (32 * 64 + 64 + 64 * 4 + 4)
    kept = int(dict(model.named_buffers())["first.weight_mask"].sum())
    assert f"| `model.pemn` | {size:,} B |" in text
    assert f"| dense weights | {dense:,} B, {dense / size:.1f} times as many |" in text
    assert "| masked layers | 1 |" in text
    assert f"| weights in them | 2,048, of which {100 * kept / 2048:.2f} % are kept |" in text
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license == "mit"
    assert card.data.library_name == "pemncodec"
    assert "pemn" in (card.data.tags or [])
    (tmp_path / "README.md").write_text("mine")
    model.save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def laid_out(home: Path, model: Net) -> None:
    """Write a cache as huggingface_hub does: blobs, links to them in the snapshot of a commit, and the branch."""
    repository = home / "hub" / "models--someone--net"
    snapshot = repository / "snapshots" / COMMIT
    model.save_pretrained(home / "saved")
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot.mkdir(parents=True)
    for number, name in enumerate(("model.pemn", "config.json")):
        (home / "saved" / name).rename(repository / "blobs" / str(number))
        (snapshot / name).symlink_to(Path("..", "..", "blobs", str(number)))


def test_from_a_cache_without_network(tmp_path: Path) -> None:
    model = pruned(Net(40))
    laid_out(tmp_path, model)
    x = torch.randn(2, 32)
    for revision in (None, "main", COMMIT):
        found = Net.from_pretrained("someone/net", cache_dir=tmp_path / "hub", local_files_only=True, revision=revision)
        assert bits(found(x)) == bits(model(x))
    code = "\n".join(
        [
            "import sys, torch, huggingface_hub",
            "from tests.hub.test_mixin import Net, bits",
            "x = torch.load(sys.argv[1])",
            "print(bits(Net.from_pretrained('someone/net')(x)).hex())",
        ]
    )
    torch.save(x, tmp_path / "x.pt")
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.pt")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == bits(model(x)).hex(), done.stderr
    with pytest.raises(pemncodec.FileAccessError, match="'someone/other' is no folder, and no repository in the cache"):
        Net.from_pretrained("someone/other", cache_dir=tmp_path / "hub", local_files_only=True)
    with pytest.raises(pemncodec.FileAccessError, match=r"'\.\./saved' is no folder, and no name of a repository"):
        Net.from_pretrained("../saved", cache_dir=tmp_path / "hub", local_files_only=True)


def test_a_push_packs_first_and_uploads_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api = create_autospec(HfApi, instance=True)
    made: list[dict[str, bytes]] = []
    api.create_repo.return_value.repo_id = "someone/net"
    tokens: list[str | None] = []

    def upload(**given: Any) -> str:
        made.append(files(Path(given["folder_path"])))
        return "the URL"

    def opened(token: str | None) -> Any:
        tokens.append(token)
        return api

    api.upload_folder.side_effect = upload
    monkeypatch.setattr(library, "HfApi", opened)
    model = pruned(Net())
    with pytest.raises(pemncodec.MaskRuleError, match="keep is 2"):
        model.push_to_hub("net", keep=2)
    assert not api.method_calls
    assert model.push_to_hub("net", token="t", private=True, branch="b", metadata={"a": "b"}) == "the URL"
    assert tokens == ["t"]
    assert api.create_repo.call_args.kwargs == {"repo_id": "net", "private": True, "exist_ok": True}
    assert api.upload_folder.call_args.kwargs["repo_id"] == "someone/net"
    assert api.upload_folder.call_args.kwargs["revision"] == "b"
    assert set(made[0]) == {"model.pemn", "config.json", "README.md"}
    state = pemncodec.load(made[0]["model.pemn"])
    assert bits(state["first.weight"]) == bits(model.first.weight + 0.0)  # a dropped −0.0 is +0.0
    assert json.loads(made[0]["config.json"]) == {"width": 16, "task": "none", "masked": False}
    model.save_pretrained(tmp_path / "named", push_to_hub=True, create_pr=True)
    assert api.create_repo.call_args.kwargs["repo_id"] == "named"
    assert api.upload_folder.call_args.kwargs["create_pr"] is True


def broken(name: str, folder: Path) -> None:
    if name == "model.pemn is missing":
        (folder / "model.pemn").unlink()
    elif name == "config is damaged":
        (folder / "config.json").write_text('{"width": 16')
    elif name == "config is a list":
        (folder / "config.json").write_text("[16]")
    elif name == "config repeats a name":
        (folder / "config.json").write_text('{"width": 16, "width": 17}')
    elif name == "config is no text":
        (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    elif name == "config is a folder":
        (folder / "config.json").unlink()
        (folder / "config.json").mkdir()
    elif name == "another width":
        (folder / "config.json").write_text('{"width": 17}')
    elif name == "a width that the class refuses":
        (folder / "config.json").write_text('{"width": -1}')
    elif name == "a model that is cut short":
        (folder / "model.pemn").write_bytes((folder / "model.pemn").read_bytes()[:-3])
    else:
        raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("model.pemn is missing", pemncodec.FileAccessError, "model.pemn cannot be read: No such file"),
        ("config is damaged", pemncodec.UnreadableCheckpointError, "config.json is damaged, or no configuration"),
        ("config is a list", pemncodec.UnreadableCheckpointError, "no object"),
        ("config repeats a name", pemncodec.UnreadableCheckpointError, "'width' appears twice"),
        ("config is no text", pemncodec.UnreadableCheckpointError, "config.json is damaged"),
        ("config is a folder", pemncodec.FileAccessError, "config.json cannot be read"),
        ("another width", pemncodec.MismatchError, "does not fit the model: size mismatch for first.weight"),
        ("a width that the class refuses", pemncodec.UnreadableCheckpointError, "ValueError: width must be positive"),
        ("a model that is cut short", pemncodec.TruncatedError, "model.pemn"),
    ],
)
def test_bad_folders(name: str, kind: type[Exception], reason: str, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    pruned(Net()).save_pretrained(folder)
    broken(name, folder)
    with pytest.raises(kind, match=reason) as caught:
        Net.from_pretrained(folder)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200


def test_an_argument_that_no_configuration_gives(tmp_path: Path) -> None:
    Needy(3).save_pretrained(tmp_path)
    assert Needy.from_pretrained(tmp_path).only.in_features == 3
    (tmp_path / "config.json").unlink()
    with pytest.raises(pemncodec.CheckpointError, match=r"is missing and would give .*'width'"):
        Needy.from_pretrained(tmp_path)
    assert Needy.from_pretrained(tmp_path, width=3).only.in_features == 3


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(pemncodec.OutputError, match="cannot be written"):
        Net().save_pretrained(tmp_path / "file")
    with pytest.raises(pemncodec.OutputError, match="cannot be written"):
        Net().save_pretrained(tmp_path / "file" / "under")
    assert files(tmp_path) == {"file": b"text"}


def test_without_the_package_the_error_names_the_extra() -> None:
    code = "\n".join(
        [
            "import sys; sys.modules['huggingface_hub'] = None",
            "import pemncodec",
            "try: import pemncodec.hub",
            "except ImportError as error:",
            "    assert isinstance(error, pemncodec.MissingPackageError); print(error)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the package huggingface_hub: pip install 'pemncodec[hub]'" in done.stdout
