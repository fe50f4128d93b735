"""Multicoated masks: known answers, gradients by hand, and files by torch.load and the second decoder."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.draft import SeededWeight
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.loading.recheck.compare import recheck
from pemncodec.network.mask import Mask
from pemncodec.nn import MaskedFill, mask_network, set_keep
from pemncodec.nn.recipe import Recipe

from .. import published
from ..networks import second_decode
from .test_nn import network

TERNARY: dict[str, Any] = {"sampler": "ternary"}
CONSTANTS: dict[str, Any] = {"strategy": "full", "init": "signed-constant"}
OPTIONS: list[dict[str, Any]] = [
    {**TERNARY, "keep": 0.4, "coats": 2},
    {**TERNARY, "keep": 0.4, "coats": 3, "trained": True},
    {**CONSTANTS, "keep": 0.5, "coats": 3},
    {**CONSTANTS, "keep": 1.0, "coats": (0.9, 0.2, 0.1)},
    {**CONSTANTS, "strategy": "one-layer", "keep": {"3": 0.3, "*": 1.0}, "coats": [0.25], "seed": 9},
    {**CONSTANTS, "strategy": "random-vector", "ratio": 0.0, "coats": 2},
    {**CONSTANTS, "strategy": "random-vector", "permute": True, "coats": 2},
    {"coats": 2},
]


def trained(**options: Any) -> nn.Sequential:
    """A network after three steps."""
    model = mask_network(network(), **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.rand(8, 3, 8, 8)), torch.arange(8)).backward()
        optimizer.step()
    return model.eval()


def levels(scores: torch.Tensor, keeps: list[float]) -> torch.Tensor:
    """The number of masks that keep each weight: a sum of masks by the published rule."""
    return torch.stack([published.top_k_mask(scores.detach(), keep) for keep in keeps]).sum(0)


def of_ten(**options: Any) -> Any:
    """A layer of ten weights whose scores are 0.1, −0.2, 0.3 … −1."""
    layer: Any = mask_network(nn.Sequential(nn.Linear(10, 1, bias=False)), **options)[0]
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.arange(1, 11) * 0.1 * (-1.0) ** torch.arange(10))
    return layer


def test_known_weights() -> None:
    level = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3], dtype=np.float32)  # of 6, 4 and 2 weights
    sign = np.array([1, -1] * 5, dtype=np.float32)
    step = np.float32(math.sqrt(2 / 10))
    ternary = of_ten(**TERNARY, keep=0.6, coats=3)
    assert published.bits(ternary.weight) == (np.where(level > 0, sign * level * step, 0)).tobytes()
    constants = of_ten(**CONSTANTS, keep=0.6, coats=(2 / 3, 1 / 3), seed=4)
    values = pemncodec.Generator("sign", 10, seed=4, scale=math.sqrt(2 / 10)).values()
    assert len(np.unique(values)) == 2
    expected = np.where(level > 0, values * level, np.float32(0))
    assert published.bits(constants.weight) == expected.tobytes()


@pytest.mark.parametrize("options", [{**TERNARY, "trained": True}, CONSTANTS], ids=str)
def test_gradients_by_hand(options: dict[str, Any]) -> None:
    layer = of_ten(**options, keep=0.6, coats=3)
    scores = layer.parametrizations.weight.original
    filled = layer.parametrizations.weight[0].filled(scores).detach()
    weight, x = layer.weight.detach(), torch.rand(3, 10)
    layer(x).square().sum().backward()
    by_weight = 2 * (x @ weight.T).T @ x
    # every one of three masks passes the gradient of its weight on
    direction = torch.ones(()) if "sampler" in options else scores.detach().sign()
    assert torch.allclose(scores.grad, 3 * by_weight * filled * direction, atol=1e-5)
    if "sampler" in options:
        magnitude = layer.parametrizations.weight[0].prototype.values
        assert torch.allclose(magnitude.grad, (by_weight * weight / magnitude.detach()).sum(), atol=1e-4)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_files_have_the_live_network(options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = trained(**options)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    report = pemncodec.pack_file(tmp_path / "a.pt", tmp_path / "a.pemn")  # compared a second time, with torch.load
    assert report.family == "pemncodec.nn"
    decoded = second_decode((tmp_path / "a.pemn").read_bytes()).tensors
    stock = network().eval()
    pemncodec.load_model(stock, tmp_path / "a.pemn")
    given = options["coats"]
    shares = [(given - n) / given for n in range(1, given)] if isinstance(given, int) else given
    for name in ("0", "3", "6"):
        part: Any = model.get_submodule(name)
        assert published.bits(part.weight) == published.bits(stock.get_submodule(name).weight)  # type: ignore[arg-type]
        assert published.bits(part.weight) == decoded[f"{name}.weight"].data
        keep: Any = options.get("keep", 0.5)
        keep = keep.get(name, keep["*"]) if isinstance(keep, dict) else keep
        fill = part.parametrizations.weight[0]
        scores = part.parametrizations.weight.original
        multiple = part.weight.abs() / fill.filled(scores).abs()
        assert torch.equal(multiple.round(), levels(scores, [keep, *(keep * share for share in shares)]))
    resumed = mask_network(network(), **options)
    resumed.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True), strict=True)
    x = torch.rand(4, 3, 8, 8)
    assert torch.equal(resumed.eval()(x), model(x))
    assert pemncodec.save(copy.deepcopy(model)) == pemncodec.save(model)


def test_compiled_training() -> None:
    model = mask_network(nn.Sequential(nn.Linear(10, 6, bias=False)), coats=2, **TERNARY, trained=True)
    compiled = torch.compile(model, backend="eager")
    x = torch.rand(4, 10)
    gradients = []
    for run in (model, compiled):
        model.zero_grad()
        run(x).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*gradients, strict=True))


@pytest.mark.parametrize("keep", [0.2, 0.5])
def test_sizes(keep: float) -> None:
    def entropy(*parts: float) -> float:
        return -sum(part * math.log2(part) for part in parts)

    def bits(options: dict[str, Any]) -> float:
        torch.manual_seed(0)
        model = mask_network(nn.Sequential(nn.Linear(300, 300, bias=False)), keep=keep, coats=2, **options)
        sizes = pemncodec.pack(model)[1].sizes
        return 8 * (sizes.masks + sizes.kept + sizes.prototypes) / 300**2

    half = keep / 2
    # a mask, a sign for each kept weight, and which of them a second mask keeps
    assert bits(TERNARY) == pytest.approx(entropy(keep, 1 - keep) + 2 * keep, rel=0.015)
    # two masks, and the signs of half of the kept weights: the others follow from the seed
    assert bits(CONSTANTS) == pytest.approx(2 * entropy(half, 1 - half) + half, rel=0.015)


def test_a_layer_is_stored_in_the_smaller_form() -> None:
    """Signs are cheaper than another mask if nearly all kept weights are kept twice."""
    for share, form in ((0.2, "tiled"), (0.95, "kept")):
        model = mask_network(nn.Sequential(nn.Linear(100, 100, bias=False)), keep=0.2, coats=(share,), **CONSTANTS)
        with pemncodec.PemnFile(pemncodec.save(model)) as file:
            assert str(file.decoder.manifest.entries[0]).lower().startswith(form)


def test_of_equal_scores_the_same_are_kept_in_training_and_in_the_file() -> None:
    model = mask_network(nn.Sequential(nn.Linear(40, 5, bias=False)), keep=0.5, coats=4, **CONSTANTS)
    layer: Any = model[0]
    scores = layer.parametrizations.weight.original
    with torch.no_grad():
        scores.mul_(3).round_()
    loaded = pemncodec.load(pemncodec.save(model))["0.weight"]
    assert published.bits(loaded) == published.bits(layer.weight)
    step = layer.weight.abs()[layer.weight != 0].min()
    multiples = (layer.weight.abs() / step).round().flatten()
    assert torch.bincount(multiples.long()).tolist() == [100, 25, 25, 25, 25]
    for less, more in ((0, 1), (1, 2), (3, 4)):  # a weight that more masks keep has no smaller score
        assert scores.abs().flatten()[multiples == less].max() <= scores.abs().flatten()[multiples == more].min()


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[2], OPTIONS[3], OPTIONS[5]], ids=str)
def test_training_goes_on_from_a_file(options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model = trained(**options)
    torch.manual_seed(2)
    other = mask_network(network(), **options)
    pemncodec.load_masks(other, pemncodec.save(model))
    x = torch.rand(4, 3, 8, 8)
    assert torch.equal(other.eval()(x), model(x))
    fewer = mask_network(network(), **{**options, "coats": 1})
    with pytest.raises(errors.MismatchError, match=r"random values of .* are others"):
        pemncodec.load_masks(fewer, pemncodec.save(model))
    changed = mask_network(network(), **{**options, "coats": (0.95, 0.45, 0.1)})
    before = {name: tensor.clone() for name, tensor in changed.state_dict().items()}
    with pytest.raises(errors.MaskRuleError, match=r"coat 2 of '0.weight' keeps .* mask it with the coats"):
        pemncodec.load_masks(changed, pemncodec.save(model))
    assert all(torch.equal(before[name], tensor) for name, tensor in changed.state_dict().items())


def test_a_schedule_changes_every_coat() -> None:
    model = mask_network(nn.Sequential(nn.Linear(20, 20, bias=False)), keep=1.0, coats=2, **TERNARY)
    layer: Any = model[0]
    for keep in (1.0, 0.5, 0.25):
        set_keep(model, keep)
        counts = torch.unique(layer.weight.abs(), return_counts=True)[1].tolist()
        assert counts[-2:] == [200 * keep, 200 * keep]
        assert torch.equal(pemncodec.load(pemncodec.save(model))["0.weight"], layer.weight)


def test_the_second_comparison_notices_a_wrong_coat(tmp_path: Path) -> None:
    torch.save(trained(**CONSTANTS, coats=2).state_dict(), tmp_path / "a.pt")
    options = PackOptions()
    draft = draft_of(pemncodec.load_checkpoint(tmp_path / "a.pt"), options)
    pemncodec.pack_file(tmp_path / "a.pt", tmp_path / "a.pemn")
    number = next(number for number, one in enumerate(draft.entries) if isinstance(one, SeededWeight))
    sound: Any = draft.entries[number]
    flags = sound.coats[0].to_bool()
    flags[[flags.argmax(), flags.argmin()]] ^= True
    for wrong in ((Mask.from_bool(flags),), (), (sound.mask,)):
        draft.entries[number] = replace(sound, coats=wrong)
        with pytest.raises(errors.MismatchError, match="does not follow from its scores"):
            recheck(tmp_path / "a.pemn", tmp_path / "a.pt", draft, options)


def test_a_network_of_other_coats_refuses_a_state() -> None:
    state = mask_network(network(), **CONSTANTS, coats=2).state_dict()
    for coats in (1, 3, (0.4,)):
        with pytest.raises(RuntimeError, match="recipe does not match this network"):
            mask_network(network(), **CONSTANTS, coats=coats).load_state_dict(state)


def test_recipes() -> None:
    """One coat has the thirteen integers that older readers know; they refuse any other number of them."""
    fills = [part for part in mask_network(network(), **CONSTANTS).modules() if isinstance(part, MaskedFill)]
    one = fills[0].recipe.tolist()
    assert len(one) == 13
    model = mask_network(network(), **CONSTANTS, coats=3)
    three = next(part for part in model.modules() if isinstance(part, MaskedFill)).recipe.tolist()
    shares = np.array(three[13:]).view(np.float64).tolist()
    assert shares == [2 / 3, 1 / 3]
    assert Recipe.from_integers(three, "it").to_integers() == three

    def bits(*numbers: float) -> list[int]:
        return np.array(numbers).view(np.int64).tolist()  # type: ignore[no-any-return]

    bad = [bits(0.3, 0.4), bits(0.5, 0.5), bits(1.0), bits(0.0), bits(-0.5), bits(math.nan), bits(math.inf)]
    for coats in bad:
        with pytest.raises(errors.UnknownLayoutError, match="coats that do not descend"):
            Recipe.from_integers([*one, *coats], "it")
    normal = mask_network(network(), strategy="random-vector")
    fill = next(part for part in normal.modules() if isinstance(part, MaskedFill))
    with pytest.raises(errors.UnknownLayoutError, match="a mask that has none"):
        Recipe.from_integers([*fill.recipe.tolist(), *bits(0.5)], "it")
    with pytest.raises(errors.UnknownLayoutError, match="has 29 numbers"):
        Recipe.from_integers([*one, *bits(*(1 / n for n in range(2, 18)))], "it")


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (
            {"strategy": "random-vector", "coats": 2},
            "several coats require sampler='ternary', or init='signed-constant'",
        ),
        ({**CONSTANTS, "coats": 2, "sampler": "bernoulli"}, "several coats require sampler='ternary'"),
        ({**CONSTANTS, "coats": 2, "zeros": 0.5}, "omit zeros, rescale, zero and trained, or coats"),
        ({**CONSTANTS, "coats": 2, "zero": "negated"}, "omit zeros, rescale, zero and trained, or coats"),
        ({**CONSTANTS, "coats": 2, "trained": True}, "omit zeros, rescale, zero and trained, or coats"),
        ({**CONSTANTS, "coats": 2, "rescale": True}, "omit zeros, rescale, zero and trained, or coats"),
        ({**TERNARY, "coats": 0}, "coats is '0': use 1 to 16"),
        ({**TERNARY, "coats": 17}, "coats is '17': use 1 to 16"),
        ({**TERNARY, "coats": True}, "coats is 'True'"),
        ({**TERNARY, "coats": 2.0}, "coats is '2.0'"),
        ({**TERNARY, "coats": (0.5, 0.5)}, "descending between 1 and 0"),
        ({**TERNARY, "coats": (1.0,)}, "descending between 1 and 0"),
        ({**TERNARY, "coats": ("half",)}, "descending between 1 and 0"),
        ({**TERNARY, "coats": (math.nan,)}, "descending between 1 and 0"),
    ],
)
def test_bad_options_change_nothing(options: dict[str, Any], phrase: str) -> None:
    model = network()
    before = list(model.state_dict())
    with pytest.raises(errors.NetworkError) as caught:
        mask_network(model, **options)
    assert phrase in str(caught.value)
    assert list(model.state_dict()) == before
