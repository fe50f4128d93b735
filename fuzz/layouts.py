"""Target `layouts`: the checkpoints of `tests/layouts` with keys dropped, added, tied, renamed and retyped.

Of the layers that were not touched the effective weights stay those that the project itself computes, or the whole is
refused. A case is a line of JSON: the name of the checkpoint, and what is done to it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import MutableMapping
from functools import cache
from random import Random
from typing import Any

import numpy as np
import torch

import pemncodec
from pemncodec.errors import PemnError
from tests.layouts import Case, cases

from . import values
from .harness import ACCEPTED, Target
from .sandbox import refused

MOST = 4_000  # elements of a checkpoint
STEPS = (
    *(
        "drop",
        "drop",
        "double",
        "numpy",
        "transpose",
        "tie-plain",
        "tie-touched",
        "nan",
        "zero",
        "half",
        "sparse",
        "meta",
    ),
    *(
        "add-plain",
        "add-plain",
        "add-tied",
        "add-tied",
        "add-mask",
        "int-key",
        "prefix",
        "scalar",
        "shape",
        "parameter",
        "order",
    ),
)
HARMLESS = ("parameter", "order")


@cache
def objects() -> dict[str, Case]:
    """Those that are one object of few elements, by name."""
    found = {}
    for case in cases():
        if isinstance(case.checkpoint, dict):
            size = sum(
                tensor.numel() for tensor in _inner(case.checkpoint).values() if isinstance(tensor, torch.Tensor)
            )
            if size <= MOST and "global" not in case.name and case.options.get("rule") != "global":
                found[case.name] = case
    return found


def _inner(checkpoint: Any) -> MutableMapping[Any, Any]:
    """The state_dict in a checkpoint, as far as that can be said without the package."""
    for key in ("state_dict", "model_state_dict", "model", "net"):
        value = checkpoint.get(key)
        if isinstance(value, dict) and any(isinstance(one, torch.Tensor) for one in value.values()):
            return value
    found: MutableMapping[Any, Any] = checkpoint
    return found


def make(rng: Random) -> bytes:
    """A description."""
    steps = [
        [rng.choice(STEPS), rng.randrange(1000), rng.randrange(1000)] for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))
    ]
    drop: list[str] = rng.choice([[], [], [], ["keep"], ["rule"], ["threshold"]])
    return json.dumps({"case": rng.choice(sorted(objects())), "steps": steps, "without": drop}).encode()


def mutate(data: bytes, rng: Random) -> bytes:
    """One step more."""
    try:
        recipe = json.loads(data)
        step = [rng.choice(STEPS), rng.randrange(1000), rng.randrange(1000)]
        recipe["steps"] = [*recipe["steps"][-3:], step]
        return json.dumps(recipe).encode()
    except (ValueError, KeyError, TypeError):
        return make(rng)


def build(recipe: dict[str, Any]) -> tuple[Any, dict[str, Any], Case, set[str], dict[str, torch.Tensor]]:
    """The checkpoint, the options, the case, the keys that were touched, and tensors that were added beside them."""
    case = objects()[recipe["case"]]
    checkpoint = copy.deepcopy(case.checkpoint)
    state = _inner(checkpoint)
    touched: set[str] = set()
    added: dict[str, torch.Tensor] = {}
    for step, one, two in recipe["steps"]:
        keys = [key for key, value in state.items() if isinstance(value, torch.Tensor)]
        keys = [key for key in keys if state[key].layout == torch.strided and not state[key].is_meta]
        if keys:
            _step(state, step, keys[one % len(keys)], keys[two % len(keys)], one, touched, added)
    options = {name: value for name, value in case.options.items() if name not in recipe["without"]}
    return checkpoint, options, case, touched, added


def _step(
    state: MutableMapping[Any, Any],
    step: str,
    key: Any,
    other: Any,
    number: int,
    touched: set[str],
    added: dict[str, torch.Tensor],
) -> None:
    tensor = state[key]
    if step == "add-plain":
        added[f"extra{number}.gamma"] = state[f"extra{number}.gamma"] = torch.full((3,), float(number))
        return
    if step == "add-tied":  # another name of a tensor that may have a mask, with a meaning of its own
        if tensor.numel():
            added[f"again{number}.gamma"] = tensor.detach().clone()
            state[f"again{number}.gamma"] = tensor
        return
    if step not in HARMLESS:
        touched.add(str(key))
        added.pop(str(key), None)
    if step == "drop":
        del state[key]
    elif step == "double":
        state[key] = tensor.double() if tensor.is_floating_point() else tensor
    elif step == "half":
        state[key] = tensor.half() if tensor.is_floating_point() else tensor
    elif step == "numpy":
        state[key] = tensor.detach().float().numpy()
    elif step == "transpose":
        state[key] = tensor.transpose(0, -1) if tensor.dim() else tensor
    elif step in ("tie-plain", "tie-touched"):
        touched.add(str(other))
        state[key] = state[other]
    elif step == "nan":
        state[key] = torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor
    elif step == "zero":
        state[key] = torch.zeros_like(tensor)
    elif step == "sparse":
        state[key] = tensor.to_sparse() if tensor.dim() else tensor
    elif step == "meta":
        state[key] = tensor.to("meta")
    elif step == "add-mask":
        touched.add(f"{str(key).rpartition('.')[0]}.weight")
        state[f"{str(key).rpartition('.')[0]}.mask"] = (torch.zeros(tensor.shape) + number % 2).float()
    elif step == "int-key":
        state[number] = tensor
    elif step == "prefix":
        state[f"module.{key}"] = state.pop(key)
    elif step == "scalar":
        state[key] = np.float32(0.5) if number % 2 else 1
    elif step == "shape":
        plain = tensor.numel() and tensor.layout == torch.strided
        state[key] = tensor.reshape(-1)[: max(1, tensor.numel() // 2)] if plain else tensor
    elif step == "parameter":
        state[key] = torch.nn.Parameter(tensor, requires_grad=tensor.is_floating_point())
    else:
        state[key] = state.pop(key)


def check(data: bytes) -> str:
    """Pack, load every task, and write the original layout again."""
    checkpoint, options, case, touched, added = build(json.loads(data))
    try:
        packed = pemncodec.save(checkpoint, **options)
    except PemnError as reason:
        return refused(reason)
    with pemncodec.open(packed) as file:
        tasks = file.tasks or [""]
        prefix = _prefixes(touched)
    for task in tasks:
        if task not in case.effective:
            continue
        loaded = pemncodec.load(packed, task=task or None, threads=1)
        expected = {
            name: tensor
            for name, tensor in case.effective[task].items()
            if name in loaded and not any(part in name for part in prefix)
        }
        values.same("effective", expected, loaded, zeros=True)
        if task == "":
            values.same("added", _in_state(case, added), loaded, zeros=True)
    try:
        pemncodec.load_original(packed)
    except PemnError as reason:
        return f"original: {refused(reason)}"
    return ACCEPTED


def _in_state(case: Case, added: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the added tensors if the checkpoint is one state_dict of one network, else nothing."""
    plain = set(case.effective) == {""} and not isinstance(next(iter(case.checkpoint.values()), None), dict)
    return added if plain else {}


def _prefixes(touched: set[str]) -> set[str]:
    """Parts of the names of the layers that were touched; "" (of every name) where a layer has no name of its own."""
    found = set()
    for name in touched:
        key = name.partition("parametrizations.")[0] or name.replace("parametrizations.weight.0", "weight")
        words = [part for part in key.replace("_", ".").split(".") if part not in _FRAMES]
        found.add(max(words, key=len, default=""))
    return found


_FRAMES = {
    *("module", "orig", "mod", "model", "weight", "bias", "mask", "scores", "score", "popup", "parametrizations"),
    *("original", "real", "prune", "b"),
}
values.load_lazy_parts()
TARGET = Target(
    "layouts", ".json", make, mutate, check, "checkpoints of every family with keys dropped, added, retyped"
)
