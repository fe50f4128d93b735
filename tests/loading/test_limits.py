"""The cost of hostile files in proportion to `max_bytes` (docs/limits.md): memory, disk, and counted work."""

from __future__ import annotations

import gc
import json
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import limits  # benchmarks/limits.py
import limits_files
import numpy as np
import pytest
import torch

import pemncodec
from pemncodec import LimitError, PemnFile
from pemncodec.coding.cache import Once
from pemncodec.common.allowance import Allowance
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.container import reader as container
from pemncodec.container.manifest.rows import (
    AliasRow,
    BlockRow,
    KeptRow,
    Manifest,
    MaskRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)
from pemncodec.container.reader import Container
from pemncodec.generators.pytorch import mt19937
from pemncodec.loading.layouts.table import Layout
from pemncodec.loading.verify import verify_file
from pemncodec.network.model import Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill

from ..deltas import floats
from ..networks import random_mask

MAX = 64 << 20
U8 = BY_NAME["uint8"]
measured = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc")


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.stem: path for path in limits_files.write(tmp_path_factory.mktemp("bombs"))}


def test_every_bomb_is_small() -> None:
    for name, make in limits_files.BOMBS.items():
        assert len(make()) < 200_000, name


# Each file where it costs most; benchmarks/limits.py runs all of them through everything.
WORST = [
    ("table_of_dims", "pemn inspect", "LimitError"),
    ("table_of_names", "pemn inspect", "LimitError"),
    ("table_of_metadata", "pemn inspect", "LimitError"),
    ("table_of_one_value", "pemn inspect --json", "LimitError"),
    ("table_of_masks", "pemn inspect", "LimitError"),
    ("table_of_prototypes", "verify_file", "LimitError"),
    ("table_of_patches", "pemn inspect", "LimitError"),
    ("empty_rows", "load csr", "LimitError"),
    ("sparse", "load coo", "LimitError"),
    ("sparse", "load csr", "LimitError"),
    ("scores", "load masked", "LimitError"),
    ("aliases", "unpack_file .safetensors", "LimitError"),
    ("aliases", "unpack_file .pt", "ok"),
    ("aliases", "pemn unpack masked .safetensors", "LimitError"),
    ("gaps", "load dense", "ok"),
    ("gaps_of_zeros", "verify_file", "ok"),
    ("grouped_planes", "load dense", "ok"),
    ("rotated_complex", "load dense", "ok"),
    ("palette", "load dense", "ok"),
    ("arranged", "verify_file", "PayloadError"),
    ("blocks_of_other_tasks", "load dense", "LimitError"),
    ("chain", "load dense", "LimitError"),
    ("prototypes_of_a_base", "load dense", "LimitError"),
]


@measured
@pytest.mark.parametrize(("name", "operation", "outcome"), WORST)
def test_memory_and_disk(bombs: dict[str, Path], name: str, operation: str, outcome: str) -> None:
    row = limits.run(bombs[name], operation, MAX)
    assert row["outcome"] == outcome
    assert row["memory"] <= (limits.FIXED if "inspect" in operation else limits.MEMORY * MAX + limits.FIXED)
    assert row["disk"] <= MAX + limits.FIXED_DISK


# --- tables -----------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_tensors_are_no_bomb(tmp_path: Path) -> None:
    """However well their names compress."""
    network = MaskedNetwork()
    shapes = [(64, 3, 7, 7), (64,), (0,), ()]
    for number in range(100_000):
        shape = shapes[number % 4] if number < 4 else (0, 64, 3, number % 9)
        words = np.zeros(int(np.prod(shape)), dtype=np.uint32)
        network.entries.append(Tensor(f"layers.{number}.weight", FLOAT32, shape, words))
    path = tmp_path / "many.pemn"
    pemncodec.save_file(network, path)
    with PemnFile(path) as file:
        assert len(file) == 100_000


def test_what_tables_may_take_goes_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pemncodec.save(MaskedNetwork([Tensor(f"t{n}", FLOAT32, (n,), floats(n, seed=n)) for n in range(50)]))
    monkeypatch.setattr(container, "TABLES_BYTES", 0)
    with PemnFile(data) as file:
        assert len(file) == 50
    monkeypatch.setattr(container, "TABLES_PER_BYTE", 1)
    with pytest.raises(LimitError, match=r"^the tables of the manifest take \d+ bytes in memory, but \d+ are allowed"):
        PemnFile(data)


def test_bases_share_what_their_tables_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    files = limits_files._chain(6, 10)
    assert verify_file(files[-1], base=files[:-1]) == 2
    with PemnFile(files[0]) as file:
        one = container.tables_allowance(0).most
        assert file.decoded_size == 10
    monkeypatch.setattr(
        "pemncodec.coding.delta.base_files.tables_allowance", lambda size: Allowance(1000 + size, "{count} of {most}")
    )
    monkeypatch.setattr("pemncodec.coding.delta.base_files.TABLES_PER_BYTE", 0)
    assert one > 1000
    with pytest.raises(LimitError, match="of 1000"):
        verify_file(files[-1], base=files[:-1])


# --- results -----------------------------------------------------------------------------------------------------


def kept(shape: tuple[int, ...], dtype: str = "uint8") -> bytes:
    count = int(np.prod(shape))
    rows = (KeptRow("w", 0, shape, 0, 0),)
    blocks = (BlockRow(BY_NAME[dtype], 3, 0),)
    manifest = Manifest(masks=(limits_files.constant(count),), blocks=blocks, entries=rows)
    return limits_files.built(manifest, [b"", limits_files.palette(BY_NAME[dtype].itemsize)])


@pytest.mark.parametrize(
    ("layout", "each", "more"), [("coo", 3 * 8 + 4, 0), ("csr", 8 + 4, 8 * 201), ("masked", 4 + 4, 0)]
)
def test_what_a_result_takes_is_exact(layout: Layout, each: int, more: int) -> None:
    """Of tensors of 2,000,000 elements, all of which are kept; a megabyte is free."""
    data, size = kept((200, 100, 100), "float32"), each * 2_000_000 + more
    tensors = pemncodec.load(data, layout=layout, max_bytes=size - (1 << 20))
    parts = []
    for tensor in tensors.values():
        if tensor.layout == torch.sparse_csr:
            parts += [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
        elif tensor.is_sparse:
            parts += [tensor.indices(), tensor.values()]
        else:
            parts.append(tensor)
    assert sum(part.numel() * part.element_size() for part in parts) == size
    with pytest.raises(LimitError, match=f"^layout '{layout}' decodes to"):
        pemncodec.load(data, layout=layout, max_bytes=size - (1 << 20) - 1)


def test_tensors_count_beside_their_elements() -> None:
    rows = tuple(TensorRow(f"t{number}", 0, (0,), 0) for number in range(20_000))
    data = limits_files.built(Manifest(blocks=(BlockRow(FLOAT32, 3, 0),), entries=rows), [limits_files.palette()])
    assert len(pemncodec.load(data, max_bytes=24 << 20)) == 20_000
    for load in (pemncodec.load, pemncodec.load_network):
        with pytest.raises(LimitError, match=r"^layout 'dense' decodes to"):
            load(data, max_bytes=20 << 20)
    assert verify_file(data, max_bytes=0) == 20_000


def test_aliases_count_where_they_are_written(tmp_path: Path) -> None:
    rows = (TensorRow("t", 0, (1000,), 0), AliasRow("a", 0, 0), AliasRow("b", 0, 0))
    path = tmp_path / "a.pemn"
    tables = Manifest(blocks=(BlockRow(U8, 3, 0),), entries=rows)
    path.write_bytes(limits_files.built(tables, [limits_files.palette(1)]))
    assert len(pemncodec.unpack_file(path, tmp_path / "a.pt", max_bytes=1000)) == 3
    assert len(pemncodec.unpack_file(path, tmp_path / "a.safetensors", max_bytes=3000)) == 3
    with pytest.raises(LimitError, match=r"would take 3000 bytes, but max_bytes allows 2999: name the output \.pt"):
        pemncodec.unpack_file(path, tmp_path / "b.safetensors", max_bytes=2999)
    assert not (tmp_path / "b.safetensors").exists()


def test_load_original_counts_all_that_it_makes() -> None:
    network = MaskedNetwork(
        prototypes=[StoredPrototype(FLOAT32, floats(7, seed=1))],
        masks=[random_mask(1_000_000, 0.5, number) for number in range(8)],
        entries=[Layer(f"{number}.weight", (1000, 1000), number, TileFill(0)) for number in range(8)],
        metadata={"pemn.layout": "edge-popup", "pemn.mask_rule": "edge-popup", "pemn.keep": "0.5"},
    )
    network.metadata["pemn.original"] = json.dumps({})
    data = pemncodec.save(network)
    made = pemncodec.load_original(data, max_bytes=128_000_000)  # masks count while they are unpacked
    assert sum(tensor.nbytes for tensor in made.values()) == 64_000_000
    with pytest.raises(LimitError, match="the original layout takes more than the 33000000 bytes"):
        pemncodec.load_original(data, max_bytes=33_000_000)


# --- work --------------------------------------------------------------------------------------------------------


@pytest.fixture
def advanced(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the draws that are made and the seeds that are begun, from an empty cache of states."""
    counter: Counter[str] = Counter()
    advance, begin = mt19937._advance, mt19937._first_state

    def counted(state: Any, out: Any) -> Any:
        counter["draws"] += len(out)
        return advance(state, out)

    def begun(seed: int) -> Any:
        counter["seeds"] += 1
        return begin(seed)

    monkeypatch.setattr(mt19937, "_advance", counted)
    monkeypatch.setattr(mt19937, "_first_state", begun)
    monkeypatch.setattr(mt19937, "_total", 0)
    monkeypatch.setattr(mt19937, "_streams", type(mt19937._streams)())
    return counter


def states() -> int:
    return sum(map(len, mt19937._streams.values()))


def test_seeds_that_take_turns(advanced: Counter[str]) -> None:
    """A hundred seeds, a hundred stretches of each, up to draw 800,000: what they make together once, twice at most."""
    far = 10 * mt19937.STEP
    for turn in range(100):
        for seed in range(100):
            mt19937.stream(seed).draws(turn * far // 100, turn * far // 100 + 10)
    assert advanced["seeds"] == 100
    assert advanced["draws"] <= 2 * 100 * far
    assert states() <= mt19937.MOST_STATES


def test_more_seeds_than_states(advanced: Counter[str]) -> None:
    for seed in range(2 * mt19937.MOST_STATES):
        mt19937.stream(seed).draws(0, 1)
    assert advanced["draws"] <= 624 * 2 * mt19937.MOST_STATES
    assert states() <= mt19937.MOST_STATES


def test_far_stretches_of_one_seed(monkeypatch: pytest.MonkeyPatch, advanced: Counter[str]) -> None:
    """With few states a stretch is nearer to one than the part of all draws that each has."""
    monkeypatch.setattr(mt19937, "MOST_STATES", 16)
    far, random = 200 * mt19937.STEP, np.random.default_rng(1)
    expected = np.random.RandomState(7).randint(0, 1 << 32, far, dtype=np.uint32)
    mt19937.stream(7).draws(far - 1, far)
    before = advanced["draws"]
    for start in random.integers(0, far - 50, 100).tolist():
        assert np.array_equal(mt19937.stream(7).draws(start, start + 50), expected[start : start + 50])
    assert states() <= 16
    assert advanced["draws"] - before <= 100 * far / 4


def test_tensors_one_by_one_of_more_than_is_kept(calls: Counter[str]) -> None:
    """Blocks of another task are dropped for those that come; each is decoded once for the tensors that follow."""
    blocks, size = 20, 1 << 20
    rows = [TensorRow(f"t{n}.{k}", 1, (1,), n) for n in range(blocks) for k in range(3)]
    rows += [TensorRow(f"t{n}", 2, (size - 3,), n) for n in range(blocks)]
    tables = Manifest(tasks=("a", "b"), blocks=(BlockRow(U8, 3, 0),) * blocks, entries=tuple(rows))
    data = limits_files.built(tables, [limits_files.palette(1)] * blocks)
    with PemnFile(data, task="a", max_bytes=size) as file:
        assert [file.get_numpy(name).tolist() for name in file] == [[1]] * 3 * blocks
        assert file.decoder._kept.taken <= file.decoder._kept.most == 2 * size + size // 4
    assert calls["block"] == blocks
    with pytest.raises(LimitError, match=r"^shared sections decode to"):
        pemncodec.load(data, task="a", max_bytes=size)
    assert len(pemncodec.load(data, task="a", max_bytes=blocks * size)) == 3 * blocks


def test_work_in_a_base() -> None:
    """Ten thousand references to layers of one element with prototypes of 50 MB: four times the limit, no more."""
    base, data = limits_files._base_of_prototypes()
    with pytest.raises(LimitError, match="sections of a base take"):
        pemncodec.load(data, base=base, max_bytes=64 << 20, threads=1)


def test_a_chain_within_the_limit_still_decodes() -> None:
    files = limits_files._chain(20, 50_000)
    loaded = pemncodec.load(files[-1], base=files[:-1], max_bytes=100_000)
    assert loaded["t"].shape == (50_000,)


def test_no_room() -> None:
    memory = Allowance(10, "{count} of {most}")
    dropped: list[bool] = []

    def make_room() -> bool:
        if dropped:
            return False
        dropped.append(True)
        once.forget()
        return True

    once: Once[bytes] = Once(memory, len, make_room)
    assert once("a", lambda: bytes(8)) == bytes(8)
    assert once("a", lambda: b"never made") == bytes(8)
    assert once("b", lambda: bytes(4)) == bytes(4)  # in the place of the first
    assert memory.taken == 4
    with pytest.raises(LimitError, match=r"^12 of 10$"):
        once("c", lambda: bytes(8))
    assert dropped == [True]


def test_sections_longer_than_the_limit_are_not_read() -> None:
    """A mask of one bit, and a tensor of one byte, in two megabytes each."""
    rows = (TiledRow("w", 0, (1,), 0, 0, 0, 0, None, None, 0), TensorRow("t", 0, (1,), 1))
    tables = Manifest(
        masks=(MaskRow(5, 1, 1, 0),),
        blocks=(BlockRow(FLOAT32, 3, 0), BlockRow(U8, 1, 0)),
        prototypes=(ValuesRow(1, 0, None),),
        entries=rows,
    )
    data = limits_files.built(tables, [bytes(2 << 20), limits_files.palette(), bytes(2 << 20)])
    with PemnFile(data, max_bytes=1000) as file:
        for name, what in (("w", "mask 0"), ("t", "block 1")):
            with pytest.raises(LimitError, match=f"^{what} decodes to {1 << 20} bytes"):
                file.get_numpy(name)


def test_the_same_file_for_other_tasks() -> None:
    tables = Manifest(
        tasks=("a", "b"),
        blocks=(BlockRow(U8, 3, 0),),
        entries=(TensorRow("x", 1, (1,), 0), TensorRow("all", 0, (2,), 0), TensorRow("y", 2, (3,), 0)),
    )
    with PemnFile(limits_files.built(tables, [limits_files.palette(1)]), task="a") as file:
        assert (file.keys(), file.of_task("b").keys()) == (["x", "all"], ["all", "y"])
        assert file.of_task("b").get_numpy("y").tolist() == [1, 1, 1]
        with pytest.raises(pemncodec.PemnError, match="there is no task 'c'"):
            file.of_task("c")


def test_nothing_is_kept_of_a_file_that_was_read() -> None:
    """A circle of references would keep the tables of every file, and what was decoded, until Python looks for such."""
    seen: list[weakref.ref[Container]] = []
    begin = Container.__init__

    def noted(self: Container, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        seen.append(weakref.ref(self))

    data = pemncodec.save({"l.weight": torch.eye(16), "l.bias": torch.ones(3)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Container, "__init__", noted)
        gc.disable()
        try:
            pemncodec.load(data)
            pemncodec.load_network(data)
            with pemncodec.open(data) as file:
                file.get_tensor("l.weight")
            del file
            assert [one() for one in seen] == [None] * 3
        finally:
            gc.enable()
