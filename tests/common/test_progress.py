"""`progress=` takes functions and tqdm."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tqdm import tqdm

import pemncodec
from pemncodec.common.progress import callback
from pemncodec.loading.verify import verify_file


class Kept(tqdm):  # type: ignore[misc]
    """Keeps its bars, and prints nowhere."""

    made: ClassVar[list[Kept]] = []

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, file=io.StringIO(), **named)
        self.made.append(self)

    closed = 0

    def close(self) -> None:
        self.closed += not self.disable
        super().close()


@pytest.fixture(autouse=True)
def none_yet() -> None:
    Kept.made.clear()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("progress") / "a.pemn"
    pemncodec.save_file({f"{i}.weight": torch.rand(64, 64) for i in range(3)}, made)
    return made


def test_a_class_makes_a_bar(path: Path) -> None:
    loaded = pemncodec.load_file(path, progress=Kept)
    (bar,) = Kept.made
    assert bar.n == bar.total == sum(tensor.nbytes for tensor in loaded.values())
    assert bar.closed == 1


def test_a_bar_stays_open(path: Path) -> None:
    with Kept(unit="B") as bar:
        pemncodec.load_file(path, progress=bar)
        assert bar.n == bar.total == 3 * 64 * 64 * 4
        assert bar.closed == 0
        pemncodec.load_network(path, progress=bar)
        assert bar.n == bar.total == 3, "it begins again"
    assert bar.closed == 1


def test_every_function_takes_it(path: Path, tmp_path: Path) -> None:
    make = functools.partial(Kept, desc="x")
    model = torch.nn.ModuleDict({str(i): torch.nn.Linear(64, 64, bias=False) for i in range(3)})
    source = {"w": torch.rand(64, 64)}
    pemncodec.load(path.read_bytes(), progress=make)
    pemncodec.load_model(model, path, progress=make)
    pemncodec.load_network(path, progress=make)
    pemncodec.unpack_file(path, tmp_path / "a.pt", progress=make)
    pemncodec.pack(source, progress=make)
    pemncodec.save(source, progress=make)
    pemncodec.save_file(source, tmp_path / "b.pemn", progress=make)
    pemncodec.save_tasks({"t": source}, tmp_path / "c.pemn", progress=make)
    pemncodec.pack_file(tmp_path / "a.pt", tmp_path / "d.pemn", progress=make)
    verify_file(path, progress=make)
    assert len(Kept.made) >= 10
    assert all(bar.n == bar.total and bar.closed == 1 for bar in Kept.made)


def test_a_disabled_bar_is_no_error(path: Path) -> None:
    with tqdm(disable=True) as bar:
        assert len(pemncodec.load_file(path, progress=bar)) == 3


def test_a_bar_never_goes_back_within_a_step() -> None:
    bar = Kept()
    move = callback(bar)
    shown = []
    for done, total in ((0, 200), (100, 200), (3, 6), (5, 6), (1, 1)):
        move(done, total, "a\x1b[31m")
        shown.append(bar.n)
    assert shown == [0, 100, 100, 167, 200]
    assert bar.postfix == "a\\x1b[31m"
    bar.close()


def test_functions_are_taken_as_they_are(path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    pemncodec.load_file(path, progress=lambda *report: seen.append(report))
    assert seen[-1][:2] == (3 * 64 * 64 * 4,) * 2
    with pytest.raises(TypeError, match="a function or a tqdm, and not int"):
        pemncodec.load_file(path, progress=3)  # type: ignore[arg-type]
