"""torch.nn.utils.prune, as the library itself writes it.

For a parameter X of any name: `X_orig`, a parameter, and `X_mask`, a buffer of its dtype (so all parameters of a module
come before all its masks); the module multiplies them before its forward pass. Iterative pruning leaves one mask, the
product. After `remove` there is X again, last among the module's parameters, and −0.0 where a negative value was
dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from .case import Case, StateDict, Tasks, torch_case
from .parts import prefixed

Prune = Callable[[nn.Sequential], None]


class Bank(nn.Module):
    """A parameter of a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.randn(5, 7, 3))
        self.gain = nn.Parameter(torch.randn(5))


def pruned(how: Prune, seed: int) -> tuple[nn.Sequential, StateDict, list[str]]:
    """A network after pruning, its tensors as its forward pass sees them, and the names of the pruned ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.Linear(24, 13),
            nn.GRU(6, 5),
            Bank(),
            nn.Linear(13, 10, bias=False),
        )
        how(network)
    effective: StateDict = {}
    names = []
    for key, tensor in network.state_dict().items():
        if key.endswith("_orig"):
            module, name = key.removesuffix("_orig").rsplit(".", 1)
            names.append(f"{module}.{name}")
            value = getattr(network.get_submodule(module), name)
            effective[names[-1]] = value.detach() + 0.0
        elif not key.endswith("_mask"):
            effective[key] = tensor
    return network, effective, names


def l1(network: nn.Sequential) -> None:
    prune.l1_unstructured(network[0], "weight", 0.6)
    prune.l1_unstructured(network[2], "weight", 0.9)


def ln(network: nn.Sequential) -> None:
    prune.ln_structured(network[0], "weight", 0.5, n=2, dim=0)
    prune.ln_structured(network[2], "weight", 0.3, n=1, dim=1)


def biases(network: nn.Sequential) -> None:
    for index in (0, 2):
        prune.random_unstructured(network[index], "weight", 0.5)
        prune.l1_unstructured(network[index], "bias", 3)


def other_names(network: nn.Sequential) -> None:
    prune.random_unstructured(network[3], "weight_hh_l0", 0.4)
    prune.l1_unstructured(network[3], "bias_ih_l0", 0.2)
    prune.random_unstructured(network[4], "filters", 0.7)


def everywhere(network: nn.Sequential) -> None:
    parameters = [(network[0], "weight"), (network[2], "weight"), (network[5], "weight")]
    prune.global_unstructured(parameters, pruning_method=prune.L1Unstructured, amount=0.8)


def twice(network: nn.Sequential) -> None:
    l1(network)
    prune.l1_unstructured(network[0], "weight", 0.5)
    prune.random_structured(network[2], "weight", 0.2, dim=0)


def identity(network: nn.Sequential) -> None:
    prune.identity(network[0], "weight")
    l1(network)


METHODS: dict[str, Prune] = {
    "l1_unstructured": l1,
    "ln_structured": ln,
    "random_unstructured, biases too": biases,
    "GRU and names of one's own": other_names,
    "global_unstructured": everywhere,
    "iterative": twice,
}


def _before(name: str, how: Prune, seed: int, key: str | None = None, prefix: str = "") -> Case:
    network, effective, _ = pruned(how, seed)
    state: Any = prefixed(dict(network.state_dict()), prefix)

    def load(checkpoint: Any) -> StateDict:
        return dict(checkpoint[key] if key else checkpoint)

    def masks(checkpoint: Any) -> Tasks:
        return {"": {n.removesuffix("_mask"): m == 1 for n, m in load(checkpoint).items() if n.endswith("_mask")}}

    def evaluate(checkpoint: Any) -> Tasks:
        tensors = load(checkpoint)
        found = {}
        for name, tensor in tensors.items():
            if name.endswith("_orig"):
                dense = name.removesuffix("_orig")
                found[dense] = tensor * tensors[f"{dense}_mask"] + 0.0
            elif not name.endswith("_mask"):
                found[name] = tensor
        return {"": found}

    where = f"nested under {key}" if key else "flat"
    return torch_case(
        f"torch prune, before remove, {name}, {where}{f', {prefix}' if prefix else ''}",
        {},
        {"epoch": 7, key: state} if key else state,
        {"": prefixed(effective, prefix)},
        masks,
        evaluate,
    )


def _after(name: str, how: Prune, seed: int) -> Case:
    network, effective, names = pruned(how, seed)
    for parameter in names:
        module, own = parameter.rsplit(".", 1)
        prune.remove(network.get_submodule(module), own)
    state = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    return torch_case(
        f"torch prune, after remove, {name}, flat",
        {},
        state,
        {"": {key: effective[key] for key in state}},
        lambda checkpoint: {"": {parameter: checkpoint[parameter] != 0 for parameter in names}},
        lambda checkpoint: {"": {key: t + 0.0 if key in names else t for key, t in checkpoint.items()}},
    )


def cases() -> list[Case]:
    return [
        *(_before(name, how, 140 + i) for i, (name, how) in enumerate(METHODS.items())),
        _before("l1_unstructured", l1, 150, "state_dict", "module."),
        _before("identity beside l1_unstructured", identity, 151),
        _after("l1_unstructured", l1, 152),
        _after("ln_structured", ln, 153),
        _after("random_unstructured, biases too", biases, 154),
    ]
