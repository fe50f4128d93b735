"""A plain state_dict whose weights hold zeros: what any method of pruning leaves once its masks are multiplied in.

Mask: != 0, so −0.0 is dropped, and decodes to +0.0. Zeros of biases and of BatchNorm's running means are values like
any others.
"""

from __future__ import annotations

from typing import Any

import torch

from .case import Case, StateDict, Tasks, torch_case
from .parts import Shapes, batchnorm, mask_without, prefixed, seeded, signs

LAYERS: Shapes = {"conv1": (8, 3, 3, 3), "conv2": (12, 8, 3, 3), "fc": (10, 48)}
SPARSITY = {"conv1": 0.3, "conv2": 0.9, "fc": 0.97}


def network(dtype: torch.dtype, negative: str, seed: int) -> tuple[StateDict, StateDict]:
    """A state_dict with zeros, `negative` being which of them are −0.0, and the same with +0.0."""
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for layer, shape in LAYERS.items():
        weight = torch.randn(shape, generator=g).to(dtype)
        mask = mask_without(shape, int(SPARSITY[layer] * weight.numel()), g)
        sign = signs(shape, g) if negative == "half" else torch.tensor(-1.0 if negative == "all" else 1.0)
        effective[f"{layer}.weight"] = torch.where(mask, weight, torch.zeros((), dtype=dtype))
        state[f"{layer}.weight"] = torch.where(mask, weight, (torch.zeros(shape) * sign).to(dtype))
        extra = {f"{layer}.bias": torch.zeros(shape[0], dtype=dtype)}
        if len(shape) == 4:
            norm = batchnorm(layer.replace("conv", "bn"), shape[0], g)
            extra |= {name: t.to(dtype) if t.is_floating_point() else t for name, t in norm.items()}
        state |= extra
        effective |= extra
    return state, effective


def _case(name: str, dtype: torch.dtype, negative: str, seed: int, key: str | None = None, prefix: str = "") -> Case:
    state, effective = network(dtype, negative, seed)
    weights = [f"{prefix}{layer}.weight" for layer in LAYERS]

    def load(checkpoint: Any) -> StateDict:
        return dict(checkpoint[key] if key else checkpoint)

    def masks(checkpoint: Any) -> Tasks:
        return {"": {weight: load(checkpoint)[weight] != 0 for weight in weights}}

    def evaluate(checkpoint: Any) -> Tasks:
        return {"": {name: t + 0.0 if name in weights else t for name, t in load(checkpoint).items()}}

    stored: Any = prefixed(state, prefix)
    return torch_case(
        f"plain dense, {name}, {f'nested under {key}' if key else 'flat'}{f', {prefix}' if prefix else ''}",
        {},
        {key: stored, "epoch": 90} if key else stored,
        {"": prefixed(effective, prefix)},
        masks,
        evaluate,
    )


def cases() -> list[Case]:
    return [
        _case("float32", torch.float32, "none", 220),
        _case("float32, zeros of both signs", torch.float32, "half", 221),
        _case("float32, every zero is −0.0", torch.float32, "all", 222),
        _case("bfloat16", torch.bfloat16, "none", 223),
        _case("bfloat16, zeros of both signs", torch.bfloat16, "half", 224),
        _case("float16, zeros of both signs", torch.float16, "half", 225),
        _case("float32, zeros of both signs", torch.float32, "half", 226, "state_dict", "module."),
        _case("float32, zeros of both signs", torch.float32, "half", 227, "model", "_orig_mod."),
    ]
