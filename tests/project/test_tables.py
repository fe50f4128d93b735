"""Adding a coder, a generator, a fill rule or a layout takes its files and a row of a table, and nothing else."""
# ruff: noqa: ARG001 (the contract of coders)

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.coding.decoder import Decoder
from pemncodec.common import kernels
from pemncodec.common.bits import Packed
from pemncodec.common.dtypes import FLOAT32
from pemncodec.common.words import Words
from pemncodec.container.cursor import Cursor
from pemncodec.container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS, Coder
from pemncodec.container.manifest.generated import GeneratedRow
from pemncodec.container.manifest.generator_table import GENERATORS, GeneratorKind
from pemncodec.container.manifest.rows import KeptRow
from pemncodec.container.manifest.zero_table import ZERO_RULES, ZeroRule
from pemncodec.generators.base import BaseGenerator
from pemncodec.loading.layouts.table import LAYOUTS, OutputLayout
from pemncodec.network.fills.select import Source

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
    monkeypatch.setitem(MASK_CODERS, 99, Coder("toy steps", 5, "toys.steps", 1))

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

    monkeypatch.delitem(MASK_CODERS, 99)
    with pytest.raises(
        pemncodec.ManifestError, match=r"mask 0 has the coder 99, which is unknown in format version 1\.5"
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
    monkeypatch.setitem(BLOCK_CODERS, 98, Coder("toy counting", 5, "toys.counting", 1))
    data = pemncodec.save(counting())
    assert np.array_equal(pemncodec.load_network(data).tensors[0].values, counting().tensors[0].values)
    with pemncodec.open(data) as file:
        assert file.header.minor == 5


def counting() -> pemncodec.MaskedNetwork:
    return pemncodec.MaskedNetwork([pemncodec.Tensor("a", FLOAT32, (500,), np.arange(500, dtype=np.uint32))])


@dataclass(frozen=True)
class CountingRow(GeneratedRow):
    """first, first + 1, …: one byte."""

    length: int
    first: int
    digest: int

    @property
    def generator(self) -> int:
        return 9

    def write(self) -> bytes:
        return bytes([self.first]) + self.digest.to_bytes(4, "little")

    def described(self) -> dict[str, Any]:
        return {"kind": "toy", "first": self.first}

    def summary(self) -> str:
        return f"{self.length} values that count from {self.first}"


@dataclass(frozen=True)
class Counting(BaseGenerator):
    length: int
    first: int

    def values(self) -> np.ndarray:
        return np.arange(self.first, self.first + self.length, dtype=np.float32)

    def row(self) -> CountingRow:
        return CountingRow(self.length, self.first, self.digest())


def test_a_toy_generator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Saved, loaded, verified, described and loaded as a network; unknown without its row."""
    rows, values = module("rows", monkeypatch), module("values", monkeypatch)

    def read(cursor: Cursor, generator: int, length: int, what: str) -> CountingRow:
        return CountingRow(length, cursor.fixed(1, "first"), cursor.fixed(4, "digest"))

    rows.read, values.of_row = read, lambda row: Counting(row.length, row.first)  # type: ignore[attr-defined]
    monkeypatch.setitem(GENERATORS, 9, GeneratorKind(5, "toys.rows", "toys.values"))
    flags = np.arange(60) % 3 == 0
    network = pemncodec.MaskedNetwork(
        [pemncodec.Layer("a.weight", (6, 10), 0, pemncodec.TileFill(0))],
        prototypes=[pemncodec.GeneratedPrototype(Counting(20, 7))],
        masks=[pemncodec.Mask.from_bool(flags)],
    )
    path = tmp_path / "toy.pemn"
    path.write_bytes(pemncodec.save(network))
    expected = np.where(flags, np.resize(np.arange(7, 27, dtype=np.float32), 60), 0).reshape(6, 10)
    assert np.array_equal(pemncodec.load_file(path)["a.weight"].numpy(), expected)
    assert pemncodec.load_network(path).prototypes == network.prototypes
    assert pemn("verify", "toy.pemn", cwd=tmp_path).status == 0
    shown = json.loads(pemn("inspect", "--json", "toy.pemn", cwd=tmp_path).stdout)
    assert shown["version"] == "1.5"
    assert shown["prototypes"] == [{"dtype": "float32", "length": 20, "kind": "toy", "first": 7}]
    assert "prototype 0: 20 values that count from 7" in pemn("inspect", "toy.pemn", cwd=tmp_path).stdout

    data = path.read_bytes()
    monkeypatch.delitem(GENERATORS, 9)
    with pytest.raises(
        pemncodec.ManifestError, match=r"prototype 0 has the generator 9, which is unknown in format version 1\.5"
    ):
        pemncodec.open(data)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_toy_fill_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiled: bool) -> None:
    """A zero bit stands for the value with its lowest bit flipped, but zero stays."""
    if not compiled:
        monkeypatch.setattr(kernels, "compiled", None)
    toy = module("flipped", monkeypatch)

    def fill(out: Words, packed: Packed, first: Source, second: Source | None) -> None:
        tile, phase = first
        values = tile.slice(phase, len(out))
        flags = np.unpackbits(packed, count=len(out), bitorder="little").astype(np.bool_)
        out[:] = np.where(flags | (values == 0), values, values ^ 1)

    toy.fill, toy.COMPILED = fill, None  # type: ignore[attr-defined]
    monkeypatch.setitem(ZERO_RULES, 3, ZeroRule("flipped", 5, "toys.flipped", scored=False))
    values = np.arange(7, dtype=np.float32)
    network = pemncodec.MaskedNetwork(
        [pemncodec.Layer("a.weight", (3, 7), 0, pemncodec.TileFill(0, zero="flipped"))],
        prototypes=[pemncodec.StoredPrototype(FLOAT32, values.view(np.uint32))],
        masks=[pemncodec.Mask.from_bool(np.arange(21) % 4 == 1)],
    )
    path = tmp_path / "toy.pemn"
    path.write_bytes(pemncodec.save(network))
    words = np.resize(values.view(np.uint32), 21)
    expected = np.where((np.arange(21) % 4 == 1) | (words == 0), words, words ^ 1)
    loaded = pemncodec.load_file(path)["a.weight"].numpy().reshape(-1).view(np.uint32)
    assert np.array_equal(loaded, expected)
    other = pemncodec.load_file(path, layout="csr")["a.weight"]
    assert np.array_equal(other.numpy(), loaded.view(np.float32).reshape(3, 7))
    with pytest.raises(pemncodec.OutputError, match="which weight and scores cannot express"):
        pemncodec.load_file(path, layout="masked")
    shown = json.loads(pemn("inspect", "--json", "toy.pemn", cwd=tmp_path).stdout)
    assert (shown["version"], shown["tensors"][0]["zero"]) == ("1.5", "flipped")
    data = path.read_bytes()
    monkeypatch.delitem(ZERO_RULES, 3)
    with pytest.raises(pemncodec.ManifestError, match="zero 3"):
        pemncodec.open(data)


def test_a_toy_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of kept weights, as a scalar."""
    toy = module("count", monkeypatch)

    def load(decoder: Decoder, index: int, row: KeptRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
        yield name, torch.tensor(decoder.manifest.masks[row.mask].ones)

    toy.load, toy.result_bytes = load, lambda *_: 8  # type: ignore[attr-defined]
    monkeypatch.setitem(LAYOUTS, "count", OutputLayout("toys.count", "numbers of kept weights", 1))
    kept = pemncodec.KeptFill(FLOAT32, np.arange(80, dtype=np.uint32))
    layer = pemncodec.Layer("a.weight", (12, 10), 0, kept)
    masks = [pemncodec.Mask.from_bool(np.arange(120) % 3 > 0)]
    data = pemncodec.save(pemncodec.MaskedNetwork([layer, *counting().entries], masks=masks))
    loaded = pemncodec.load(data, layout="count")  # type: ignore[arg-type]
    assert loaded["a.weight"].item() == 80
    assert np.array_equal(loaded["a"].view(torch.int32).numpy(), np.arange(500))
