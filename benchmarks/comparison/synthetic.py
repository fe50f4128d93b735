"""Networks that nobody trained: random scores, and values as their kind of network has them."""

from __future__ import annotations

import math
from typing import Any

import torch
from experiments.networks import resnet
from torch import nn

from pemncodec.nn import mask_network

from .network import Masked, Network, top
from .trained import dense_state

VIT_WIDTH, VIT_DEPTH = 768, 12
UNTRAINED: dict[str, object] = {"origin": "not trained: random scores"}


def signed_constants(name: str, width: int = 64, keep: float = 0.3) -> Network:
    """hidden-networks: a ResNet-20, weights plus or minus one constant a layer, BatchNorm without parameters."""
    torch.manual_seed(0)
    model = resnet(20, width)
    masked: dict[str, Masked] = {}
    checkpoint: dict[str, object] = {}
    with torch.no_grad():
        for path, weight in model.named_parameters():
            if weight.dim() > 1:
                constant = math.sqrt(2 / math.prod(weight.shape[1:]) / keep)
                scores = torch.rand(weight.shape)
                weight.copy_(constant * torch.where(torch.rand(weight.shape) < 0.5, -1.0, 1.0))
                masked[path] = Masked(weight.detach().clone(), top(scores, keep))
                checkpoint |= {path: masked[path].fill, path.removesuffix("weight") + "scores": scores}
                weight.copy_(masked[path].effective)
        model.train()(torch.randn(16, 3, 16, 16))  # the statistics of BatchNorm are any numbers
    absent = {path for path, parameter in model.named_parameters() if parameter.dim() == 1}
    tensors = {path: tensor.clone() for path, tensor in model.state_dict().items() if path not in absent}
    return Network(name, tensors | checkpoint, keep, tensors, masked, facts=dict(UNTRAINED))


def vit(name: str, keep: float, width: int = VIT_WIDTH, depth: int = VIT_DEPTH) -> Network:
    """The shapes of a ViT-B/16, filled by a random vector of a thousandth of the largest layer, random scores."""
    generator = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"embed.weight": (width, 3, 16, 16)}
    for block in range(depth):
        shapes[f"blocks.{block}.attention.qkv.weight"] = (3 * width, width)
        shapes[f"blocks.{block}.attention.out.weight"] = (width, width)
        shapes[f"blocks.{block}.mlp.0.weight"] = (4 * width, width)
        shapes[f"blocks.{block}.mlp.2.weight"] = (width, 4 * width)
    shapes["head.weight"] = (1000, width)
    vector = torch.randn(max(map(math.prod, shapes.values())) // 1000 + 1, generator=generator) / math.sqrt(width)
    checkpoint: dict[str, object] = {}
    tensors: dict[str, torch.Tensor] = {}
    masked: dict[str, Masked] = {}

    def plain(path: str, *shape: int) -> None:
        checkpoint[path] = tensors[path] = 0.02 * torch.randn(shape, generator=generator)

    plain("token", 1, 1, width)
    plain("position", 1, 197, width)
    for path, shape in shapes.items():
        scores = torch.rand(shape, generator=generator)
        count = scores.numel()
        fill = vector.repeat(count // len(vector) + 1)[:count].view(shape).clone()
        masked[path] = Masked(fill, top(scores, keep))
        tensors[path] = masked[path].effective
        checkpoint |= {path: fill, path.removesuffix("weight") + "scores": scores}
        plain(path.removesuffix("weight") + "bias", shape[0])
        if "qkv" in path or ".mlp.0" in path:
            norm = path.removesuffix("qkv.weight").removesuffix("0.weight") + "norm"
            plain(f"{norm}.weight", width)
            plain(f"{norm}.bias", width)
    return Network(name, checkpoint, keep, tensors, masked, shared=True, facts=dict(UNTRAINED))


def tiny(name: str) -> Network:
    """A few hundred weights with a seed; for `--quick`, for tests, and to warm up."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(32, 10, bias=False)]
    model = mask_network(nn.Sequential(*layers), strategy="random-vector", ratio=0.1)
    model.train()(torch.randn(8, 2, 4, 4))
    state = dense_state(model)
    masked: dict[str, Masked] = {}
    for path in ("0", "3"):
        parametrizations: Any = model.get_submodule(f"{path}.parametrizations.weight")
        scores = parametrizations.original.detach()
        masked[f"{path}.weight"] = Masked(parametrizations[0].filled(scores).clone(), top(scores, 0.5))
    return Network(name, model.state_dict(), None, state, masked, shared=True, seeds=1, facts=dict(UNTRAINED))


def tiny_pruned(name: str) -> Network:
    """As small, with values of its own and many zeros, saved dense."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(16, 24, generator=generator)
    masked = {"weight": Masked(weight, weight.abs() > 1.5)}
    tensors = {"weight": masked["weight"].effective, "bias": torch.randn(16, generator=generator)}
    return Network(name, tensors, None, tensors, masked, facts={"origin": "not trained: random weights"})
