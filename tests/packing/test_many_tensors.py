"""Shortcuts for very many tensors: a second reading in another process, omitted coders, tables, scaled copies."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.coding.blocks import byte_strings
from pemncodec.coding.blocks import coders as tensors
from pemncodec.coding.blocks.experience import Experience
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.coder_table import BLOCK_GROUPED_PLANES, BLOCK_PALETTE, BLOCK_PLANES
from pemncodec.loading.recheck import aside, raw
from pemncodec.packing.sharing import periods

from ..command import pemn

DRAW = torch.Generator().manual_seed(5)


def checkpoint() -> dict[Any, Any]:
    values = torch.randn(6, 4, generator=DRAW)
    state = OrderedDict(
        a=values,
        transposed=values.t(),
        strided=values[::2, 1:],
        shared=values,
        parameter=torch.nn.Parameter(values.clone()),
        none=torch.empty(0, 3),
        one=torch.tensor(-0.0),
        nan=torch.tensor([0x7FC12345], dtype=torch.int32).view(torch.float32),
        half=values.half(),
        bfloat=values.bfloat16(),
        small=values.to(torch.float8_e4m3fn),
        complex=torch.complex(values, values),
        conjugate=torch.complex(values, values).conj(),
        flags=values > 0,
        count=torch.tensor(7),
        bytes=torch.arange(9, dtype=torch.uint8),
    )
    return {"state_dict": state, "epoch": 3, "names": ["a", ("b", 1.5)], 5: torch.ones(2)}


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_MANY", 1)


def flat(whole: Any) -> list[tuple[str, torch.dtype, tuple[int, ...], bytes]]:
    return [(name, one.dtype, tuple(one.shape), raw.bytes_of(one).tobytes()) for name, one in raw.leaves(whole)]


@pytest.mark.usefixtures("few_are_many")
def test_another_process_reads_what_this_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pt"
    torch.save(checkpoint(), path)
    expected = raw.read(path)
    # the folder of the user is not searched for modules
    (tmp_path / "torch.py").write_text("raise RuntimeError('found in the working directory')")
    monkeypatch.chdir(tmp_path)
    with aside.Aside([Path("a.pt"), Path("a.pt")]) as second:
        monkeypatch.setattr(raw, "read", None)
        found = second.read(Path("a.pt"))
    assert len(flat(expected)) == 17
    assert flat(found) == flat(expected)
    assert {key: value for key, value in found.items() if key not in ("state_dict", 5)} == {
        "epoch": 3,
        "names": ["a", ("b", 1.5)],
    }
    assert type(found["state_dict"]) is OrderedDict


@pytest.mark.usefixtures("few_are_many")
def test_where_the_other_process_fails_this_one_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": torch.ones(3), "when": Path("here")}, path)
    with aside.Aside([path]) as second, pytest.raises(raw.CannotReadError, match="without running code"):
        second.read(path)


@pytest.mark.usefixtures("few_are_many")
def test_no_process_is_left_behind(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "a.pt")
    with aside.Aside([tmp_path / "a.pt"]) as second:
        ((process, file),) = second._running.values()
        assert process.poll() is None
    assert process.poll() is not None
    assert file.closed


def test_what_has_many_tensors(tmp_path: Path) -> None:
    torch.save({str(i): torch.tensor(i) for i in range(20_000)}, tmp_path / "many.pt")
    torch.save({str(i): torch.tensor(i) for i in range(10)}, tmp_path / "few.pt")
    (tmp_path / "text").write_text("PK\x05\x06" * 100)
    (tmp_path / "empty").touch()
    found = {path.name for path in [*tmp_path.iterdir(), tmp_path, tmp_path / "none"] if aside.has_many_tensors(path)}
    assert found == {"many.pt"}


def test_the_command_compares_with_what_the_other_process_read(tmp_path: Path) -> None:
    """So many tensors that it is used; a third of them tied."""
    values = torch.randn(10_100, 4, generator=DRAW)
    state = {f"{i}.weight": values[i].clone() for i in range(len(values))}
    state |= {f"{i}.bias": torch.tensor([i]) for i in range(len(values))}
    state |= {f"tied.{i}.weight": state[f"{i}.weight"] for i in range(len(values))}
    torch.save(state, tmp_path / "a.pt")
    assert aside.has_many_tensors(tmp_path / "a.pt")
    result = pemn("pack", "a.pt", "-o", "a.pemn", cwd=tmp_path)
    assert f"compared: {len(state)} tensors equal those that torch.load reads" in result.stdout
    again = pemncodec.load_file(tmp_path / "a.pemn")
    assert list(again) == list(state)
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert again["tied.7.weight"].data_ptr() == again["7.weight"].data_ptr()


# --- coders that are left out ---------------------------------------------------------------------------------------


def test_experience() -> None:
    best, worse, near = 5, 2, 4
    seen = Experience()
    for _ in range(4):
        assert not seen.hopeless()
        seen.note({best: 1000, worse: 1003, near: 1001}, 1000, 0.8)
    for _ in range(31):
        assert seen.hopeless() == {worse}
        seen.note({best: 1000, near: 1001}, 1000, 0.8)
    assert not seen.hopeless()
    seen.note({best: 1000, worse: None, near: 1001}, 1000, 0.8)
    assert seen.hopeless() == {worse}
    assert not seen.is_surprised(0.81)
    assert seen.is_surprised(0.6)
    seen.note({best: 1000, worse: 900, near: 1001}, 900, 0.6)
    assert not seen.hopeless()


def test_blocks_of_another_nature_are_coded_as_small_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    normal = [rng.standard_normal(4096).astype(np.float32) for _ in range(40)]
    signs = [np.sign(rng.standard_normal(4096)).astype(np.float32) for _ in range(3)]
    blocks = [one.view(np.uint32) for one in [*normal[:30], *signs, *normal[30:]]]
    tried: Counter[int] = Counter()
    for number in (BLOCK_PALETTE, BLOCK_GROUPED_PLANES, BLOCK_PLANES):

        def counted(*arguments: Any, number: int = number, encode: Any = tensors.CODERS[number].encode) -> Any:
            tried[number] += 1
            return encode(*arguments)

        monkeypatch.setattr(tensors.CODERS[number], "encode", counted)
    seen = Experience()
    together = [tensors.encode_block(words, FLOAT32, seen)[0] for words in blocks]
    assert tried[BLOCK_GROUPED_PLANES] == len(blocks)
    assert tried[BLOCK_PLANES] < 15
    assert [row.coder for row in together[30:33]] == [BLOCK_PALETTE] * 3
    alone = [tensors.encode_block(words, FLOAT32)[0] for words in blocks]
    assert [row.size for row in together] == [row.size for row in alone]


# --- tables -----------------------------------------------------------------------------------------------------------


def smallest_table(content: bytes) -> bytes:
    """The cheapest of the tables of spec section 6.1 that are tried, one after the other, in plain integers."""

    def size_and_front(b: int, greatest: int) -> tuple[int, bytes]:
        bins = [0] * (256 >> b)
        for byte in content:
            bins[byte >> b] += 1
        used = [number for number, count in enumerate(bins) if count]
        counts = bins[used[0] : used[-1] + 1]
        most = max(counts)
        weights = [max(1, (2 * count * greatest + most) // (2 * most)) if count else 0 for count in counts]
        front = bytes([b, used[0], len(weights) - 1])
        for weight in weights:
            front += bytes([weight]) if weight < 128 else bytes([weight & 127 | 128, weight >> 7])
        table = [1] * 256
        for v in range(used[0] << b, used[-1] + 1 << b):
            table[v] += weights[(v >> b) - used[0]] * 65_280 // (sum(weights) << b)
        table[used[0] + weights.index(max(weights)) << b] += 65_536 - sum(table)
        cost = 0
        for byte in content:  # 16 − log2 f, in 256ths, by the integer logarithm of the highest nine bits
            f = table[byte]
            exponent = f.bit_length() - 1
            top = f << 8 >> exponent
            cost += (16 - exponent) * 256 - ((top**256).bit_length() - 1 - 8 * 256)
        return (cost >> 8) + 8 * len(front), front

    return min(size_and_front(b, greatest) for b in (0, 2, 3, 4, 5) for greatest in (15, 63, 127, 1023, 16383))[1]


@pytest.mark.parametrize("seed", range(60))
def test_the_table_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(24, 1500))
    contents: list[Callable[[], Any]] = [
        lambda: rng.integers(0, rng.integers(1, 257), count),
        lambda: np.clip(rng.normal(128, rng.uniform(0.5, 50), count), 0, 255),
        lambda: rng.geometric(rng.uniform(0.02, 0.9), count) % 256,
        lambda: rng.choice(rng.integers(0, 256, 3), count),
    ]
    data = contents[seed % 4]().astype(np.uint8)
    _, front, model = byte_strings._best_table(np.bincount(data, minlength=256))
    assert front == smallest_table(data.tobytes())
    assert int(model.frequencies.sum()) == 65_536


# --- scaled copies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_no_scaled_copy_is_given_up_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal(40).astype(np.float32) * np.float32(10.0 ** rng.integers(-30, 30))
    base[rng.random(40) < 0.3] = rng.choice([0.0, -0.0])
    scale = np.float32(rng.uniform(0.01, 100))
    with np.errstate(all="ignore"):
        scaled = base * scale
    if not (np.isfinite(scaled).all() and scaled.any()):
        scaled = base
    found = periods.scale_between(base.view(np.uint32), scaled.view(np.uint32))
    assert found is not None
    assert np.array_equal((base * np.float32(found)).view(np.uint32), scaled.view(np.uint32))
