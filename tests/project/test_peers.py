"""The comparison with other formats: the floor by another way, exact peers, absent ones named, the command."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from comparison import cases, floor, formats, handmade, measure, picture, synthetic, table, vectors
from comparison.network import Masked, Network, same, top
from comparison.peers import peers
from comparison.trained import Trainer

COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "peers.py"
NETWORKS = {
    "seeded": lambda: synthetic.tiny("seeded"),
    "pruned": lambda: synthetic.tiny_pruned("pruned"),
    "signed": lambda: synthetic.signed_constants("signed", width=4),
    "filled": lambda: synthetic.vit("filled", 0.5, width=16, depth=1),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return NETWORKS[request.param]()


def entropy(symbols: list[int]) -> float:
    counts = Counter(symbols)
    return sum(count * math.log2(len(symbols) / count) for count in counts.values())


@pytest.mark.parametrize(("n", "ones"), [(0, 0), (1, 1), (10, 3), (64, 32), (500, 7)])
def test_mask_bits_are_the_logarithm_of_a_binomial(n: int, ones: int) -> None:
    layer = Masked(torch.ones(n + 5), torch.arange(n + 5) < ones)
    layer.fill[n:] = 0
    assert floor.mask_bits(layer) == pytest.approx(math.log2(math.comb(n, ones)), abs=1e-6)


def test_few_distinct_values_are_a_multinomial() -> None:
    counts = [5, 1, 9]
    exact = math.factorial(15) // math.prod(map(math.factorial, counts))
    assert floor.log2_multinomial(counts) == pytest.approx(math.log2(exact))
    values = torch.tensor([-0.5] * 400 + [0.5] * 600)[torch.randperm(1000)]
    assert floor.group_bits(values).plain == pytest.approx(math.log2(math.comb(1000, 400)))
    assert floor.group_bits(torch.full((99,), 3.25)) == floor.Bits(0.0, 0.0)


def test_planes_by_plain_counting() -> None:
    values = torch.randn(300, generator=torch.Generator().manual_seed(0))
    words = [int(word) & 0xFFFFFFFF for word in values.view(torch.int32)]
    rotated = [(word << 1 | word >> 31) & 0xFFFFFFFF for word in words]
    assert [int(word) & 0xFFFFFFFF for word in floor.rotated(values)] == rotated
    by_way = [
        sum(entropy([word >> shift & 255 for word in way]) for shift in (0, 8, 16, 24)) for way in (words, rotated)
    ]
    assert floor.planes_bits(values).plain == pytest.approx(by_way[0])
    assert floor.group_bits(values).plain == pytest.approx(min(by_way))
    assert floor.group_bits(values).plain < floor.group_bits(values).corrected < 32 * 300


def test_the_floor_of_a_network_adds_up() -> None:
    network = synthetic.tiny("tiny")
    least = floor.floor(network)
    assert least.prototypes == 8 * floor.SEED_BYTES
    assert least.kept == 0
    assert least.masks == pytest.approx(math.log2(math.comb(144, 72)) + math.log2(math.comb(320, 160)))
    # BatchNorm: weight and bias and num_batches_tracked are constants, eight values each of the two statistics
    assert 0 < least.tensors <= 2 * math.log2(math.factorial(8))
    assert floor.floor(replace(network, seeds=None)).prototypes > 0
    assert least.parts()["floor"] == round(least.bits / 8)


def test_no_peer_is_below_the_floor(network: Network) -> None:
    assert len(formats.pemn().pack(network)) > floor.floor(network).bits / 8


def test_vectors_and_what_of_them_is_used() -> None:
    vector = torch.randn(7)
    long, short = vector.repeat(3)[:20].view(4, 5), vector[:6].view(2, 3)
    masks = [torch.zeros(4, 5, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)]
    masks[0].view(-1)[[1, 8]] = True  # both are element 1
    masks[1].view(-1)[5] = True
    masked = {"short": Masked(short, masks[1]), "long": Masked(long, masks[0])}
    network = Network("", {}, None, {name: layer.effective for name, layer in masked.items()}, masked, shared=True)
    (found,) = vectors.vectors(network)
    assert torch.equal(found.elements, vector)
    assert found.used.nonzero().flatten().tolist() == [1, 5]
    assert (found.users, found.shared) == (["long", "short"], True)
    assert [vector.shared for vector in vectors.vectors(replace(network, shared=False))] == [False, False]


def test_edge_popup_keeps_the_top() -> None:
    assert top(torch.tensor([0.1, -3.0, 2.0, -0.2]), 0.5).tolist() == [False, True, True, False]
    assert int(top(torch.rand(10), 0.3).sum()) == 10 - int(0.7 * 10)


@pytest.mark.parametrize("peer", peers(), ids=lambda peer: peer.name)
def test_peers_are_exact(peer: formats.Peer, network: Network, tmp_path: Path) -> None:
    reason = peer.obstacle(network)
    if reason is not None:
        pytest.skip(reason)
    (tmp_path / "a").write_bytes(peer.pack(network))
    assert same(peer.load(tmp_path / "a"), network.tensors)


def test_same_means_the_same_bits() -> None:
    zero = {"a": torch.zeros(2)}
    assert same(zero, {"a": torch.zeros(2)})
    for other in ({"a": -torch.zeros(2)}, {"b": torch.zeros(2)}, {"a": torch.zeros(2, 1)}, {"a": torch.zeros(2).int()}):
        assert not same(zero, other)


def test_absent_skipped_and_inexact_peers_are_named() -> None:
    network = synthetic.tiny_pruned("tiny")
    absent = replace(handmade.peer(), name="missing", module="no_such_package.part")
    slow = replace(handmade.peer(), name="slow", most=0)
    wrong = replace(handmade.peer(), name="wrong", load=lambda _: {"weight": torch.zeros(1)})
    settings = measure.Settings(1, 1, 1, memory=False)
    rows = measure.measure(network, [formats.pemn(), absent, slow, wrong], settings, lambda _: None)
    by = {row["peer"]: row for row in rows}
    assert "absent: no_such_package cannot be imported" in str(by["missing"]["not_measured"])
    assert str(by["slow"]["not_measured"]).startswith("skipped")
    assert (by["pemn"]["exact"], by["wrong"]["exact"]) == (True, False)
    text = "\n".join(table.table(rows))
    assert "| missing | absent" in text
    assert "wrong does not give back the same bits" in text


def test_findings_say_where_pemn_is_not_best() -> None:
    parts: dict[str, object] = {f"floor_{part}": 1 for part in table.PARTS} | {
        "of_strict_floor": 1.0,
        "network": "n",
    }
    rows: list[dict[str, object]] = [
        {**parts, "peer": "pemn", "bytes": 30_000, "exact": True, "of_floor": 1.03},
        {**parts, "peer": "other", "bytes": 29_000, "exact": True, "of_floor": 1.0},
    ]
    found = table.findings(rows)
    assert len(found) == 2
    assert "other takes 29,000 B" in found[0]
    assert "above 1.02" in found[1]
    rows[0] |= {"bytes": 19_000, "of_floor": 1.03}
    assert table.findings(rows) == []


def test_samples_are_named_as_absent(tmp_path: Path) -> None:
    known = cases.full(Trainer(None, tmp_path), None)
    name = next(name for name in known if name.startswith("sample"))
    with pytest.raises(FileNotFoundError, match="no folder of samples"):
        known[name]()


def test_the_command(tmp_path: Path) -> None:
    rows_path, png = tmp_path / "rows.jsonl", tmp_path / "a.png"
    command = [sys.executable, str(COMMAND), "--quick", "--out", str(rows_path), "--table", "--threads", "1"]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| **pemn** |" in first.stdout
    rows = [json.loads(line) for line in rows_path.read_text().splitlines()]
    assert len(rows) == 2 * len(peers())
    assert all(row.get("exact") or row["not_measured"].startswith("absent") for row in rows)
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stderr.count("has its rows") == 2, "an interrupted run goes on"
    picture.draw(rows, png)
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
