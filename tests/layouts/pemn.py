"""yueb17/PEMN: src/convmixer/models.py, utils.py, train.py.

A ConvMixer as nn.Sequential, so names are numbers; a layer holds `weight` and, after it, `scores`; no biases. train.py
saves the state_dict itself (start.pt before training, best.pt), with `module.` under --parallel. BatchNorm is learned
by default (`--bn_type not-learn`: no weight, no bias). Evaluation is edge-popup over |scores| in every layer;
`--sparsity` is the fraction kept. How the weights are shared:

- "no": every layer its own, Kaiming normal, fan-in;
- "clone" (one-layer): convolutions of an equal shape are copies of the first of it; Linear keeps its own;
- "augment" (MP, RP): v is the weight of the first largest layer, flat, N values; with a ratio below 1 its first
  d = int(N · ratio) + 1 values are repeated to N ("copy"), and then permuted once ("rand"). Every layer, convolution or
  Linear, is the beginning of v.
"""

from __future__ import annotations

import torch

from .case import Case, StateDict, masked, torch_case
from .parts import Shape, Shapes, batchnorm, edge_popup_mask, kaiming_normal, popup_scores, prefixed, seeded
from .rules import edge_popup
from .scored import evaluate_by, masks_by

STRATEGIES = ("no", "one-layer", "MP", "RP copy", "RP rand")
WIDTH, DEPTH = 16, 2


def shapes() -> Shapes:
    """The masked layers of the ConvMixer by their names, in order."""
    found: dict[str, Shape] = {"0": (WIDTH, 3, 2, 2)}
    for block in range(3, 3 + DEPTH):
        found |= {f"{block}.0.fn.0": (WIDTH, 1, 5, 5), f"{block}.1": (WIDTH, WIDTH, 1, 1)}
    return found | {f"{5 + DEPTH}": (10, WIDTH)}


def norm_after(layer: str) -> str | None:
    """The name of the BatchNorm that follows a convolution."""
    parts = layer.split(".")
    return None if layer == f"{5 + DEPTH}" else ".".join([*parts[:-1], str(int(parts[-1]) + 2)])


def weights(strategy: str, g: torch.Generator, ratio: float) -> StateDict:
    own = {name: kaiming_normal(shape, g) for name, shape in shapes().items()}
    if strategy == "no":
        return own
    if strategy == "one-layer":
        first: dict[torch.Size, torch.Tensor] = {}
        return {name: first.setdefault(w.shape, w).clone() if w.dim() == 4 else w for name, w in own.items()}
    vector = max(own.values(), key=torch.Tensor.numel).flatten()
    if strategy.startswith("RP"):
        n = len(vector)
        d = int(n * ratio) + 1
        vector = vector[:d].repeat(n // d + 1)[:n]
        if strategy == "RP rand":
            vector = vector[torch.randperm(n, generator=g)]
    return {name: vector[: w.numel()].reshape(w.shape).clone() for name, w in own.items()}


def _case(
    strategy: str,
    keep: float,
    seed: int,
    prefix: str = "",
    ratio: float = 0.1,
    learned: bool = True,
    file: str = "best.pt",
) -> Case:
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for name, weight in weights(strategy, g, ratio).items():
        mask = edge_popup_mask(tuple(weight.shape), keep, g)
        state |= {f"{name}.weight": weight, f"{name}.scores": popup_scores(mask, g)}
        effective[f"{name}.weight"] = masked(weight, mask)
        norm = norm_after(name)
        if norm is not None:
            tensors = batchnorm(norm, WIDTH, g, affine=learned)
            state |= tensors
            effective |= tensors

    def rule(_: str, scores: torch.Tensor) -> torch.Tensor:
        return edge_popup(scores, keep)

    words = [strategy, f"keep {keep}", *([prefix] if prefix else []), *([] if learned else ["BatchNorm not learned"])]
    return torch_case(
        f"PEMN, flat, {', '.join(words)}, {file}",
        {"keep": keep},
        prefixed(state, prefix),
        {"": prefixed(effective, prefix)},
        masks_by(rule, "scores"),
        evaluate_by(rule, "scores"),
        file,
    )


def cases() -> list[Case]:
    return [
        *(_case(strategy, 0.5, 20 + i) for i, strategy in enumerate(STRATEGIES)),
        *(_case(strategy, 0.5, 30 + i, "module.") for i, strategy in enumerate(STRATEGIES)),
        _case("MP", 0.3, 40, learned=False),
        _case("RP copy", 0.7, 41, ratio=0.0001),  # d = 1: one value everywhere
        _case("RP rand", 0.5, 42, file="start.pt"),
    ]
