"""Masked layers: gradients by hand, and packing without flags, bit for bit."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.loading.compare import compare
from pemncodec.nn import MaskedFill, Prototype, lottery_ticket, mask_network
from pemncodec.nn.recipe import Recipe

from .. import published

ROOT = Path(__file__).resolve().parents[2]


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
    model = mask_network(network(), strategy="random-vector", ratio=0.05, keep=0.3, seed=7)
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


@pytest.mark.parametrize("zero", ["zero", "negated"])
@pytest.mark.parametrize("sampler", ["edge-popup", "bernoulli"])
def test_gradient_is_straight_through(sampler: str, zero: str) -> None:
    model = mask_network(
        nn.Sequential(nn.Linear(5, 4, bias=False)), strategy="random-vector", ratio=0.3, sampler=sampler, zero=zero
    ).eval()
    layer: Any = model[0]
    scores = layer.parametrizations.weight.original
    x, target = torch.rand(3, 5), torch.rand(3, 4)
    loss = ((layer(x) - target) ** 2).sum()
    loss.backward()
    # by hand: dL/dW = 2 (x W' − t)' x; dW/dm is the difference of the two values; dm/ds is sign(s) for |s|, and
    # p (1 − p) for sigmoid(s)
    weight = layer.weight.detach()
    by_weight = 2 * (x @ weight.T - target).T @ x
    vector = pemncodec.Generator("normal", int(20 * 0.3) + 1, seed=0, scale=math.sqrt(2 / 5)).values()
    filled = torch.from_numpy(np.resize(vector, 20)).reshape(4, 5)
    p = torch.sigmoid(scores.detach())
    by_score = scores.detach().sign() if sampler == "edge-popup" else p * (1 - p)
    step = 2 * filled if zero == "negated" else filled
    assert torch.allclose(scores.grad, by_weight * step * by_score, atol=1e-6)


def test_bernoulli_masks_are_drawn_in_training_and_fixed_in_evaluation() -> None:
    torch.manual_seed(0)
    model = mask_network(nn.Sequential(nn.Linear(200, 300, bias=False)), keep=0.3, sampler="bernoulli")
    layer: Any = model[0]
    draws = [layer.weight != 0 for _ in range(2)]
    assert not torch.equal(*draws)
    p = torch.sigmoid(layer.parametrizations.weight.original.detach())
    assert abs(p.mean().item() - 0.3) < 0.01
    assert all(abs(draw.float().mean().item() - p.mean().item()) < 0.01 for draw in draws)
    model.eval()
    assert torch.equal(layer.weight != 0, p >= 0.5)


def test_packing_needs_no_flag_and_gives_the_live_network(tmp_path: Path) -> None:
    model = mask_network(network(), strategy="random-vector", ratio=0.02, keep=0.4, seed=2**63 + 5)
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
    assert (report.family, report.keep, report.layers) == ("pemncodec.nn", 0.4, 3)
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


def distributed(store: str) -> None:
    """DistributedDataParallel broadcasts parameters and buffers, and prefixes its state_dict."""
    model = mask_network(network(), seed=1)
    plain = pemncodec.load(pemncodec.save(model))
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    wrapped = nn.parallel.DistributedDataParallel(model)
    published.assert_equal(pemncodec.load(pemncodec.save(wrapped.state_dict()), strip_prefix=True), plain)
    wrapped(torch.rand(4, 3, 8, 8)).square().mean().backward()
    trained = [p for name, p in wrapped.named_parameters() if "original" in name]
    assert len(trained) == 3
    assert all(p.grad is not None for p in trained)


def test_distributed_training_packs_the_same(tmp_path: Path) -> None:
    """In a process that ends without destructors: torch's may wait for each other when a group is let go of."""
    code = f"import os; from tests.nn.test_nn import distributed; distributed({str(tmp_path / 'store')!r}); os._exit(7)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_gpu_computes_the_same_weights() -> None:
    model = mask_network(Everything(), strategy="random-vector", zeros=0.3, permute=True, rescale=True)
    layers: list[Any] = [model.head, model.conv2, model.up1]
    here = [published.bits(layer.weight) for layer in layers]
    there = model.to("cuda")
    assert len({m.values.data_ptr() for m in there.modules() if isinstance(m, Prototype)}) == 1
    assert [published.bits(layer.weight.cpu()) for layer in layers] == here


def test_a_state_dict_resumes(tmp_path: Path) -> None:
    model = mask_network(network(), strategy="random-vector", ratio=0.1, seed=3)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    other = mask_network(network(), strategy="random-vector", ratio=0.1, seed=3)
    other.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True))
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(model.eval()(x), other.eval()(x))


def test_a_state_dict_of_another_recipe_is_refused() -> None:
    own: dict[str, Any] = {"strategy": "random-vector", "ratio": 0.1, "seed": 3}
    state = mask_network(network(), **own).state_dict()
    others: list[dict[str, Any]] = [{"seed": 4}, {"ratio": 0.2}, {"keep": 0.4}, {"zeros": 0.1}, {"strategy": "full"}]
    for options in others:
        other = mask_network(network(), **{**own, **options})
        with pytest.raises(RuntimeError, match=r"0\.parametrizations\.weight\.0\.recipe does not match this network"):
            other.load_state_dict(state)
        fill: Any = other[0]
        before = mask_network(network(), **{**own, **options}).state_dict()
        assert torch.equal(fill.parametrizations.weight[0].recipe, before["0.parametrizations.weight.0.recipe"])


def test_recipe_integers_round_trip() -> None:
    recipe = Recipe(pemncodec.Generator("uniform", 12, 2**64 - 1, 2**63, 0.1), 0.7)
    integers = recipe.to_integers()
    assert all(-(2**63) <= value < 2**63 for value in integers)
    assert Recipe.from_integers(integers, "r") == recipe
    assert Recipe.from_integers(integers[:11], "r") == recipe, "as pemncodec 0.1 wrote it"
    arranged = Recipe(pemncodec.Generator("uniform", 12, 1, 2, 0.1, period=5, zeros=2).distinct(), 0.7)
    assert Recipe.from_integers(arranged.to_integers(), "r") == arranged


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda s: s.pop("0.parametrizations.weight.original"), "a recipe without scores"),
        (lambda s: s.update({"0.parametrizations.weight.0.recipe": torch.zeros(3, dtype=torch.int64)}), "3 numbers"),
        (lambda s: s.update({"0.parametrizations.weight.0.recipe": torch.zeros(11)}), "dtype torch.float32"),
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
        mask_network(network(), strategy="random-vector", ratio=2)
    with pytest.raises(errors.NetworkError, match="there is no weight to mask"):
        mask_network(nn.ReLU())


def test_a_network_is_masked_once() -> None:
    model = mask_network(network())
    with pytest.raises(errors.NetworkError, match="already has a parametrized weight"):
        mask_network(model)
    state = dict(mask_network(network()).state_dict())
    state["0.parametrizations.weight.1.recipe"] = state["0.parametrizations.weight.0.recipe"]
    with pytest.raises(errors.UnknownLayoutError, match="was masked twice"):
        pemncodec.save(state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_converted_networks_are_refused(dtype: torch.dtype) -> None:
    """Their weights differ from those of their recipe."""
    with pytest.raises(
        errors.UnknownLayoutError, match=f"has dtype {dtype}: the weights of a converted network differ"
    ):
        pemncodec.save(mask_network(network()).to(dtype))
    with pytest.raises(errors.NetworkError, match=f"is {dtype}, but only float32 can be masked"):
        mask_network(network().to(dtype))


# --- every strategy, init, sampler ------------------------------------------------------------------------------------


class Everything(nn.Module):
    """Every kind of layer that is masked, and some that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.cross = nn.MultiheadAttention(16, 2, kdim=12, vdim=10, batch_first=True)
        self.conv1 = nn.Conv1d(16, 8, 3, padding=1)
        self.up1 = nn.ConvTranspose1d(8, 16, 2, stride=2)
        self.conv2 = nn.Conv2d(1, 4, 3)
        self.up2 = nn.ConvTranspose2d(4, 2, 3)
        self.conv3 = nn.Conv3d(1, 2, 1)
        self.up3 = nn.ConvTranspose3d(2, 1, 1)
        self.norm = nn.BatchNorm2d(2)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        x = self.attention(x, x, x, need_weights=False)[0]
        x = self.cross(x, x[..., :12], x[..., :10], need_weights=False)[0]
        x = self.up1(self.conv1(x.transpose(1, 2)))
        x = self.norm(self.up2(self.conv2(x[:, None])))
        x = self.up3(self.conv3(x[:, None]))[:, 0]
        result: torch.Tensor = self.head(x.mean(1).transpose(1, 2))
        return result


MASKED = 13  # weights: 1 + 1 and 3 + 1 of attention, 6 convolutions, 1 linear


@pytest.mark.parametrize("zero", ["zero", "negated"])
@pytest.mark.parametrize("sampler", ["edge-popup", "bernoulli"])
@pytest.mark.parametrize("init", ["kaiming-normal", "signed-constant", "uniform"])
@pytest.mark.parametrize("strategy", ["full", "one-layer", "max-layer", "random-vector"])
def test_every_combination_packs_without_flags(strategy: str, init: str, sampler: str, zero: str) -> None:
    torch.manual_seed(0)
    model = mask_network(
        Everything(), strategy=strategy, init=init, sampler=sampler, zero=zero, keep=0.4, seed=5, rescale=True
    )
    tokens = torch.arange(14).reshape(2, 7) % 7
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(tokens).square().mean().backward()
        optimizer.step()
    assert all(p.grad is not None for name, p in model.named_parameters() if "original" in name)
    model.eval()
    data, report = pemncodec.pack(model)
    assert report.layers == MASKED
    assert report.sizes.prototypes == report.sizes.kept == 0, "the prototypes are seeds"
    # matmul rounds otherwise for a weight that requires a gradient, and the live weight does not here
    stock = Everything().eval().requires_grad_(False)
    stock.load_state_dict(pemncodec.load(data), strict=True)
    with torch.no_grad():
        assert published.bits(stock(tokens)) == published.bits(model(tokens))
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.ConvTranspose2d):
            assert published.bits(module.weight) == published.bits(stock.get_submodule(name).weight)  # type: ignore[arg-type]
    assert compare(data, draft_of(model, PackOptions())).tensors == len(stock.state_dict())


def values_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """The values of every masked weight before masking, by module."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, MaskedFill):
            owner = model.get_submodule(name.rsplit(".parametrizations", 1)[0])
            parameter = name.split("parametrizations.")[1].split(".")[0]
            original = getattr(owner, "parametrizations")[parameter].original  # noqa: B009
            found[name] = module.filled(original).detach()
    return found


def test_strategies_share_what_they_say() -> None:
    full, one, mp, rp = (
        values_of(mask_network(Everything(), strategy=s, ratio=0.02, keep=1.0, init="kaiming-normal"))
        for s in ("full", "one-layer", "max-layer", "random-vector")
    )
    largest = max(full.values(), key=torch.Tensor.numel)
    total = sum(values.numel() for values in full.values())
    assert len(torch.cat([values.flatten() for values in full.values()]).unique()) > 0.999 * total
    for values in one.values():
        twins = [other for other in one.values() if other.shape == values.shape]
        assert all(torch.equal(values, twin) for twin in twins)
    assert not torch.equal(next(iter(one.values())).flatten()[:9], one[list(one)[-1]].flatten()[:9])
    first = max(mp.values(), key=torch.Tensor.numel).flatten()
    assert all(torch.equal(values.flatten(), first[: values.numel()]) for values in mp.values())
    d = int(largest.numel() * 0.02) + 1
    assert len(torch.cat([values.flatten() for values in rp.values()]).unique()) == d


def test_rescaling_gives_every_layer_its_own_variance() -> None:
    model = nn.Sequential(nn.Linear(100, 400), nn.Linear(400, 100), nn.Linear(16, 1000))
    plain = list(values_of(mask_network(copy.deepcopy(model), strategy="max-layer")).values())
    scaled = list(values_of(mask_network(model, strategy="max-layer", rescale=True)).values())
    assert [round(v.std().item() * 50**0.5, 1) for v in plain] == [1.0, 1.0, 1.0]
    assert [round(v.std().item() * (n / 2) ** 0.5, 1) for v, n in zip(scaled, (100, 400, 16), strict=True)] == [1.0] * 3


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (None, {"a", "b.0", "b.1"}),
        ("b.*", {"b.0", "b.1"}),
        (["a", "b.1"], {"a", "b.1"}),
        (lambda name, module: name != "b" and module.in_features == 3, {"a", "b.1"}),
    ],
)
def test_scope(scope: Any, expected: set[str]) -> None:
    model = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))})
    mask_network(model, scope=scope)
    masked = {name for name, module in model.named_modules() if parametrize.is_parametrized(module)}
    assert masked == expected


def test_the_prototype_is_in_memory_once() -> None:
    model = mask_network(nn.Sequential(*(nn.Linear(64, 64) for _ in range(5))), strategy="max-layer")
    for moved in (model, copy.deepcopy(model), model.to(torch.device("cpu"))):
        pointers = {m.values.data_ptr() for m in moved.modules() if isinstance(m, Prototype)}
        assert len(pointers) == 1
    assert not any("values" in name for name in model.state_dict())


def test_training_under_autocast_and_compile() -> None:
    model = mask_network(network())
    x = torch.rand(4, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(x).float().square().mean()
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    compiled = torch.compile(model.eval(), backend="eager")
    with torch.no_grad():
        assert published.bits(compiled(x)) == published.bits(model(x))


def test_unknown_options() -> None:
    for option in ({"strategy": "x"}, {"init": "x"}, {"sampler": "x"}, {"zero": "x"}, {"scope": "nothing.*"}):
        with pytest.raises(errors.NetworkError):
            mask_network(network(), **option)  # type: ignore[arg-type]
    with pytest.raises(errors.MaskRuleError, match="a Bernoulli mask starts with a probability below 1"):
        mask_network(network(), keep=1.0, sampler="bernoulli")


def test_random_vectors_have_exactly_d_distinct_values() -> None:
    """Also where draws of 24 bits coincide: here some twenty times."""
    n, ratio = 1000 * 400, 0.1
    d = int(n * ratio) + 1
    for init in ("kaiming-normal", "uniform"):
        model = mask_network(
            nn.Sequential(nn.Linear(400, 1000)), strategy="random-vector", ratio=ratio, init=init, keep=0.9
        )
        (values,) = values_of(model).values()
        assert len(values.unique()) == d
        plain = pemncodec.Generator("normal" if init != "uniform" else "uniform", d, 0).values()
        assert len(np.unique(plain)) < d, "otherwise this tests nothing"
        data, report = pemncodec.pack(model)
        layer: Any = model[0]
        published.assert_equal(pemncodec.load(data), {"0.bias": layer.bias, "0.weight": layer.weight})
        assert report.sizes.prototypes == 0


def test_lottery_tickets() -> None:
    torch.manual_seed(0)
    model = network()
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x, y = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
    calls = []

    def train(net: nn.Module) -> None:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        trained: Any = net
        calls.append(trained[6].weight.abs().detach().clone())

    lottery_ticket(model, train, rounds=3, fraction=0.3)
    assert len(calls) == 3
    state = model.state_dict()
    for name, tensor in start.items():
        found = state[f"{name}_orig"] if f"{name}_orig" in state else state[name]
        assert torch.equal(found, tensor), name
    masks = torch.cat([mask.flatten() for name, mask in state.items() if name.endswith("_mask")])
    assert abs(masks.mean().item() - 0.7**3) < 0.002
    # the last round prunes the smallest of the trained weights that are left
    mask = state["6.weight_mask"] == 1
    pruned_last = (calls[2] > 0) & ~mask
    assert calls[2][mask].min() >= calls[2][pruned_last].max()
    data, report = pemncodec.pack(model)
    assert report.family == "torch.nn.utils.prune"
    loaded = pemncodec.load(data)
    assert torch.equal(loaded["6.weight"], start["6.weight"] * mask)


def test_lottery_tickets_say_what_is_wrong() -> None:
    with pytest.raises(errors.NetworkError, match="0 rounds"):
        lottery_ticket(network(), lambda _: None, rounds=0)
    with pytest.raises(errors.NetworkError, match=r"rewind has no '0\.weight'"):
        lottery_ticket(network(), lambda _: None, rounds=1, rewind={"0.bias": torch.zeros(8)})
    with pytest.raises(errors.NetworkError, match="no weight to prune"):
        lottery_ticket(nn.ReLU(), lambda _: None, rounds=1)


def test_the_default_and_the_paper_one_argument_away() -> None:
    def made(**options: Any) -> list[torch.Tensor]:
        return list(values_of(mask_network(Everything(), **options)).values())

    def same(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
        return len(one) == len(two) and all(map(torch.equal, one, two))

    assert same(made(), made(strategy="full", init="signed-constant"))
    for strategy in ("random-vector", "max-layer", "one-layer"):
        assert same(made(strategy=strategy), made(strategy=strategy, init="kaiming-normal", ratio=0.01))
    constants = made()
    for values in constants:
        assert len(values.abs().unique()) == 1
    large = [values.flatten()[:50] > 0 for values in constants if values.numel() >= 50]
    assert len(large) > 2
    assert len({tuple(signs.tolist()) for signs in large}) == len(large), "each layer has signs of its own"
