"""`load_model` into models on the meta device, and ties."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import pemncodec


class Net(nn.Module):
    """A tied pair, a frozen layer, batch statistics."""

    def __init__(self, tied: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 5)
        self.norm = nn.BatchNorm1d(5)
        self.frozen = nn.Linear(5, 5).requires_grad_(False)
        self.head = nn.Linear(5, 7, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.frozen(self.norm(self.embed(x))))
        return out


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    pemncodec.save_file(Net(), tmp_path / "a.pemn")
    return tmp_path / "a.pemn"


def on_meta(tied: bool = True) -> Net:
    with torch.device("meta"):
        return Net(tied)


def test_a_model_on_the_meta_device_is_refused_or_assigned(path: Path) -> None:
    model = on_meta()
    with pytest.raises(
        pemncodec.MismatchError, match=r"^'embed\.weight' of the model is on the meta device .*: use assign=True$"
    ):
        pemncodec.load_model(model, path)
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    assert not any(pemncodec.load_model(model, path, assign=True))
    torch.manual_seed(0)
    original = Net()
    x = torch.arange(7)
    assert torch.equal(model.eval()(x), original.eval()(x))
    assert model.head.weight is model.embed.weight
    assert [p.requires_grad for p in model.parameters()] == [p.requires_grad for p in original.parameters()]
    assert [type(p) for p in model.state_dict(keep_vars=True).values()] == [
        type(p) for p in original.state_dict(keep_vars=True).values()
    ]
    model.train()(x).sum().backward()
    assert model.embed.weight.grad is not None


def test_a_model_that_is_on_the_meta_device_in_part(path: Path) -> None:
    model = Net()
    model.norm.to("meta")
    with pytest.raises(pemncodec.MismatchError, match=r"'norm\.weight' of the model is on the meta device"):
        pemncodec.load_model(model, path)


def test_what_the_model_does_not_tie_shares_no_memory(path: Path) -> None:
    model = on_meta(tied=False)
    pemncodec.load_model(model, path, assign=True)
    assert torch.equal(model.head.weight, model.embed.weight)
    with torch.no_grad():
        model.head.weight += 1
    assert not torch.equal(model.head.weight, model.embed.weight)
    places = [tensor.untyped_storage() for tensor in model.state_dict().values()]
    assert len({place.data_ptr() for place in places}) == len(places)
    assert sum(place.nbytes() for place in places) == sum(t.nbytes for t in model.state_dict().values())


def test_assigned_tensors_have_the_dtype_of_the_file(path: Path) -> None:
    copied, assigned = Net().double(), Net().double()
    pemncodec.load_model(copied, path)
    pemncodec.load_model(assigned, path, assign=True)
    assert copied.embed.weight.dtype == torch.float64
    assert assigned.embed.weight.dtype == torch.float32


def test_names_and_shapes_are_checked_when_assigned(path: Path) -> None:
    with pytest.raises(pemncodec.MismatchError, match=r"Missing key\(s\) 'weight', 'bias'; Unexpected key\(s\) 'em"):
        pemncodec.load_model(nn.Linear(2, 2, device="meta"), path, assign=True)
    model = on_meta()
    model.frozen = nn.Linear(6, 5, device="meta")
    with pytest.raises(
        pemncodec.MismatchError, match=r"does not fit the model: size mismatch for frozen\.weight"
    ) as caught:
        pemncodec.load_model(model, path, assign=True)
    assert len(str(caught.value)) <= 200
    result = pemncodec.load_model(nn.Embedding(7, 5, device="meta"), path, strict=False, assign=True)
    assert result.missing_keys == ["weight"]
