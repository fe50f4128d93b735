"""dchiji-ntt/iterand: models/networks/sparse_modules.py, resnet.py, commands/train.py.

Layers hold `weight`, `weight_score` and, Linear alone, `bias`, in this order. The checkpoint has the state_dict under
`model_state_dict`, never with `module.`: train.py saves the module inside DataParallel. Mask: the k-th value of the
score itself, without absolute values, k = 1 + round(.01 · (sparsity · 100) · (n − 1)); what is below it is dropped, so
ties are all kept. conv_sparsity, linear_sparsity and sparsity are fractions PRUNED, and not in the file.
"""

from __future__ import annotations

from typing import Any

from .case import Case, StateDict, masked, torch_case
from .parts import Shape, batchnorm, kaiming_normal, mask_without, ranked, seeded, sgd, signed_constant
from .rules import dropped_by_kth_value, kth_value
from .scored import Rule, evaluate_by, masks_by, under

LAYERS: dict[str, Shape] = {
    "convnb1.conv": (8, 3, 3, 3),
    "layer1.0.convnb1.conv": (8, 8, 3, 3),
    "layer1.0.shortcut.conv": (8, 8, 1, 1),
    "linear": (10, 31),
}


def _case(name: str, sparsity: dict[str, float], keep: Any, seed: int, constant: bool = False, ties: int = 0) -> Case:
    g = seeded(seed)
    state: StateDict = {}
    effective: StateDict = {}
    for layer, shape in LAYERS.items():
        weight = (signed_constant if constant else kaiming_normal)(shape, g)
        mask = mask_without(shape, dropped_by_kth_value(sparsity[layer], weight.numel()), g)
        score = ranked(mask, g) - 0.5
        for _ in range(ties):  # one more that is as high as the lowest kept one, and so kept
            index = int(score.flatten().masked_fill(mask.flatten(), -1).argmax())
            score.flatten()[index] = score[mask].min()
            mask.flatten()[index] = True
        state |= {f"{layer}.weight": weight, f"{layer}.weight_score": score}
        effective[f"{layer}.weight"] = masked(weight, mask)
        extra = batchnorm(layer.replace("conv", "norm"), shape[0], g, affine=False) if len(shape) == 4 else {}
        if len(shape) == 2:
            extra = {f"{layer}.bias": weight[:, 0].clone()}
        state |= extra
        effective |= extra
    rates = {f"{layer}.weight": rate for layer, rate in sparsity.items()}
    rule: Rule = lambda weight, score: kth_value(score, rates[weight])  # noqa: E731
    checkpoint = {
        "epoch": 99,
        "model_state_dict": state,
        "optim_state_dict": sgd(state, ("weight_score",)),
        "sched_state_dict": {"last_epoch": 100},
        "best_val": 0.8901,
        "best_epoch": 97,
        "total_iters": 35200,
        "total_seconds": 5123.25,
    }
    unwrap = under("model_state_dict")
    return torch_case(
        f"IteRand, weight_score, nested under model_state_dict, {name}",
        {"keep": keep, "rule": "kth-value"},
        checkpoint,
        {"": effective},
        masks_by(rule, "weight_score", unwrap),
        evaluate_by(rule, "weight_score", unwrap),
        "dump.pth",
    )


def cases() -> list[Case]:
    def every(sparsity: float) -> dict[str, float]:
        return dict.fromkeys(LAYERS, sparsity)

    two = {**every(0.6), "linear": 0.5}
    patterns = {"convnb1.*": 0.4, "layer1.*": 0.4, "linear.*": 0.5}
    return [
        _case("sparsity 0.6", every(0.6), 0.4, 60),
        _case("sparsity 0.5, signed constant", every(0.5), 0.5, 61, constant=True),
        _case("sparsity 0.9", every(0.9), 0.1, 62),
        _case("sparsity 0.6, Linear 0.5", two, patterns, 63),
        _case("sparsity 0.7, ties at the threshold", every(0.7), 0.3, 64, ties=3),
    ]
