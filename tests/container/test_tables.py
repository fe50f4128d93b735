"""Adding a coder takes its file and a row of the table, and nothing else."""
# ruff: noqa: ARG001 (the contract of coders)

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import pemncodec
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS, Coder

from ..command import pemn


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType(f"toys.{name}")
    monkeypatch.setitem(sys.modules, "toys", ModuleType("toys"))
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_a_toy_mask_coder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every third weight is kept: two bytes for the length of the step."""
    toy = module("steps", monkeypatch)

    def encode(packed: np.ndarray, length: int, ones: int, limit: int) -> bytes | None:
        places = np.flatnonzero(np.unpackbits(packed, count=length, bitorder="little"))
        steps = np.unique(np.diff(places, prepend=-places[1] + places[0] if ones > 1 else 0))
        return bytes([int(places[0]), int(steps[0])]) if ones > 1 and len(steps) == 1 else None

    def decode(payload: bytes, length: int, ones: int) -> np.ndarray:
        flags = np.zeros(length, dtype=np.bool_)
        flags[payload[0] :: payload[1]] = True
        return np.packbits(flags, bitorder="little")

    toy.encode, toy.decode = encode, decode  # type: ignore[attr-defined]
    monkeypatch.setitem(MASK_CODERS, 9, Coder("toy steps", 5, "toys.steps", 1))

    flags = np.arange(30_000) % 3 == 0
    kept = pemncodec.KeptFill(FLOAT32, np.arange(10_000, dtype=np.uint32) * 77_777)
    network = pemncodec.MaskedNetwork(
        [pemncodec.Layer("a.weight", (100, 300), 0, kept)], masks=[pemncodec.Mask.from_bool(flags)]
    )
    data = pemncodec.save(network)
    with pemncodec.open(data) as file:
        assert file.header.minor == 5
        assert np.array_equal(file.get_mask("a.weight").to_bool(), flags)
        assert np.array_equal(file.get_numpy("a.weight").reshape(-1)[flags].view(np.uint32), kept.values)
    path = tmp_path / "toy.pemn"
    path.write_bytes(data)
    shown = json.loads(pemn("inspect", "--json", "toy.pemn", cwd=tmp_path).stdout)
    assert shown["coders"]["masks"] == {"toy steps": 1}

    monkeypatch.delitem(MASK_CODERS, 9)
    with pytest.raises(
        pemncodec.ManifestError, match=r"mask 0 has the coder 9, which is unknown in format version 1\.5"
    ):
        pemncodec.open(data)


def test_a_toy_block_coder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements that count up from 0: the payload is empty."""
    toy = module("counting", monkeypatch)

    def encode(words: np.ndarray, dtype: object, limit: int) -> bytes | None:
        return b"" if np.array_equal(words, np.arange(len(words))) else None

    def decode(payload: bytes, dtype: object, count: int) -> np.ndarray:
        return np.arange(count, dtype=np.uint32)

    toy.encode, toy.decode = encode, decode  # type: ignore[attr-defined]
    monkeypatch.setitem(BLOCK_CODERS, 7, Coder("toy counting", 5, "toys.counting", 1))
    data = pemncodec.save(counting())
    assert np.array_equal(pemncodec.load_network(data).tensors[0].values, counting().tensors[0].values)
    with pemncodec.open(data) as file:
        assert file.header.minor == 5


def counting() -> pemncodec.MaskedNetwork:
    return pemncodec.MaskedNetwork([pemncodec.Tensor("a", FLOAT32, (500,), np.arange(500, dtype=np.uint32))])
