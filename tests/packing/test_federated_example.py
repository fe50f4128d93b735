"""The part of `examples/federated` that needs no Flower: messages are what they stand for, and rounds repeat."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import pemncodec

PATH = Path(__file__).resolve().parents[2] / "examples" / "federated" / "fedpm.py"


@pytest.fixture(scope="module")
def fedpm() -> Iterator[ModuleType]:
    pytest.importorskip("sklearn", reason="the example takes its digits from scikit-learn")
    if not PATH.exists():
        pytest.skip("the examples are not here: this is no checkout")
    spec = importlib.util.spec_from_file_location("fedpm", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fedpm"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fedpm"]


def test_rounds_of_two_clients(fedpm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedpm, "EPOCHS", 1)
    parts, test = fedpm.digits(0)
    assert len(parts) == fedpm.CLIENTS
    start = fedpm.first_probabilities()
    assert all(np.array_equal(one, start[name]) for name, one in fedpm.read_down(fedpm.down_file(start)).items())
    last: list[bytes | None] = [None, None]
    probabilities = start
    for turn in (1, 2):
        sent = [fedpm.client_round(probabilities, parts[client], 0, turn, client) for client in range(2)]
        again = fedpm.client_round(probabilities, parts[0], 0, turn, 0)
        assert all(torch.equal(again[name], mask) for name, mask in sent[0].items())
        files = [fedpm.up_file(masks, base) for masks, base in zip(sent, last, strict=True)]
        mean = fedpm.combine(files, last)
        for name, found in mean.items():
            expected = np.mean([masks[name].numpy() for masks in sent], axis=0)
            assert np.array_equal(found, expected.astype(np.float32))
        last = [fedpm.complete_file(pemncodec.load(file, base=base)) for file, base in zip(files, last, strict=True)]
        assert last == [fedpm.complete_file(masks) for masks in sent]
        probabilities = mean
    bits = sum(one.size for one in start.values())
    assert all(8 * len(file) < bits for file in files)
    assert 0 <= fedpm.evaluate(probabilities, test, 0, 2) <= 100
