"""Checkpoints and networks by the published rules, written independently of the package.

Bai et al., "Parameter-Efficient Masking Networks" (NeurIPS 2022) and Ramanujan et al. (CVPR 2020): every layer holds
a frozen random `weight` and learned `scores`; the forward pass multiplies the weight by the mask of the top k scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

StateDict = dict[str, torch.Tensor]

# A ConvMixer 16/2 and its classifier: three shapes, two of them twice.
SHAPES: dict[str, tuple[int, ...]] = {
    "0.weight": (16, 3, 4, 4),
    "3.0.fn.0.weight": (16, 1, 5, 5),
    "3.1.weight": (16, 16, 1, 1),
    "4.0.fn.0.weight": (16, 1, 5, 5),
    "4.1.weight": (16, 16, 1, 1),
    "9.weight": (10, 16),
}


def kaiming(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))


def fill(shapes: Iterable[tuple[int, ...]], vector: torch.Tensor) -> list[torch.Tensor]:
    """Every layer is the beginning of `vector`."""
    return [vector[: math.prod(shape)].reshape(shape).clone() for shape in shapes]


def filled_weights(strategy: str, seed: int = 0, ratio: float = 0.05) -> StateDict:
    """The frozen weights of every strategy."""
    g = torch.Generator().manual_seed(seed)
    shapes = list(SHAPES.values())
    own = [kaiming(shape, g) for shape in shapes]
    largest = max(own, key=lambda weight: weight.numel())
    n = largest.numel()
    d = int(n * ratio) + 1
    tiled = largest.flatten()[:d].repeat(n // d + 1)[:n]
    std = [math.sqrt(2 / math.prod(shape[1:])) for shape in shapes]
    weights: dict[str, list[torch.Tensor]] = {
        "full": own,
        "max-layer": fill(shapes, largest.flatten()),
        "random-vector-copy": fill(shapes, tiled),
        "random-vector-rand": fill(shapes, tiled[torch.randperm(n, generator=g)]),
        "signed-constant": [w.sign() * s for w, s in zip(own, std, strict=True)],
        "unsigned-constant": [torch.full(shape, s) for shape, s in zip(shapes, std, strict=True)],
        "scaled": [w * s for w, s in zip(fill(shapes, largest.flatten()), (1, 0.7, 1.3, 0.1, 3, 0.9), strict=True)],
    }
    by_shape: dict[tuple[int, ...], torch.Tensor] = {}
    weights["one-layer"] = [by_shape.setdefault(shape, w).clone() for shape, w in zip(shapes, own, strict=True)]
    return dict(zip(SHAPES, weights[strategy], strict=True))


STRATEGIES = (
    "full",
    "one-layer",
    "max-layer",
    "random-vector-copy",
    "random-vector-rand",
    "signed-constant",
    "unsigned-constant",
    "scaled",
)


def checkpoint(strategy: str, seed: int = 0) -> StateDict:
    """A state_dict as the published code writes it: weight, scores, learned BatchNorm."""
    g = torch.Generator().manual_seed(seed + 1)
    state: StateDict = {}
    for name, weight in filled_weights(strategy, seed).items():
        state[name] = weight
        state[name[: -len("weight")] + "scores"] = torch.rand(weight.shape, generator=g) - 0.5
        if weight.dim() == 4:
            norm = name[: -len("weight")] + "norm."
            for kind in ("weight", "bias", "running_mean", "running_var"):
                state[norm + kind] = torch.rand(len(weight), generator=g)
            state[norm + "num_batches_tracked"] = torch.tensor(1234)
    return state


def top_k_mask(scores: torch.Tensor, keep: float) -> torch.Tensor:
    """The published rule: sort |scores| in ascending order, drop the first int((1 − k) · n)."""
    mask = torch.ones(scores.numel())
    order = scores.abs().flatten().sort(stable=True).indices
    mask[order[: int((1 - keep) * scores.numel())]] = 0
    return mask.reshape(scores.shape)


def effective(state: StateDict, keep: float) -> StateDict:
    """Return the state_dict that the network computes with: +0.0 where masked, no scores."""
    out: StateDict = {}
    for name, tensor in state.items():
        scores = state.get(name[: -len("weight")] + "scores") if name.endswith("weight") else None
        if name.endswith("scores"):
            continue
        out[name] = tensor if scores is None else torch.where(top_k_mask(scores, keep) == 1, tensor, 0.0)
    return out


class EdgePopup(nn.Module):
    """A layer of the published kind: `weight` and `scores`, masked in the forward pass."""

    def __init__(self, weight: torch.Tensor, scores: torch.Tensor, keep: float, apply: Callable[..., Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scores = nn.Parameter(scores)
        self.keep = keep
        self.apply_layer = apply

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.apply_layer(x, self.weight * top_k_mask(self.scores, self.keep))
        return result


def small_network(state: StateDict, keep: float) -> nn.Module:
    """A published-style network over the two kinds of layers, from a state_dict with scores."""
    conv, linear = nn.functional.conv2d, nn.functional.linear
    return nn.Sequential(
        EdgePopup(state["0.weight"], state["0.scores"], keep, lambda x, w: conv(x, w, stride=4)),
        nn.ReLU(),
        EdgePopup(
            state["3.0.fn.0.weight"], state["3.0.fn.0.scores"], keep, lambda x, w: conv(x, w, padding=2, groups=16)
        ),
        nn.ReLU(),
        EdgePopup(state["3.1.weight"], state["3.1.scores"], keep, conv),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        EdgePopup(state["9.weight"], state["9.scores"], keep, linear),
    )


def bits(tensor: torch.Tensor) -> bytes:
    """The elements of a tensor in memory order of a contiguous copy."""
    flat = tensor.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def assert_equal(found: StateDict, expected: StateDict) -> None:
    """The same names in the same order, dtypes, shapes and bits."""
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert bits(found[name]) == bits(tensor), name
