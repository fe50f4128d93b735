"""Masked layers: gradients by hand, and packing without flags, bit for bit."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import errors
from pemncodec.nn import mask_network
from pemncodec.recipe import Recipe

from . import published


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, bias=False),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def test_weights_are_the_tiled_vector_under_the_top_k_mask() -> None:
    model = mask_network(network(), ratio=0.05, keep=0.3, seed=7)
    n = 16 * 8 * 9
    d = int(n * 0.05) + 1
    vector = pemncodec.Generator("normal", d, seed=7, scale=math.sqrt(2 / 72)).values()
    layers: list[Any] = [model[0], model[3], model[6]]
    for module in layers:
        scores = module.parametrizations.weight.original
        filled = torch.from_numpy(np.resize(vector, scores.numel())).reshape(scores.shape)
        expected = torch.where(published.top_k_mask(scores.detach(), 0.3) == 1, filled, 0.0)
        assert published.bits(module.weight) == published.bits(expected)
    assert len(torch.cat([module.weight.flatten() for module in layers]).unique()) == d + 1


def test_gradient_is_straight_through() -> None:
    model = mask_network(nn.Sequential(nn.Linear(5, 4, bias=False)), ratio=0.3, keep=0.5)
    layer: Any = model[0]
    scores = layer.parametrizations.weight.original
    x, target = torch.rand(3, 5), torch.rand(3, 4)
    loss = ((layer(x) - target) ** 2).sum()
    loss.backward()
    # by hand: dL/dW = 2 (x W' − t)' x; the mask passes it on as if it were the score; |s| brings the sign
    weight = layer.weight.detach()
    by_weight = 2 * (x @ weight.T - target).T @ x
    vector = pemncodec.Generator("normal", int(20 * 0.3) + 1, seed=0, scale=math.sqrt(2 / 5)).values()
    filled = torch.from_numpy(np.resize(vector, 20)).reshape(4, 5)
    assert torch.allclose(scores.grad, by_weight * filled * scores.detach().sign(), atol=1e-6)


def test_packing_needs_no_flag_and_gives_the_live_network(tmp_path: Path) -> None:
    model = mask_network(network(), ratio=0.02, keep=0.4, seed=2**63 + 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.rand(8, 3, 8, 8)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), torch.arange(8)).backward()
        optimizer.step()
    model.eval()
    path = tmp_path / "a.pemn"
    torch.save(model.state_dict(), tmp_path / "model.pt")
    report = pemncodec.save_file(pemncodec.load_checkpoint(tmp_path / "model.pt"), path)
    assert (report.layout, report.keep, report.layers) == ("pemncodec.nn", 0.4, 3)
    assert report.sizes.prototypes == report.sizes.kept == 0, "the prototype is a seed"
    stock = network().eval()
    pemncodec.load_model(stock, path)
    with torch.no_grad():
        assert published.bits(stock(x)) == published.bits(model(x))


@pytest.mark.parametrize("wrap", ["DataParallel", "compile", "deepcopy"])
def test_wrapped_models_pack_the_same(wrap: str) -> None:
    model = mask_network(network(), seed=1)
    plain = pemncodec.load(pemncodec.save(model))
    wrapped: nn.Module = copy.deepcopy(model)
    if wrap == "DataParallel":
        wrapped = nn.DataParallel(wrapped)
    elif wrap == "compile":
        wrapped = torch.compile(wrapped)  # type: ignore[assignment]
    loaded = pemncodec.load(pemncodec.save(wrapped), strip_prefix=True)
    published.assert_equal(loaded, plain)


def test_a_state_dict_resumes(tmp_path: Path) -> None:
    model = mask_network(network(), ratio=0.1, seed=3)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    other = mask_network(network(), ratio=0.1, seed=3)
    other.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True))
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(model.eval()(x), other.eval()(x))


def test_recipe_integers_round_trip() -> None:
    recipe = Recipe(pemncodec.Generator("uniform", 12, 2**64 - 1, 2**63, 0.1), 0.7)
    integers = recipe.to_integers()
    assert all(-(2**63) <= value < 2**63 for value in integers)
    assert Recipe.from_integers(integers, "r") == recipe


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda s: s.pop("0.parametrizations.weight.original"), "a recipe without scores"),
        (lambda s: s.update({"0.parametrizations.weight.0.recipe": torch.zeros(3, dtype=torch.int64)}), "3 numbers"),
        (lambda s: s.update({"0.parametrizations.weight.0.recipe": torch.zeros(7)}), "dtype torch.float32"),
        (lambda s: s["0.parametrizations.weight.0.recipe"].__setitem__(0, 9), "version 9: install a newer"),
        (lambda s: s["0.parametrizations.weight.0.recipe"].__setitem__(6, -1), "keeps a fraction of nan"),
        (lambda s: s["0.parametrizations.weight.0.recipe"].__setitem__(2, 0), "length ≥ 1"),
    ],
)
def test_broken_recipes(change: object, phrase: str) -> None:
    state = {name: tensor.clone() for name, tensor in mask_network(network()).state_dict().items()}
    change(state)  # type: ignore[operator]
    with pytest.raises(errors.UnknownLayoutError) as caught:
        pemncodec.save(state)
    assert phrase in str(caught.value)


def test_keep_that_contradicts_the_recipe() -> None:
    model = mask_network(network(), keep=0.4)
    assert pemncodec.save(model, keep=0.4) == pemncodec.save(model)
    with pytest.raises(errors.MaskRuleError, match=r"--keep 0.5 contradicts the recipe in the file, 0.4"):
        pemncodec.save(model, keep=0.5)


def test_bad_arguments() -> None:
    with pytest.raises(errors.MaskRuleError, match="keep is 0"):
        mask_network(network(), keep=0)
    with pytest.raises(errors.NetworkError, match="ratio is 2"):
        mask_network(network(), ratio=2)
    with pytest.raises(errors.NetworkError, match="no linear or convolutional layer"):
        mask_network(nn.ReLU())


def test_a_network_is_masked_once() -> None:
    model = mask_network(network())
    with pytest.raises(errors.NetworkError, match="has a parametrized weight already"):
        mask_network(model)
    state = dict(mask_network(network()).state_dict())
    state["0.parametrizations.weight.1.recipe"] = state["0.parametrizations.weight.0.recipe"]
    with pytest.raises(errors.UnknownLayoutError, match="was masked twice"):
        pemncodec.save(state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_converted_networks_are_refused(dtype: torch.dtype) -> None:
    """They compute with other weights than their recipe says."""
    with pytest.raises(errors.UnknownLayoutError, match=f"has dtype {dtype}: a converted network"):
        pemncodec.save(mask_network(network()).to(dtype))
    with pytest.raises(errors.NetworkError, match="no float32"):
        mask_network(network().to(dtype))
