"""`load_masks`: a network that trains masks computes what a file does at once, and can be trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import MaskRuleError, MismatchError, NetworkError
from pemncodec.nn import mask_network

KINDS: dict[str, dict[str, Any]] = {
    "edge-popup": {"keep": 0.5},
    "few of few": {"strategy": "random-vector", "keep": 0.3, "ratio": 0.02, "zeros": 0.25},
    "rescaled": {"strategy": "max-layer", "rescale": True, "keep": 0.7},
    "signs": {"strategy": "full", "init": "signed-constant", "zero": "negated"},
    "bernoulli": {"sampler": "bernoulli"},
    "ternary": {"sampler": "ternary", "keep": 0.2},
    "by layer": {"keep": {"0": 0.25, "*": 1.0}},
}


def network(start: int, **options: Any) -> Any:
    torch.manual_seed(start)
    net = nn.Sequential(nn.Linear(20, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    return mask_network(net, **options)


def train(net: Any, steps: int = 12) -> None:
    torch.manual_seed(9)
    x, y = torch.randn(64, 20), torch.randint(3, (64,))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    net.train()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    net.eval()


def weights(net: Any) -> list[torch.Tensor]:
    with torch.no_grad():
        return [net[number].weight.clone() for number in (0, 3)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_the_same_network_at_once(kind: str, margin: float) -> None:
    saved = network(0, **KINDS[kind])
    train(saved)
    data = pemncodec.save(saved)
    net = network(5, **KINDS[kind])
    net.eval()
    pemncodec.load_masks(net, data, margin=margin)
    x = torch.randn(50, 20)
    with torch.no_grad():
        assert net(x).view(torch.int32).equal(saved(x).view(torch.int32))
    assert pemncodec.save(net) == data
    for name, scores in net.named_parameters():
        if name.endswith("original"):
            assert bool((scores != 0).all())  # |score| has no gradient at 0
            assert scores.requires_grad
    before = weights(net)
    train(net)
    changed = any(not one.equal(two) for one, two in zip(before, weights(net), strict=True))
    assert changed or kind == "bernoulli" or margin == 3


def test_a_margin_keeps_masks_for_longer() -> None:
    saved = network(0)
    train(saved)
    flips = []
    for margin in (0.0, 4.0):
        net = network(5)
        pemncodec.load_masks(net, pemncodec.save(saved), margin=margin)
        train(net, 2)
        flips.append(sum(int((one != two).sum()) for one, two in zip(weights(net), weights(saved), strict=True)))
    assert flips[1] == 0 < flips[0]


def test_magnitudes_are_those_of_the_model() -> None:
    saved, net = network(0, keep=0.3), network(5, keep=0.3)
    before = net[0].parametrizations.weight.original.detach().clone()
    pemncodec.load_masks(net, pemncodec.save(saved), margin=0)
    after = net[0].parametrizations.weight.original.detach()
    assert after.abs().flatten().sort().values.equal(before.abs().flatten().sort().values)
    assert torch.sign(after).equal(torch.sign(before))


def test_bernoulli_probabilities() -> None:
    saved, net = network(0, sampler="bernoulli"), network(5, sampler="bernoulli")
    train(saved)
    pemncodec.load_masks(net, pemncodec.save(saved), probability=0.9)
    drawn = torch.sigmoid(net[0].parametrizations.weight.original.detach())
    assert torch.isclose(torch.minimum((drawn - 0.9).abs(), (drawn - 0.1).abs()), torch.zeros(()), atol=1e-6).all()


def test_names_under_wrappers() -> None:
    """A wrapper of the whole model is added or removed; a part that is called `module` is a part."""
    saved = network(0)
    data = pemncodec.save(saved)
    wrapped: Any = nn.Module()
    wrapped.module = network(5)
    pemncodec.load_masks(wrapped, data)
    assert all(one.equal(two) for one, two in zip(weights(wrapped.module), weights(saved), strict=True))
    parts: list[Any] = []
    for start in (0, 5):
        part: Any = nn.Module()
        part.module, part.head = network(start), nn.Linear(2, 2)
        parts.append(part)
    pemncodec.load_masks(parts[1], pemncodec.save(parts[0], mixed_prefixes=True))
    assert all(one.equal(two) for one, two in zip(*(weights(part.module) for part in parts), strict=True))


def refused(net: nn.Module, data: bytes, error: type[Exception], message: str, **options: Any) -> None:
    """The call is refused, and nothing in the model has changed."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(error, match=message):
        pemncodec.load_masks(net, data, **options)
    for name, tensor in net.state_dict().items():
        assert tensor.equal(before[name])


def test_what_does_not_fit() -> None:
    data = pemncodec.save(network(0))
    refused(network(5, seed=1), data, MismatchError, "random values of '0.weight' are others")
    refused(network(5, sampler="bernoulli", seed=1), data, MismatchError, "random values of '0.weight' are others")
    refused(
        network(5, keep=0.6), data, MaskRuleError, "keeps 320 of 640 weights, but the model 384: mask it with keep=0.5"
    )
    refused(network(5, strategy="random-vector", trained=True), data, MismatchError, "values of '0.weight' are trained")
    refused(nn.Linear(2, 2), data, NetworkError, "has no scores")
    refused(network(5), data, NetworkError, "margin is -1", margin=-1)
    refused(network(5), data, NetworkError, "probability 0.5", probability=0.5)
    longer = nn.Sequential(network(5), nn.Linear(2, 2))
    refused(longer, data, MismatchError, "lacks '0.0.bias', '0.0.weight'")
    other = mask_network(nn.Sequential(nn.Linear(21, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3)))
    refused(other, data, MismatchError, r"'0.weight' is \(32, 20\) in the file, but \(32, 21\) in the model")


class Popup(nn.Linear):
    """A layer as the published code has it: a frozen weight, and scores of which the top fraction counts."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.weight.requires_grad_(False)
        self.scores = nn.Parameter(torch.empty_like(self.weight))
        nn.init.kaiming_uniform_(self.scores, a=5**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        drop = int((1 - 0.5) * self.scores.numel())
        mask = torch.ones(self.scores.numel())
        mask[self.scores.abs().flatten().sort().indices[:drop]] = 0
        return nn.functional.linear(x, self.weight * mask.view_as(self.scores))


def popup(start: int, vector: torch.Tensor | None = None) -> Any:
    torch.manual_seed(start)
    net: Any = nn.Sequential(Popup(20, 30), nn.ReLU(), Popup(30, 4))
    if vector is not None:
        for layer in (net[0], net[2]):
            layer.weight.copy_(vector.repeat(10)[: layer.weight.numel()].view_as(layer.weight))
    return net


def test_code_of_others(tmp_path: Path) -> None:
    """A tiled vector is in the file, so that any model gets the weights; of others only what was kept is there."""
    tiled, own = popup(0, torch.randn(70)), popup(1)
    for number, net in enumerate((tiled, own)):
        pemncodec.save_file(net, tmp_path / f"{number}.pemn", keep=0.5)
    x = torch.randn(9, 20)
    new = popup(7)
    pemncodec.load_masks(new, tmp_path / "0.pemn", keep=0.5)
    assert new(x).equal(tiled(x))
    assert new[0].weight.equal(tiled[0].weight)
    again = popup(1)
    torch.manual_seed(11)
    nn.init.kaiming_uniform_(again[0].scores)
    pemncodec.load_masks(again, tmp_path / "1.pemn", keep=0.5)
    assert again(x).equal(own(x))
    assert again[0].weight.equal(own[0].weight)
    data = (tmp_path / "1.pemn").read_bytes()
    refused(popup(7), data, MismatchError, "holds only the kept weights of '0.weight'", keep=0.5)
    refused(popup(1), data, MaskRuleError, "a fraction that no module says: give keep=")
    refused(popup(1), data, MaskRuleError, "keeps 300 of 600 weights, but the model 180", keep=0.3)


def test_equal_scores_are_told_apart() -> None:
    saved, net = network(0), network(5)
    for number in (0, 3):
        nn.init.constant_(net[number].parametrizations.weight.original, 0.0)
    pemncodec.load_masks(net, pemncodec.save(saved), margin=0)
    assert all(one.equal(two) for one, two in zip(weights(net), weights(saved), strict=True))
