"""The spec says what the code does: its example, its known answers, its limits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

import pemncodec
from pemncodec.common.dtypes import BY_ID
from pemncodec.container import header
from pemncodec.container.manifest import rows as manifest

from ..networks import assert_same

TEXT = (Path(__file__).resolve().parents[2] / "spec" / "pemn-v1.md").read_text()


def test_the_example_is_a_file() -> None:
    block = re.search(r"```hex\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    data = bytes.fromhex("".join(line[4:] for line in block.group(1).splitlines()))
    assert f"in {len(data)} bytes" in TEXT
    loaded = pemncodec.load(data)
    assert torch.equal(loaded["fc.weight"], torch.tensor([[0.5, 0.0, 0.5], [-1.5, 0.0, -1.5]]))
    assert loaded["fc.bias"].tolist() == [0.25, 0.0]
    assert torch.signbit(loaded["fc.bias"]).tolist() == [False, True]
    assert_same(data)
    assert pemncodec.save(pemncodec.load_network(data)) == data, "our encoder writes the same"


def test_the_known_answers_of_the_generators() -> None:
    rows = re.findall(r"\| (signed constant|uniform|normal) \| (\w+) \| (\w+) \| ((?:[0-9A-F]{8} ?){6}) \|", TEXT)
    assert len(rows) == 6
    for distribution, seed, stream, answers in rows:
        name = "sign" if distribution == "signed constant" else distribution
        values = pemncodec.Generator(name, 6, int(seed, 0), int(stream, 0)).values()
        assert [f"{bits:08X}" for bits in values.view(np.uint32)] == answers.split()


def test_the_known_answers_of_arranged_values() -> None:
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \| (\d+) \| (\d+) \| ((?:[0-9A-F]{8} ?)+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 3
    for seed, stream, length, period, zeros, answers in rows:
        made = pemncodec.Generator(
            "uniform", int(length), int(seed, 0), int(stream, 0), period=int(period), zeros=int(zeros)
        )
        assert [f"{bits:08X}" for bits in made.values().view(np.uint32)] == answers.split()


def test_the_dtype_table() -> None:
    section = TEXT[TEXT.index("### 4.8") : TEXT.index("## 5. Masks")]
    cells = re.findall(r"\| (\d+) \| (\w+) \| (\d+)(?: \(two values\))? (?=\|)", section)
    table = {int(number): (name, int(size)) for number, name, size in cells if int(number) in BY_ID}
    assert table == {number: (dtype.name, dtype.itemsize) for number, dtype in BY_ID.items()}
    for dtype in BY_ID.values():
        assert getattr(torch, dtype.name).itemsize == dtype.itemsize


def test_limits() -> None:
    assert "manifest_length | bytes of the manifest decoded, at most 2^24" in TEXT
    assert header.MAX_MANIFEST == 1 << 24
    assert "payload_size | at most 2^48" in TEXT
    assert header.MAX_PAYLOAD == manifest.MAX_ELEMENTS == 1 << 48
    assert "16 GiB" in TEXT
    assert manifest.DEFAULT_MAX_BYTES == 16 << 30
