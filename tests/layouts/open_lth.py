"""facebookresearch/open_lth: pruning/mask.py, pruning/pruned_model.py, training/checkpointing.py, models/base.py.

- A level's folder holds mask.pth, {name: int32 of 0 and 1} over the weights of all convolutions and Linear layers (all
  ones where a layer is never pruned), and model_ep{E}_it{I}.pth, the state_dict of the network without the masks and
  never with `module.`; besides sparsity_report.json and logger. (Training writes the model of its first and of its last
  step there, and checkpoint.pth, so a whole folder holds more than one network.)
- checkpoint.pth: `model_state_dict` of the PrunedModel, its buffers first: `mask_` and the weight's name with `.` as
  `___`, float32, then `model.` and the name; with `module.` before both under DataParallel.

Every forward pass first multiplies the weights in place by their masks; the optimizer then moves the dropped ones
again, so what is saved is not zero outside the mask.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from .case import Bad, Case, StateDict, Tasks, masked, torch_case
from .parts import Shapes, batchnorm, mask_without, prefixed, seeded, sgd

LENET: Shapes = {"fc_layers.0": (20, 49), "fc_layers.1": (12, 20), "fc": (10, 12)}
RESNET: Shapes = {"conv": (6, 3, 3, 3), "blocks.0.conv1": (6, 6, 3, 3), "blocks.0.conv2": (6, 6, 3, 3), "fc": (10, 6)}


def network(shapes: Shapes, seed: int) -> tuple[StateDict, StateDict, StateDict]:
    """A state_dict that is not zero outside the masks, the masks as bool, the effective weights."""
    g = seeded(seed)
    state: StateDict = {}
    masks: StateDict = {}
    for layer, shape in shapes.items():
        weight = state[f"{layer}.weight"] = torch.randn(shape, generator=g)
        mask = mask_without(shape, 0 if layer == "fc" else int(0.79 * weight.numel()), g)
        weight[~mask] *= 1e-3
        masks[f"{layer}.weight"] = mask
        if len(shape) == 2:
            state[f"{layer}.bias"] = torch.randn(shape[0], generator=g)
        else:
            state |= batchnorm(layer.replace("conv", "bn"), shape[0], g)
    effective = {name: masked(tensor, masks[name]) if name in masks else tensor for name, tensor in state.items()}
    return state, masks, effective


def int_masks(masks: StateDict) -> StateDict:
    return {name: mask.to(torch.int32) for name, mask in masks.items()}


def write_folder(folder: Path, models: dict[str, StateDict], masks: StateDict) -> Path:
    """A level's folder with these models."""
    level = folder / "level_5"
    level.mkdir()
    torch.save(int_masks(masks), level / "mask.pth")
    for name, state in models.items():
        torch.save(state, level / name)
    total, kept = sum(mask.numel() for mask in masks.values()), sum(int(mask.sum()) for mask in masks.values())
    (level / "sparsity_report.json").write_text(json.dumps({"total": float(total), "unpruned": float(kept)}, indent=4))
    (level / "logger").write_text("test_loss,18760,0.11\ntest_accuracy,18760,0.97")
    return level


def applied(state: StateDict, masks: StateDict) -> Tasks:
    """The weights after the multiplication, +0.0 where it gives −0.0."""
    return {"": {name: tensor * masks[name] + 0.0 if name in masks else tensor for name, tensor in state.items()}}


def _folder(name: str, shapes: Shapes, seed: int) -> Case:
    state, masks, effective = network(shapes, seed)

    def load(level: Path) -> tuple[StateDict, StateDict]:
        (model,) = level.glob("model_ep*_it*.pth")
        return torch.load(model, weights_only=True), torch.load(level / "mask.pth", weights_only=True)

    def found(level: Path) -> Tasks:
        return {"": {name: mask == 1 for name, mask in load(level)[1].items()}}

    def evaluate(level: Path) -> Tasks:
        return applied(*load(level))

    def write(folder: Path) -> Path:
        return write_folder(folder, {"model_ep40_it0.pth": state}, masks)

    return Case(f"open_lth, folder with mask.pth, {name}", {}, None, write, {"": effective}, found, evaluate)


def _beside(name: str, shapes: Shapes, seed: int) -> Case:
    state, masks, effective = network(shapes, seed)
    return torch_case(
        f"open_lth, model file, masks given, {name}",
        {"masks": int_masks(masks)},
        state,
        {"": effective},
        lambda _: {"": masks},
        lambda checkpoint: applied(checkpoint, int_masks(masks)),
        "model_ep40_it0.pth",
    )


def _checkpoint(name: str, shapes: Shapes, seed: int, prefix: str) -> Case:
    state, masks, effective = network(shapes, seed)
    buffers = {f"mask_{name.replace('.', '___')}": mask.float() for name, mask in masks.items()}
    pruned = prefixed(buffers, prefix) | prefixed(state, f"{prefix}model.")
    before = len(f"{prefix}mask_")

    def load(checkpoint: Any) -> tuple[StateDict, StateDict]:
        tensors: StateDict = checkpoint["model_state_dict"]
        found = {prefix + name[before:].replace("___", "."): mask for name, mask in tensors.items() if "___" in name}
        model = f"{prefix}model."
        return {prefix + name[len(model) :]: t for name, t in tensors.items() if name.startswith(model)}, found

    return torch_case(
        f"open_lth, checkpoint.pth, nested under model_state_dict, {prefix}model., {name}",
        {},
        {
            "ep": 3,
            "it": 0,
            "model_state_dict": pruned,
            "optimizer_state_dict": sgd(state, ("weight", "bias")),
            "logger": "test_accuracy,1407,0.95",
        },
        {"": prefixed(effective, prefix)},
        lambda checkpoint: {"": {name: mask == 1 for name, mask in load(checkpoint)[1].items()}},
        lambda checkpoint: applied(*load(checkpoint)),
        "checkpoint.pth",
    )


def cases() -> list[Case]:
    return [
        _folder("LeNet", LENET, 130),
        _folder("ResNet", RESNET, 131),
        _beside("LeNet", LENET, 132),
        _beside("ResNet", RESNET, 133),
        _checkpoint("LeNet", LENET, 134, ""),
        _checkpoint("ResNet", RESNET, 135, "module."),
    ]


def bad() -> list[Bad]:
    state, masks, _ = network(LENET, 136)
    later = {name: tensor + 1 for name, tensor in state.items()}

    def two(folder: Path) -> Path:
        return write_folder(folder, {"model_ep0_it0.pth": state, "model_ep40_it0.pth": later}, masks)

    def none(folder: Path) -> Path:
        return write_folder(folder, {}, masks)

    return [
        Bad("open_lth, folder with the models of two steps", {}, two, "two model files"),
        Bad("open_lth, folder without a model", {}, none, "no model file"),
    ]
