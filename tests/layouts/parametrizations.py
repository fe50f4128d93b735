"""torch.nn.utils.parametrize with a masking module, as the library itself writes it.

For a parameter X of a module P: `P.parametrizations.X.original` and the buffers of the registered modules by number,
here `P.parametrizations.X.0.mask`; the module's other tensors come first. The tensor is what the modules make of the
original, one after the other: original · mask.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from .case import Bad, Case, StateDict, Tasks, torch_bad, torch_case
from .parts import mask_without, prefixed, seeded

ORIGINAL = re.compile(r"(.*\.|)parametrizations\.(\w+)\.original")
MASK = re.compile(r"(.*\.|)parametrizations\.(\w+)\.\d+\.mask")


class Masked(nn.Module):
    """Multiplies a parameter by a mask."""

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * self.mask


def network(seed: int, dtype: torch.dtype) -> nn.Sequential:
    g = seeded(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(25, 12), nn.Linear(12, 10))
    for index, name, density in ((0, "weight", 0.3), (2, "weight", 0.1), (2, "bias", 0.5)):
        shape = tuple(getattr(net[index], name).shape)
        count = torch.Size(shape).numel()
        mask = mask_without(shape, count - int(density * count), g).to(dtype)
        parametrize.register_parametrization(net[index], name, Masked(mask))
    return net


def dense(state: StateDict) -> tuple[StateDict, StateDict]:
    """The masks, and every tensor of the network, by dense name."""
    masks = {match[1] + match[2]: mask for name, mask in state.items() if (match := MASK.fullmatch(name))}
    tensors = {}
    for name, tensor in state.items():
        match = ORIGINAL.fullmatch(name)
        if match:
            parameter = match[1] + match[2]
            tensors[parameter] = tensor * masks[parameter] + 0.0
        elif not MASK.fullmatch(name):
            tensors[name] = tensor
    return masks, tensors


def _case(name: str, net: nn.Module, key: str | None = None, prefix: str = "") -> Case:
    state: Any = prefixed({k: v.clone() for k, v in net.state_dict().items()}, prefix)
    effective: StateDict = {}
    for raw in net.state_dict():
        match = ORIGINAL.fullmatch(raw)
        if match:
            value = getattr(net.get_submodule(match[1].removesuffix(".")), match[2])
            effective[match[1] + match[2]] = value.detach() + 0.0
        elif not MASK.fullmatch(raw):
            effective[raw] = net.state_dict()[raw].clone()

    def load(checkpoint: Any) -> StateDict:
        return dict(checkpoint[key] if key else checkpoint)

    def masks(checkpoint: Any) -> Tasks:
        return {"": {weight: mask != 0 for weight, mask in dense(load(checkpoint))[0].items()}}

    return torch_case(
        f"parametrizations, {name}, {f'nested under {key}' if key else 'flat'}{f', {prefix}' if prefix else ''}",
        {},
        {key: state, "epoch": 1} if key else state,
        {"": prefixed(effective, prefix)},
        masks,
        lambda checkpoint: {"": dense(load(checkpoint))[1]},
    )


def one_layer(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = nn.Linear(40, 30)
    mask = mask_without((30, 40), 900, seeded(seed)).float()
    parametrize.register_parametrization(layer, "weight", Masked(mask))
    return layer


def cases() -> list[Case]:
    return [
        _case("mask of float32", network(160, torch.float32)),
        _case("mask of bool", network(161, torch.bool)),
        _case("mask of uint8", network(162, torch.uint8), "model", "module."),
        _case("one layer, no name before", one_layer(163)),
    ]


def bad() -> list[Bad]:
    net = network(164, torch.float32)
    parametrize.register_parametrization(net[0], "weight", Masked(torch.ones(8, 3, 3, 3)))
    return [
        torch_bad("parametrizations, two masks of one weight", {}, dict(net.state_dict()), "two masks"),
    ]
