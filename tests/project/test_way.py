"""The files on the way of a checkpoint through `save_file` are those that docs/architecture.md lists."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def way() -> ModuleType:
    spec = importlib.util.spec_from_file_location("way", ROOT / "benchmarks" / "way.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.gettrace() is not None, reason="a debugger or coverage has the profile hook")
def test_the_way_is_as_documented(way: ModuleType, tmp_path: Path) -> None:
    steps = way.collapsed(way.way(way.pruned(), tmp_path / "model.pemn"), False)
    text = (ROOT / "docs" / "architecture.md").read_text()
    listed = re.search(r"`python benchmarks/way\.py` .*?```\n(.*?)```", text, re.DOTALL)
    assert listed is not None
    assert [line.split()[0] for line in listed[1].splitlines()] == list(dict.fromkeys(steps))


def test_control_rarely_returns_to_the_encoder(way: ModuleType, tmp_path: Path) -> None:
    steps = way.collapsed(way.way(way.pruned(), tmp_path / "model.pemn"), False)
    assert way.returns(steps, "coding/encoder.py") <= 3
