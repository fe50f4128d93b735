"""RAIVNLab/supsup: models/modules.py, models/module_util.py, models/small.py, models/gemresnet.py, main.py.

One random network under many masks: a layer holds `weight` and `scores.0`, `scores.1`, … (a ParameterList, one for each
task, in the order of numbers), no biases. MultitaskNonAffineBN (an earlier commit of modules.py) holds one BatchNorm
without weight and bias for each task: `bn1.bns.{task}.running_mean`. final.pt has the state_dict under `state_dict`,
with `module.` under --multigpu, beside `args`, an argparse.Namespace; here `args` is a dict, as someone who
converted the file would have it.

- MultitaskMaskConv: edge-popup over |scores| with the layer's `sparsity`, which is the fraction KEPT and not in the
  file. With --er-sparsity it is min(0.5, sparsity · (s0 + s1) / (s0 · s1 · s2 · s3)) of the layer's shape s.
- FastMultitaskMaskConv: scores >= 0.

(IndividualHeads, a last layer with --individual-heads, has the same names, but its `scores.{task}` are the weights.)
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch

from .case import Case, StateDict, Tasks, masked, torch_case
from .parts import (
    Shape,
    Shapes,
    batchnorm,
    edge_popup_mask,
    popup_scores,
    prefixed,
    ranked,
    seeded,
    signed_constant,
)
from .rules import edge_popup
from .scored import Rule

GEM_RESNET: Shapes = {
    "conv1": (6, 3, 3, 3),
    "layer1.0.conv1": (6, 6, 3, 3),
    "layer1.0.conv2": (6, 6, 3, 3),
    "linear": (5, 6, 1, 1),
}
LENET: Shapes = {"linear.0": (20, 49, 1, 1), "linear.2": (12, 20, 1, 1), "linear.4": (10, 12, 1, 1)}
SCORES = re.compile(r"(.*\.|)scores\.(\d+)")
BNS = re.compile(r"(.*\.|)bns\.(\d+)\.(.*)")


def er_sparsity(sparsity: float, shape: Shape) -> float:
    return min(0.5, sparsity * (shape[0] + shape[1]) / math.prod(shape))


def masks_of(checkpoint: Any, rule: Rule) -> Tasks:
    found: Tasks = {}
    for name, scores in checkpoint["state_dict"].items():
        match = SCORES.fullmatch(name)
        if match:
            weight = f"{match[1]}weight"
            found.setdefault(match[2], {})[weight] = rule(weight, scores)
    return found


def evaluate_of(checkpoint: Any, rule: Rule) -> Tasks:
    networks: Tasks = {}
    for task, masks in masks_of(checkpoint, rule).items():
        network = networks[task] = {}
        for name, tensor in checkpoint["state_dict"].items():
            own = BNS.fullmatch(name)
            if own:
                if own[2] == task:
                    network[own[1] + own[3]] = tensor
            elif not SCORES.fullmatch(name):
                network[name] = masked(tensor, masks[name]) if name in masks else tensor
    return networks


def network(
    shapes: Shapes, tasks: int, norms: bool, keep: dict[str, float] | None, seed: int
) -> tuple[StateDict, Tasks]:
    """A state_dict and the network of every task; without `keep` scores mean a mask by their sign."""
    g = seeded(seed)
    state: StateDict = {}
    networks: Tasks = {str(task): {} for task in range(tasks)}
    for layer, shape in shapes.items():
        weight = state[f"{layer}.weight"] = signed_constant(shape, g)
        for task, effective in networks.items():
            if keep is None:
                mask = torch.rand(shape, generator=g) < 0.4
                scores = torch.where(mask, 1, -1) * ranked(mask, g)
                scores.flatten()[:2] = torch.tensor([0.0, -0.0])  # both are >= 0
                mask.flatten()[:2] = True
            else:
                mask = edge_popup_mask(shape, keep[layer], g)
                scores = popup_scores(mask, g)
            state[f"{layer}.scores.{task}"] = scores
            effective[f"{layer}.weight"] = masked(weight, mask)
        if norms and layer != "linear":
            norm = layer.replace("conv", "bn")
            for task, effective in networks.items():
                tensors = batchnorm(norm, shape[0], g, affine=False)
                effective |= tensors
                state |= {f"{norm}.bns.{task}{name[len(norm) :]}": tensor for name, tensor in tensors.items()}
    return state, networks


def nested(state: StateDict, args: Any) -> dict[str, Any]:
    return {
        "epoch": 250,
        "arch": "GEMResNet18",
        "state_dict": state,
        "best_acc1": [0.91, 0.92, 0.9],
        "curr_acc1": [0.91, 0.915, 0.9],
        "args": args,
    }


def _case(
    name: str,
    options: dict[str, Any],
    made: tuple[StateDict, Tasks],
    rule: Rule,
    prefix: str = "",
    file: str = "final.pt",
) -> Case:
    state, networks = made
    return torch_case(
        f"SupSup, {name}, nested under state_dict{f', {prefix}' if prefix else ''}",
        options,
        nested(prefixed(state, prefix), {"sparsity": 0.5, "num_tasks": len(networks), "multigpu": [0]}),
        {task: prefixed(tensors, prefix) for task, tensors in networks.items()},
        lambda checkpoint: masks_of(checkpoint, rule),
        lambda checkpoint: evaluate_of(checkpoint, rule),
        file,
    )


def cases() -> list[Case]:
    rates = {layer: er_sparsity(1.5, shape) for layer, shape in GEM_RESNET.items()}

    def by_rate(weight: str, scores: torch.Tensor) -> torch.Tensor:
        return edge_popup(scores, rates[weight.removesuffix(".weight")])

    def by_third(_: str, scores: torch.Tensor) -> torch.Tensor:
        return edge_popup(scores, 0.3)

    def by_sign(_: str, scores: torch.Tensor) -> torch.Tensor:
        return scores >= 0

    thirds = dict.fromkeys(GEM_RESNET, 0.3)
    patterns = {f"{layer}.*": rate for layer, rate in rates.items()}
    return [
        _case(
            "MultitaskMaskConv, ER, a keep for each layer",
            {"keep": patterns},
            network(GEM_RESNET, 3, True, rates, 80),
            by_rate,
        ),
        _case("MultitaskMaskConv, bns", {"keep": 0.3}, network(GEM_RESNET, 3, True, thirds, 81), by_third, "module."),
        _case(
            "FastMultitaskMaskConv, scores >= 0",
            {"rule": "sigmoid"},
            network(LENET, 2, False, None, 82),
            by_sign,
            "module.",
        ),
        _case(
            "FastMultitaskMaskConv, 12 tasks",
            {"rule": "sigmoid"},
            network({"linear.0": (6, 20, 1, 1), "linear.2": (5, 6, 1, 1)}, 12, False, None, 83),
            by_sign,
        ),
        _case("MultitaskMaskConv, one task", {"keep": 0.3}, network(GEM_RESNET, 1, False, thirds, 84), by_third),
    ]
