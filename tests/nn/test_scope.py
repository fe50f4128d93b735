"""Weights that `mask_network` masks, and models and arguments that it refuses before it changes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, weight_norm

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.loading.compare import compare
from pemncodec.nn import lottery_ticket, mask_network


class Tied(nn.Module):
    """A language model whose output layer is its embedding."""

    def __init__(self, tied: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.hidden = nn.Linear(16, 16)
        self.output = nn.Linear(16, 20, bias=False)
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.output(torch.relu(self.hidden(self.embedding(tokens))))
        return logits


def masked_names(model: nn.Module) -> set[str]:
    return {name for name, module in model.named_modules() if parametrize.is_parametrized(module)}


def test_a_tied_weight_is_not_masked_alone() -> None:
    for make in (mask_network, lambda model: lottery_ticket(model, lambda _: None, rounds=1)):
        model = Tied()
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with pytest.raises(errors.NetworkError, match=r"embedding\.weight and output\.weight are one parameter"):
            make(model)
        assert not masked_names(model)
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    model = mask_network(Tied(), scope="hidden")
    stock = Tied()
    stock.load_state_dict(pemncodec.load(pemncodec.save(model)))
    tokens = torch.arange(10)
    assert torch.equal(stock.eval()(tokens), model.eval()(tokens))


def test_one_module_under_two_names_is_masked_once() -> None:
    model = nn.Module()
    model.a = nn.Linear(4, 4)
    model.b = model.a
    assert masked_names(mask_network(model)) == {"a"}


def test_ties_of_the_model_and_not_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    pemncodec.save_file(Tied(tied=False), path)
    with pytest.raises(errors.MismatchError, match=r"'embedding.weight' and 'output.weight', which are one tensor"):
        pemncodec.load_model(Tied(), path)
    model = Tied()
    pemncodec.save_file(model, path)
    other = Tied()
    pemncodec.load_model(other, path)
    assert torch.equal(other.output.weight, model.embedding.weight)


def lazy() -> nn.Module:
    return nn.LazyLinear(3)


def meta() -> nn.Module:
    return nn.Linear(3, 3, device="meta")


@pytest.mark.parametrize(
    ("last", "phrase"),
    [
        (lambda: weight_norm(nn.Linear(3, 3)), "1.weight is not a parameter, but computed by hooks"),
        (lambda: prune.random_unstructured(nn.Linear(3, 3), "weight", 0.5), "computed by hooks"),
        (lambda: parametrizations.orthogonal(nn.Linear(3, 3)), "already has a parametrized weight"),
        (lambda: nn.Linear(3, 3).double(), "1.weight is torch.float64, but only float32 can be masked"),
        (lazy, "1.weight has no values yet"),
        (meta, "1.weight is on the meta device"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:Lazy modules")
def test_what_cannot_be_masked(last: Any, phrase: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3), last())
    with pytest.raises(errors.NetworkError, match=phrase):
        mask_network(model)
    assert not parametrize.is_parametrized(model[0]), "nothing was changed"


@pytest.mark.parametrize(
    ("scope", "phrase"),
    [
        (["0", "typo"], "'typo' matches no layer; the layers are '0', '2'"),
        (5, "the scope 5 is not a pattern"),
        (nn.Linear, "is not a pattern of names"),
        ([5], "is not a pattern of names"),
    ],
)
def test_scopes_that_say_nothing(scope: Any, phrase: str) -> None:
    with pytest.raises(errors.NetworkError, match=phrase):
        mask_network(nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3)), scope=scope)


def test_arguments_of_another_type() -> None:
    wrong: Any
    for wrong, phrase in ((nn.Linear, "not a type"), ({}, "not a dict")):
        with pytest.raises(errors.NetworkError, match=phrase):
            mask_network(wrong)
    keep: Any = "0.5"
    with pytest.raises(errors.MaskRuleError, match=r"keep is 0\.5"):
        mask_network(nn.Linear(3, 3), keep=keep)


def test_frozen_weights_have_scores_that_are_trained() -> None:
    model = mask_network(nn.Sequential(nn.Linear(3, 3)).requires_grad_(False))
    model(torch.rand(2, 3)).sum().backward()
    layer: Any = model[0]
    assert layer.parametrizations.weight.original.grad is not None
    assert not layer.bias.requires_grad


def test_lottery_tickets_of_attention() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    x = torch.rand(2, 5, 16)

    def train(net: nn.Module) -> None:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()

    lottery_ticket(model, train, rounds=2)
    train(model)
    stock = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    stock.load_state_dict(pemncodec.load(pemncodec.save(model)))
    # in training mode, where both take the same path (there is no dropout)
    assert torch.equal(stock.train()(x), model.train()(x))
    pruned = {name for name in model.state_dict() if name.endswith("_mask")}
    assert pruned == {"self_attn.in_proj_weight_mask", "linear1.weight_mask", "linear2.weight_mask"}


def test_conversion_there_and_back_keeps_the_random_values() -> None:
    torch.manual_seed(0)
    model = mask_network(nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 5)), seed=3)
    model.half()
    layer: Any = model[0]
    assert layer.weight.dtype == torch.float16
    model.float().eval()
    assert torch.equal(layer.weight, pemncodec.load(pemncodec.save(model))["0.weight"])


def test_empty_bernoulli_masks_are_told() -> None:
    model = mask_network(nn.Sequential(nn.Linear(30, 20)), sampler="bernoulli", keep=0.2)
    report = pemncodec.pack(model)[1]
    assert any("keeps none of its weights" in note for note in report.notes)


def test_the_order_of_a_state_dict_says_nothing() -> None:
    model = nn.Linear(3, 2)
    turned = dict(reversed(list(model.state_dict().items())))
    data = pemncodec.save(model)
    assert compare(data, draft_of(turned, PackOptions())).tensors == 2
    turned["bias"] = turned["bias"] + 1
    with pytest.raises(errors.MismatchError, match="2 elements of 'bias'"):
        compare(data, draft_of(turned, PackOptions()))
