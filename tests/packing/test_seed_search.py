"""Places in PyTorch's stream: found for what torch drew, and claimed for nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from pemncodec.common.dtypes import float32_of
from pemncodec.container.manifest.pytorch_rows import FUSED
from pemncodec.generators.pytorch.generator import PytorchGenerator
from pemncodec.generators.pytorch.mt19937 import STEP, Stream
from pemncodec.packing.seeds import Found, Prober, Target, probe, search
from pemncodec.packing.seeds.target import beyond_chance

SEED = 11
ONE = 0x3F800000
DENSITIES = (0.1, 0.3, 0.5, 0.7, 0.9)


def values(
    distribution: str, seed: int, offset: int, length: int, scale: int, low: int, dialect: str = FUSED
) -> NDArray[np.float32]:
    """The elements of the decoder's generator."""
    seed &= 0xFFFFFFFF
    return PytorchGenerator(
        distribution, length, seed, offset, float32_of(scale), float32_of(low), dialect=dialect
    ).values()


@pytest.fixture(autouse=True)
def keep_generator() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def float_bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def target(name: str, tensor: torch.Tensor, density: float = 0.5) -> Target:
    """Masked at random; nothing is left of what the mask drops."""
    bits = tensor.detach().numpy().ravel().view(np.uint32).copy()
    wanted = np.random.default_rng(len(bits)).random(len(bits)) < density
    bits[~wanted] = 0
    return Target(name, bits, wanted)


def changed(whole: Target, positions: NDArray[np.intp], value: float = 0.25) -> Target:
    bits = whole.values.copy()
    bits[positions] = float_bits(value)
    return Target(whole.name, bits, whole.wanted)


def check(targets: list[Target], found: list[Found | None], seed: int = SEED) -> None:
    """That what was found gives the wanted elements."""
    for each, place in zip(targets, found, strict=True):
        assert place is not None, each.name
        made = values(place.distribution, seed, place.offset, len(each.values), place.scale, place.low, place.dialect)
        made = made.view(np.uint32)
        for position, word in place.differences:
            assert word
            assert each.wanted[position]
            made[position] = (int(made[position]) + word) % 2**32
        np.testing.assert_array_equal(made[each.wanted], each.values[each.wanted], err_msg=each.name)


def places(found: list[Found | None]) -> list[tuple[str, int]]:
    return [(each.distribution, each.offset) for each in found if each is not None]


@pytest.mark.parametrize(
    ("distribution", "seed", "offset", "first", "expected"),
    [
        ("uniform", 0, 0, 0, [0xBB755400, 0x3E89545E, 0xBED2B316, 0xBEBC6680]),
        ("uniform", 4294967295, 1000, 0, [0xBEF7F19E, 0x3EB62B70, 0xBEFAA46C, 0x3D8680C0]),
        ("normal", 0, 0, 0, [0xBF901B85, 0xBF93808A, 0xBE804BD6, 0xBEDE255D, 0x3F194D8B, 0xBFC70D5B]),
        ("normal", 0, 0, 16, [0x3F6E8C30, 0x3FA12737, 0x4000519A, 0x3D5C1B3A]),
        ("normal", 4294967295, 1000, 16, [0x3F2258E6, 0x3D550E97, 0xBFC26FAA, 0xBFA7F97F]),
    ],
)
def test_known_answers(distribution: str, seed: int, offset: int, first: int, expected: list[int]) -> None:
    made = values(distribution, seed, offset, 20, ONE, float_bits(-0.5)).view(np.uint32)
    assert made[first : first + len(expected)].tolist() == expected


def test_stream_from_any_place() -> None:
    assert Stream(5489).draws(0, 4).tolist() == [3499211612, 581869302, 3890346734, 3586334585]
    everything = np.random.RandomState(3).randint(0, 1 << 32, 3 * STEP, dtype=np.uint32)
    stream = Stream(3)
    random = np.random.default_rng(0)
    for _ in range(50):
        start = int(random.integers(0, 3 * STEP))
        stop = min(3 * STEP, start + int(random.integers(0, STEP)))
        np.testing.assert_array_equal(stream.draws(start, stop), everything[start:stop])


def fully_connected(density: float) -> tuple[list[Target], list[tuple[str, int]]]:
    """Kaiming normal as hidden-networks does it: default weight, then scores, then the weight again."""
    torch.manual_seed(SEED)
    targets, expected, at = [], [], 0
    for inputs, outputs in ((784, 300), (300, 100), (100, 10)):
        layer = nn.Linear(inputs, outputs)
        scores = torch.empty_like(layer.weight)
        nn.init.kaiming_uniform_(scores, a=math.sqrt(5))
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        size = layer.weight.numel()
        targets.append(target(f"{inputs}", layer.weight, density))
        expected.append(("normal", at + 2 * size + outputs))
        at += 3 * size + outputs
    return targets, expected


@pytest.mark.parametrize("density", DENSITIES)
def test_hidden_networks(density: float) -> None:
    targets, expected = fully_connected(density)
    found = search(targets, SEED)
    check(targets, found)
    assert places(found) == expected
    assert all(each is not None and not each.differences for each in found)


def test_another_seed() -> None:
    targets, _ = fully_connected(0.5)
    assert search(targets, SEED + 1) == [None] * 3
    assert [seed for seed in range(20) if Prober(targets)(seed)] == [SEED]
    assert probe(targets, SEED)
    assert not probe(targets, SEED + 1)


def defaults() -> list[tuple[str, torch.Tensor]]:
    conv, linear = nn.Conv2d(3, 40, 3), nn.Linear(333, 77)
    pairs = [("conv", conv), ("linear", linear), ("head", nn.Linear(77, 10))]
    return [(f"{name}.{key}", each) for name, layer in pairs for key, each in layer.named_parameters()]


def xavier() -> list[tuple[str, torch.Tensor]]:
    made = [(f"{i}", torch.empty(50 + i, 60)) for i in range(4)]
    for i, (_, tensor) in enumerate(made):
        (nn.init.xavier_normal_ if i % 2 else nn.init.xavier_uniform_)(tensor, gain=1 + i)
    return made


def signed_default() -> list[tuple[str, torch.Tensor]]:
    return [(f"{i}", nn.Conv2d(10 + i, 20, 3, bias=False).weight.sign() * math.sqrt(2 / (i + 3))) for i in range(3)]


def signed_normal() -> list[tuple[str, torch.Tensor]]:
    return [(f"{i}", nn.init.kaiming_normal_(torch.empty(71 + i, 33)).sign() * 0.03) for i in range(3)]


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize(
    ("build", "kinds"),
    [
        (defaults, {"uniform"}),
        (xavier, {"uniform", "normal"}),
        (signed_default, {"signs of uniform"}),
        (signed_normal, {"signs of normal"}),
    ],
)
def test_inits(build: Callable[[], list[tuple[str, torch.Tensor]]], kinds: set[str], density: float) -> None:
    torch.manual_seed(SEED)
    targets = [target(name, tensor, density) for name, tensor in build()]
    targets = [each for each in targets if np.count_nonzero(each.wanted) >= 5]
    found = search(targets, SEED)
    check(targets, found)
    assert {kind for kind, _ in places(found)} == kinds
    assert search(targets, SEED + 1) == [None] * len(targets)


@pytest.mark.parametrize("length", [16, 17, 24, 31, 32, 33, 100, 1000, 4095, 70_001])
@pytest.mark.parametrize("signs", [False, True])
def test_lengths_that_are_no_multiple_of_16(length: int, signs: bool) -> None:
    torch.manual_seed(SEED)
    torch.rand(12_345)
    drawn = torch.empty(length).normal_(0, 0.07)
    whole = target("t", drawn.sign() * 0.5 if signs else drawn, 1.0)
    if signs and length < 100:  # fewer signs than it takes to be sure
        assert search([whole], SEED) == [None]
        return
    found = search([whole], SEED)
    check([whole], found)
    assert places(found) == [("signs of normal" if signs else "normal", 12_345)]


def test_only_the_tail_is_wanted() -> None:
    torch.manual_seed(SEED)
    torch.rand(99)
    drawn = target("t", torch.empty(1001).normal_(), 1.0)
    tail = Target("t", drawn.values, np.arange(1001) >= 985)
    found = search([tail], SEED)
    check([tail], found)
    assert places(found) == [("normal", 99)]


def test_too_small_to_tell() -> None:
    torch.manual_seed(SEED)
    tiny = [torch.empty(15).normal_(), torch.empty(3).uniform_(-1, 1), torch.empty(1).uniform_(-1, 1), torch.empty(0)]
    assert search([target("t", each, 1.0) for each in tiny], SEED) == [None] * 4
    assert search([], SEED) == []
    large = target("t", torch.empty(1000).uniform_(-1, 1), 1.0)
    assert search([Target("t", large.values, np.zeros(1000, dtype=np.bool_))], SEED) == [None]


@pytest.mark.parametrize("kind", ["uniform", "normal", "signs of uniform", "signs of normal"])
def test_changed_elements(kind: str) -> None:
    torch.manual_seed(SEED)
    drawn = torch.empty(40_000)
    drawn = drawn.uniform_(-0.1, 0.1) if kind.endswith("uniform") else drawn.normal_(0, 0.1)
    whole = target("t", drawn.sign() * 0.125 if kind.startswith("signs") else drawn)
    wanted, unwanted = np.flatnonzero(whole.wanted), np.flatnonzero(~whole.wanted)
    few = np.sort(np.random.default_rng(5).choice(wanted, 20, replace=False))
    for value in (0.25, 0.0, math.nan, 1e30, 1e-5):
        perturbed = changed(changed(whole, few, value), unwanted, value)
        found = search([perturbed], SEED)
        check([perturbed], found)
        assert found[0] is not None
        assert found[0].distribution == kind
        assert [position for position, _ in found[0].differences] == few.tolist()
    assert search([changed(whole, wanted[::15])], SEED) == [None]
    (place,) = search([changed(whole, unwanted)], SEED)
    assert place is not None
    assert (place.distribution, place.offset, list(place.differences)) == (kind, 0, [])


def test_one_large_tensor() -> None:
    torch.manual_seed(SEED)
    nn.Linear(500, 500)
    drawn = nn.init.kaiming_normal_(torch.empty(1001, 1003))
    whole = target("mp", drawn, 0.3)
    found = search([whole], SEED)
    check([whole], found)
    assert places(found) == [("normal", 250_500)]


def test_only_the_largest_are_wanted() -> None:
    torch.manual_seed(SEED)
    tensors = [nn.Linear(100, 100).weight, nn.init.kaiming_normal_(torch.empty(100, 100))]
    targets = []
    for tensor in tensors:
        size = tensor.detach().abs().flatten()
        wanted = (size > size.quantile(0.8)).numpy()
        targets.append(Target("t", tensor.detach().numpy().ravel().view(np.uint32), wanted))
    found = search(targets, SEED)
    check(targets, found)
    assert places(found) == [("uniform", 0), ("normal", 10_100)]


def test_beside_what_is_not_from_the_seed() -> None:
    torch.manual_seed(SEED)
    drawn = target("drawn", torch.empty(5000).normal_(0, 0.02))
    other = np.random.default_rng(1)
    trained = [
        other.standard_normal(5000),
        other.uniform(-1, 1, 5000),
        np.sign(other.standard_normal(5000)),
        np.ones(5000),
        np.full(5000, math.nan),
        np.zeros(5000),
        np.full(5000, math.inf),
        other.integers(-3, 4, 5000),
        other.uniform(-1, 1, 20),
    ]
    others = [target("other", torch.from_numpy(each.astype(np.float32)), 1.0) for each in trained]
    found = search([*others, drawn], SEED)
    assert found[:-1] == [None] * len(others)
    check([drawn], found[-1:])


def test_seeds_as_torch_takes_them() -> None:
    for seed in (0, 2**32 - 1, 2**32 + 5, -1):
        torch.manual_seed(seed)
        drawn = target("t", torch.empty(1000).normal_())
        check([drawn], search([drawn], seed), seed)


def test_window_and_progress() -> None:
    drawn = Target("t", values("uniform", SEED, 5000, 1000, ONE, float_bits(-0.5)).view(np.uint32), np.ones(1000, bool))
    calls: list[tuple[int, int, str]] = []
    found = search([drawn], SEED, lambda done, total, what: calls.append((done, total, what)))
    assert places(found) == [("uniform", 5000)]
    assert calls[0][2] == "t"
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[-1][0] == calls[-1][1]
    assert search([drawn], SEED, window=5000) == [None]
    assert places(search([drawn], SEED, window=5001)) == [("uniform", 5000)]


def test_chance() -> None:
    assert beyond_chance("uniform", 5, 0, 1 << 24)
    assert not beyond_chance("uniform", 3, 0, 1 << 24)
    assert not beyond_chance("uniform", 999, 50, 1 << 24)
    assert beyond_chance("uniform", 999, 49, 1 << 24)
    assert beyond_chance("uniform", 999, 0, 1 << 24, near=999)
    assert not beyond_chance("uniform", 4, 0, 1 << 24, near=4)
    assert beyond_chance("signs of normal", 1000, 1, 1 << 24)
    assert not beyond_chance("signs of normal", 50, 0, 1 << 24)
