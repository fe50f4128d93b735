"""`load_model(layout="packed")` puts tensors into a model as `load_state_dict(assign=True)` would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import MismatchError
from pemncodec import nn as masked
from pemncodec.packed.tensor import PackedTensor


class Net(nn.Module):
    """Tied weights, a module under two names, buffers of both kinds, a frozen parameter."""

    passing: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)
        self.norm = nn.LayerNorm(16)
        self.again = self.norm
        self.register_buffer("kept", torch.arange(3.0))
        self.register_buffer("passing", torch.zeros(2), persistent=False)
        self.register_parameter("none", None)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.again(self.second(self.norm(self.first(x))))
        return out


class Own(nn.Linear):
    """A module that loads in a way of its own."""

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        state_dict[prefix + "bias"] = state_dict[prefix + "bias"] + 1
        super()._load_from_state_dict(state_dict, prefix, *args)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    net = Net()
    masked.mask_network(net, strategy="random-vector", ratio=0.1)
    net.frozen.data.fill_(7)
    pemncodec.save_file(net, tmp_path / "net.pemn")
    return tmp_path / "net.pemn"


def _described(net: nn.Module) -> list[tuple[Any, ...]]:
    """Every tensor: its name, kind, whether it is trained, its bits, and the first name of the same object."""
    found: list[tuple[Any, ...]] = []
    first: dict[int, str] = {}
    named = [*net.named_parameters(remove_duplicate=False), *net.named_buffers(remove_duplicate=False)]
    for name, tensor in named:
        dense = tensor.dense() if isinstance(tensor, PackedTensor) else tensor.detach()
        bits = dense.view(torch.int32).tolist()
        kinds = type(tensor), isinstance(tensor, nn.Parameter), tensor.requires_grad
        found.append((name, *kinds, bits, first.setdefault(id(tensor), name)))
    return found


def _through_torch(net: nn.Module) -> list[str]:
    """Have torch load it: a hook of one module is enough."""
    called: list[str] = []
    net.register_load_state_dict_post_hook(lambda *_: called.append("after"))
    return called


def test_the_same_as_by_torch(path: Path) -> None:
    one, two = Net(), Net()
    called = _through_torch(two)
    for net in (one, two):
        assert pemncodec.load_model(net, path, layout="packed") == ([], [])
    assert called == ["after"]
    assert isinstance(one.first.weight, PackedTensor)
    assert _described(one) == _described(two)
    assert one.norm.weight is one.again.weight
    assert one.passing.tolist() == [0, 0]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_outputs(path: Path, device: str) -> None:
    net, dense = Net().to(device), Net()
    if device == "meta":
        net.passing = torch.zeros(2)
    pemncodec.load_model(net, path, layout="packed")
    pemncodec.load_model(dense, path)
    x = torch.randn(4, 16)
    torch.testing.assert_close(net(x), dense(x))


def test_hooks_are_called(path: Path) -> None:
    net, other = Net(), Net()
    called: list[str] = []
    net.first.register_load_state_dict_pre_hook(lambda *_: called.append("of a module"))
    pemncodec.load_model(net, path, layout="packed")
    assert called == ["of a module"]
    handle = nn.modules.module.register_module_parameter_registration_hook(lambda *_: called.append("of all"))
    try:
        pemncodec.load_model(other, path, layout="packed")
    finally:
        handle.remove()
    assert "of all" in called[1:]


def test_a_module_with_a_way_of_its_own(path: Path) -> None:
    net = Net()
    net.first = Own(16, 16)
    pemncodec.load_model(net, path, layout="packed")
    assert torch.equal(net.first.bias, pemncodec.load_file(path)["first.bias"] + 1)


def test_nothing_is_changed_by_what_does_not_fit(path: Path) -> None:
    net = Net()
    net.second = nn.Linear(16, 17)
    before = _described(net)
    with pytest.raises(MismatchError, match="size mismatch for second"):
        pemncodec.load_model(net, path, layout="packed")
    assert _described(net)[-1] == before[-1]
    net = Net()
    net.third = nn.Linear(2, 2)
    before = _described(net)
    with pytest.raises(MismatchError, match="Missing key"):
        pemncodec.load_model(net, path, layout="packed")
    found = pemncodec.load_model(net, path, strict=False, layout="packed")
    assert found.missing_keys == ["third.weight", "third.bias"]
