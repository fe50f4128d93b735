"""The oldest PyTorch that may read a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from pemncodec.checkpoints.reading import torch_version
from pemncodec.checkpoints.reading.torch_version import require_safe_torch
from pemncodec.errors import UnsafeCheckpointError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0a0+git1", "2.13.0+cpu", "2.100", "3.0.0", "10.1"])
def test_newer_ones_may(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    require_safe_torch()


@pytest.mark.parametrize("version", ["2.9.1+cu128", "2.5.1", "2.1", "1.13.1", "0.4", "parrot", ""])
def test_older_ones_are_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(UnsafeCheckpointError, match=r"CVE-2026-24747\): install 2\.10 or newer$") as caught:
        require_safe_torch()
    assert version in str(caught.value)


def test_the_package_asks_for_the_same_version() -> None:
    found = re.search(r'"torch>=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert found is not None
    assert (int(found[1]), int(found[2])) == torch_version.SAFE
