"""Ternary masks, trained vectors, fractions by layer, BatchNorm's statistics: by hand and through files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import errors
from pemncodec.nn import MaskedFill, erdos_renyi, mask_network, recalibrate_batchnorm, set_keep
from pemncodec.nn.recipe import Recipe
from pemncodec.nn.samplers import edge_popup

from .. import published
from .test_nn import network


def trained(**options: Any) -> nn.Sequential:
    """A network after three steps."""
    torch.manual_seed(0)
    model = mask_network(network(), **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.rand(8, 3, 8, 8)), torch.arange(8)).backward()
        optimizer.step()
    return model.eval()


VECTOR: dict[str, Any] = {"strategy": "random-vector", "trained": True}
OPTIONS: list[dict[str, Any]] = [
    {"sampler": "ternary", "keep": 0.3},
    {"sampler": "ternary", "trained": True},
    {**VECTOR},
    {**VECTOR, "rescale": True, "sampler": "bernoulli"},
    {**VECTOR, "zero": "negated", "ratio": 0.0},
    {"strategy": "one-layer", "trained": True, "init": "signed-constant"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_files_have_the_live_network(options: dict[str, Any], tmp_path: Path) -> None:
    model = trained(**options)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    report = pemncodec.pack_file(tmp_path / "a.pt", tmp_path / "a.pemn")  # compared a second time, with torch.load
    assert report.family == "pemncodec.nn"
    stock = network().eval()
    pemncodec.load_model(stock, tmp_path / "a.pemn")
    x = torch.rand(4, 3, 8, 8)
    with torch.no_grad():
        assert published.bits(stock(x)) == published.bits(model(x))
    resumed = mask_network(network(), **options)
    resumed.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True), strict=True)
    assert torch.equal(resumed.eval()(x), model(x))
    with pytest.raises(errors.OutputError, match="not filled by a generator"):
        pemncodec.load_original(tmp_path / "a.pemn")


def test_ternary_weights_and_gradients_by_hand() -> None:
    model = mask_network(nn.Sequential(nn.Linear(10, 6, bias=False)), sampler="ternary", keep=0.4, trained=True)
    layer: Any = model[0]
    scores = layer.parametrizations.weight.original
    magnitude = layer.parametrizations.weight[0].prototype.values
    kept = published.top_k_mask(scores.detach(), 0.4) == 1
    assert math.isclose(magnitude.item(), math.sqrt(2 / 10), rel_tol=1e-6)
    expected = torch.where(kept, scores.detach().sign() * magnitude.detach(), torch.zeros(()))
    assert published.bits(layer.weight) == published.bits(expected)
    x = torch.rand(3, 10)
    layer(x).square().sum().backward()
    by_weight = 2 * (x @ expected.T).T @ x
    assert torch.allclose(scores.grad, by_weight * magnitude.detach(), atol=1e-5)
    assert torch.allclose(magnitude.grad, (by_weight * expected.sign()).sum(), atol=1e-4)


def test_every_ternary_layer_trains_its_own_magnitude_and_takes_a_bit_and_a_half() -> None:
    torch.manual_seed(0)
    model = mask_network(
        nn.Sequential(nn.Linear(256, 256, bias=False), nn.Linear(256, 256, bias=False)), sampler="ternary", trained=True
    )
    assert len({id(part.prototype) for part in model.modules() if isinstance(part, MaskedFill)}) == 2
    sizes = pemncodec.pack(model)[1].sizes
    bits = 8 * (sizes.masks + sizes.kept) / sizes.masked_weights
    assert 1.5 <= bits < 1.52


def test_a_trained_vector_gets_the_gradient_of_what_was_kept() -> None:
    model = mask_network(nn.Sequential(nn.Linear(5, 4, bias=False)), strategy="random-vector", ratio=0.1, trained=True)
    layer: Any = model[0]
    vector = layer.parametrizations.weight[0].prototype.values
    assert vector.numel() == 3
    weight = layer.weight
    weight.retain_grad()
    weight.square().sum().backward()
    kept = (weight != 0).flatten()
    for place in range(3):
        own = torch.arange(20) % 3 == place
        assert torch.isclose(vector.grad[place], weight.grad.flatten()[own & kept].sum())
    sizes = pemncodec.pack(trained(**VECTOR))[1].sizes
    assert 0 < sizes.prototypes < 200
    assert sizes.kept == 0


def test_an_older_reader_refuses_what_it_does_not_know() -> None:
    """It knew the samplers 0 and 1, and 0 and 1 for whether values are distinct."""
    for options, place in (({"sampler": "ternary"}, 7), (VECTOR, 10)):
        model = mask_network(network(), **options)
        recipe = next(part for part in model.modules() if isinstance(part, MaskedFill)).recipe.tolist()
        assert recipe[place] > 1
        assert Recipe.from_integers(recipe, "it").to_integers() == recipe


def test_trained_values_that_are_not_there() -> None:
    state = dict(mask_network(network(), strategy="random-vector", trained=True).state_dict())
    name = "0.parametrizations.weight.0.prototype.values"
    wrong = {**state, name: state[name][:3]}
    with pytest.raises(errors.UnknownLayoutError, match="its recipe has 12 values"):
        pemncodec.save(wrong)
    del state[name]
    with pytest.raises(errors.UnknownLayoutError, match=r"are trained, but there is no"):
        pemncodec.save(state)


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        ({"sampler": "ternary", "zeros": 0.5}, "ternary weights have no random values"),
        ({"sampler": "ternary", "zero": "negated"}, "ternary weights have no random values"),
        ({**VECTOR, "zeros": 0.5}, "trained values stay neither zero nor repeated"),
        ({**VECTOR, "permute": True}, "trained values stay neither zero nor repeated"),
        ({"trained": True}, "trained is an option of a random vector: choose strategy='random-vector' as well"),
        ({"ratio": 0.1}, "ratio is an option of a random vector"),
        ({"permute": True}, "permute is an option of a random vector"),
        ({"rescale": True}, "rescale is an option of a random vector"),
        ({"keep": {"nothing": 0.5}}, "'nothing', which matches no masked module"),
        ({"keep": {"0": 0.5}}, "no fraction for the module '3'"),
        ({"keep": {"*": 0.0}}, "must be above 0"),
        ({"keep": {"*": True}}, "must be above 0"),
    ],
)
def test_bad_options_change_nothing(options: dict[str, Any], phrase: str) -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises((errors.NetworkError, errors.MaskRuleError), match=phrase):
        mask_network(model, **options)
    assert list(before) == list(model.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("drop", [0, 1, 17, 30, 59, 60])
@pytest.mark.parametrize("ties", [False, True])
def test_the_selection_is_that_of_a_stable_sort(drop: int, ties: bool) -> None:
    scores = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    if ties:
        scores = scores.round()
    idle = torch.arange(60).view(6, 10) % 7 == 0
    for idles in (None, idle):
        count = min(drop, 60 if idles is None else int((~idle).sum()))
        ranked = [
            (math.inf if idles is not None and idle.flatten()[place] else abs(score), place)
            for place, score in enumerate(scores.flatten().tolist())
        ]
        dropped = {place for _, place in sorted(ranked)[:count]}
        mask = edge_popup(scores, count, idles)[1]
        assert {place for place, kept in enumerate(mask.flatten().tolist()) if not kept} == dropped


def test_fractions_by_name_and_a_schedule() -> None:
    model = mask_network(network(), keep={"0": 1.0, "*": 0.25})
    x = torch.rand(2, 3, 8, 8)

    def shares() -> list[float]:
        layers: list[Any] = [model[0], model[3], model[6]]
        return [round((layer.weight != 0).float().mean().item(), 3) for layer in layers]

    assert shares() == [1.0, 0.25, 0.25]
    loaded = pemncodec.load(pemncodec.save(model))
    assert torch.count_nonzero(loaded["3.weight"]) == 16 * 8 * 9 // 4
    set_keep(model, {"6": 0.1, "?": 0.5})
    assert shares() == [0.5, 0.5, 0.1]
    model.eval()
    stock = network().eval()
    pemncodec.load_model(stock, pemncodec.save(model))
    assert torch.equal(stock(x), model(x))
    with pytest.raises(errors.NetworkError, match="no masked layer"):
        set_keep(network(), 0.5)
    with pytest.raises(errors.NetworkError, match="Bernoulli masks keep"):
        set_keep(mask_network(network(), sampler="bernoulli"), 0.5)
    with pytest.raises(errors.MaskRuleError):
        set_keep(model, 1.5)


def test_the_erdos_renyi_kernel() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 32, 3), nn.Flatten(), nn.Linear(32, 10))
    # dimensions over weights: 17 / 216, 46 / 2304, 42 / 320; the last would keep more than all of it
    found = erdos_renyi(plain, 0.3)
    assert found["3"] == 1.0
    factor = (0.3 * 2840 - 320) / (17 + 46)
    assert math.isclose(found["0"], factor * 17 / 216)
    assert math.isclose(found["1"], factor * 46 / 2304)
    assert math.isclose(found["0"] * 216 + found["1"] * 2304 + 320, 0.3 * 2840)
    assert set(erdos_renyi(plain, 1.0).values()) == {1.0}
    mask_network(plain, keep=found)
    with pytest.raises(errors.NetworkError, match="no weight to mask"):
        erdos_renyi(nn.ReLU(), 0.5)


def test_batchnorm_is_recalibrated_to_the_mean_over_batches() -> None:
    model = network().train()
    layer: Any = model[1]
    layer.momentum, layer.running_mean[:] = 0.3, 7.0
    model[2].eval()
    weights = {name: tensor.clone() for name, tensor in model.named_parameters()}
    batches = [torch.rand(16, 3, 8, 8) for _ in range(3)]
    recalibrate_batchnorm(model, iter(batches))
    with torch.no_grad():
        maps = [model[0](batch).transpose(0, 1).flatten(1) for batch in batches]
    assert torch.allclose(layer.running_mean, torch.stack([each.mean(1) for each in maps]).mean(0), atol=1e-5)
    assert torch.allclose(layer.running_var, torch.stack([each.var(1) for each in maps]).mean(0), atol=1e-5)
    assert (layer.momentum, int(layer.num_batches_tracked)) == (0.3, 0)
    assert model.training
    assert layer.training
    assert not model[2].training
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.named_parameters())
    for broken, given, phrase in ((nn.Linear(2, 2), batches, "no BatchNorm"), (model, [], "no batch")):
        with pytest.raises(errors.NetworkError, match=phrase):
            recalibrate_batchnorm(broken, given)
